"""How fast blocks arrive from all peers together: where that is slow, nobody is to blame alone."""

SPAN = 1.0
"""Seconds of arrivals that the pace is taken over, about: older ones count ever less."""


class Goodput:
    """The pace of arrivals. It stays as it was when nothing arrives."""

    def __init__(self) -> None:
        self._blocks = 0.0
        self._seconds = 0.0
        self._last = 0.0

    @property
    def block_time(self) -> float:
        """Seconds per block; 0 before anything arrived."""
        return self._seconds / self._blocks if self._blocks else 0.0

    def note(self, blocks: int, now: float) -> None:
        """So many blocks arrived."""
        passed = min(now - self._last, SPAN)
        self._last = now
        keep = 1.0 - passed / (2 * SPAN)
        self._blocks = self._blocks * keep + blocks
        self._seconds = self._seconds * keep + passed
