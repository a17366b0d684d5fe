"""
How fast blocks arrive from all peers together: where that is slow, nobody is to blame alone.

Only time in which something was asked for counts. Where our own link is the limit, answers of all
peers come through it one right after another, so that none is much quicker than the mean. Where
peers are the limit, answers of two of them come in at nearly the same time now and then, which
shows that the link could carry more. So the quickest time of a block that came right after one of
another peer is that of our link, if it is about the mean.
"""
from typing import Optional

from blockio_plugin.rules.requests import PeerID

DECAY = 0.95
"""Weight that the arrivals so far keep when the next one comes in: the last twenty or so count."""

LINK_RISE = 1 / DECAY
"""What each arrival multiplies the quickest time by, so that a link that slows down is seen."""

LEAST_BLOCK_TIME = 1e-6
"""Least seconds per block: answers that come at once show a link without limit, for now."""

FULL_LINK = 0.8
"""The quickest time over the mean time of a block from which on our link counts as full."""


class ArrivalRate:
    """Seconds per block of all arrivals. They stay as they were while nothing arrives."""

    def __init__(self) -> None:
        self._blocks = 0.0
        self._seconds = 0.0
        self._last: Optional[float] = None
        self._quickest: Optional[float] = None
        self._alternated_at: Optional[float] = None
        self._last_peer: Optional[PeerID] = None
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

    def is_quiet(self, seconds: float, now: float) -> bool:
        """Whether no two answers of different peers came in a row for so many seconds."""
        return self._alternated_at is None or now - self._alternated_at > seconds

    def note(self, peer: PeerID, blocks: int, issued_at: float, now: float) -> None:
        """``peer`` gave so many blocks, which it was asked for at ``issued_at`` (s)."""
        last, self._last = self._last, now
        passed = now - (issued_at if last is None else max(last, issued_at))
        self._blocks = self._blocks * DECAY + blocks
        self._seconds = self._seconds * DECAY + passed
        self.total += blocks
        is_next = last is not None and issued_at <= last and self._last_peer != peer
        self._last_peer = peer
        if is_next:
            self._alternated_at = now
            quick = max(passed / blocks, LEAST_BLOCK_TIME)
            if self._quickest is None or quick < self._quickest * LINK_RISE:
                self._quickest = quick
            else:
                self._quickest *= LINK_RISE
