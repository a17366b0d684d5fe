"""Ring 2: what ties block I/O into a Trinity node."""
