"""How far a sync is, how long it will take, and why it does not go on."""
from typing import NamedTuple, Optional

from blockio_plugin.rules.status import FetchStatus

ALONE_TIME = 30.0
"""Seconds without a peer after which a node does not call itself syncing any more."""


class Outlook(NamedTuple):
    """A look at the sync at one moment."""

    fetch: FetchStatus
    head_view: int
    head_number: int
    head_hash: bytes
    head_timestamp: Optional[int]
    """Seconds since 1970, by the block itself, some seconds ago; None where it is not known yet."""
    target_view: int
    """The highest view that is wanted; the view of the head where nothing is."""
    target_number: Optional[int]
    """The block number at the target; None as long as no peer gave that block."""
    is_synced: bool
    """Whether the head is at the head of those peers that are believed."""
    is_syncing: bool
    """Whether it is not, and there has been a peer in the last ``ALONE_TIME``."""
    blocks_per_second: float
    """Blocks imported a second, lately."""
    reason: Optional[str]
    """Why nothing moves; None while something does, or there is nothing to do."""

    @property
    def percent(self) -> Optional[float]:
        """Blocks held of those up to the target, 0 to 100; None where those are not known."""
        return compute_percent(self.head_number, self.target_number)

    @property
    def eta_seconds(self) -> Optional[float]:
        """Seconds to the target at this pace; None where either is not known."""
        return compute_eta(self.head_number, self.target_number, self.blocks_per_second)


def compute_percent(done: int, total: Optional[int]) -> Optional[float]:
    """``done`` of ``total``, 0 to 100; None where the total is not known."""
    if total is None:
        return None
    return 100.0 * min(done, total) / total if total > 0 else 100.0


def compute_eta(done: int, total: Optional[int], rate: float) -> Optional[float]:
    """Seconds until ``done`` is ``total`` at ``rate`` a second; None where there is no telling."""
    if total is None:
        return None
    if done >= total:
        return 0.0
    return (total - done) / rate if rate > 0 else None
