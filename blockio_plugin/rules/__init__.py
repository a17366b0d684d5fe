"""Ring 0: the pure rules. No asyncio, no clock, no Trinity; time and chance are arguments."""
