"""How many blocks the views to come likely hold, learnt from the answers to the last ones."""

DECAY = 0.8
"""Weight that what was seen keeps when the next answer comes in."""

FULL = 0.95
"""Blocks per view from which on every view is taken to hold one."""

MAX_STRETCH = 2.0 ** 20
"""How many times longer a range may get in a run of empty answers; each doubles it."""


class Density:
    """Blocks per view, as last seen. Taken to be 1 until an answer tells otherwise."""

    def __init__(self) -> None:
        self._views = 0.0
        self._blocks = 0.0
        self._stretch = 1.0

    @property
    def value(self) -> float:
        """Blocks per view to expect; above 0, at most 1."""
        if not self._views:
            return 1.0 / self._stretch
        # Half a block more than seen: after nothing at all, one is still expected some time.
        seen = (self._blocks + 0.5) / (self._views + 0.5)
        return (1.0 if seen >= FULL else seen) / self._stretch

    def seen(self, views: int, blocks: int) -> None:
        """An answer covered that many views and brought that many blocks."""
        if blocks:
            self._views = self._views * DECAY + views
            self._blocks = self._blocks * DECAY + blocks
            self._stretch = 1.0
        else:
            self._stretch = min(self._stretch * 2, MAX_STRETCH)
