"""
How fast blocks arrive from all peers together: where that is slow, nobody is to blame alone.

Only time in which something was asked for counts. Where our own link is the limit, blocks come
through it one answer right after another, so no answer is quicker than the mean: ``link_time`` of a
block is the quickest seen, ``block_time`` the mean, and the link is taken to be full where the two
are about the same. Where peers are the limit, answers of several of them now and then come in at
nearly the same time, which shows that the link could carry more.
"""
from math import exp
from typing import Optional

SPAN = 1.0
"""Seconds of arrivals that the mean is taken over, about: older ones count ever less."""

LINK_RISE = 1.05
"""What each arrival multiplies the quickest time seen by, so that a link that slows down is seen."""

FULL_LINK = 0.8
"""The quickest time over the mean time of a block from which on our link counts as full."""


class ArrivalRate:
    """Seconds per block of all arrivals. They stay as they were while nothing arrives."""

    def __init__(self) -> None:
        self._blocks = 0.0
        self._seconds = 0.0
        self._last: Optional[float] = None
        self._quickest: Optional[float] = None
        self.total = 0
        """Blocks that arrived in all."""

    @property
    def block_time(self) -> float:
        """Seconds per block in the mean; 0 before anything arrived."""
        return self._seconds / self._blocks if self._blocks else 0.0

    @property
    def link_block_time(self) -> float:
        """Seconds that our link needs for a block where it is full, else 0."""
        quickest, mean = self._quickest, self.block_time
        return quickest if quickest is not None and quickest >= FULL_LINK * mean else 0.0

    def note(self, blocks: int, issued_at: float, now: float) -> None:
        """So many blocks arrived, which were asked for at ``issued_at`` (s)."""
        last, self._last = self._last, now
        passed = now - (issued_at if last is None else max(last, issued_at))
        keep = exp(-passed / SPAN)
        self._blocks = self._blocks * keep + blocks
        self._seconds = self._seconds * keep + passed
        self.total += blocks
        if last is not None and issued_at <= last:
            quick = passed / blocks
            if self._quickest is None or quick < self._quickest * LINK_RISE:
                self._quickest = quick
            else:
                self._quickest *= LINK_RISE
