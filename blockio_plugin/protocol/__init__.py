"""Ring 2: the wire protocol ``bio/1`` on an RLPx connection."""
