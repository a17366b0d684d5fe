"""Ring 1: the long-lived coroutines around the rules. They know ring 0 and ``services.abc``."""
