"""How fast blocks arrive from all peers together: where that is slow, nobody is to blame alone."""
from math import exp

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
        passed = now - self._last
        self._last = now
        keep = exp(-passed / SPAN)
        self._blocks = self._blocks * keep + blocks
        self._seconds = self._seconds * keep + passed
