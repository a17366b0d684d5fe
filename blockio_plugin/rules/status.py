"""What a fetch is doing, in numbers and in plain words."""
from typing import NamedTuple, Optional, Tuple

from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.views import ViewRange, ViewRanges

MAX_UNSERVICEABLE = 32
"""Unserviceable ranges listed, most: the lowest ones."""


class PeerStatus(NamedTuple):
    """One peer: its score (seconds per block, lower is better; None if not measured) and supply."""

    peer: PeerID
    score: Optional[float]
    blocks: int
    open_requests: int
    late_requests: int
    faults: int


class FetchStatus(NamedTuple):
    """
    One fetch at one moment.

    ``front_view`` is the lowest unresolved view and ``target`` the first that is not wanted.
    ``unserviceable`` are wanted ranges that nobody advertises, the lowest ones.
    ``idle_reason`` says why nothing moves, or is None when something does. ``neglect`` tells of
    peers that could be asked and have not been for long, or is None where there are none.
    """

    front_view: int
    target: int
    cached_blocks: int
    cached_bytes: int
    handed_out: int
    open_requests: int
    blocks_in_flight: int
    peers: Tuple[PeerStatus, ...]
    unserviceable: ViewRanges
    idle_reason: Optional[str]
    neglect: Optional[str]


class OpenViews(NamedTuple):
    """Views that are waited for: of how many peers, and since how many seconds at most."""

    views: ViewRange
    peers: int
    seconds: float

    def __str__(self) -> str:
        peers = "1 peer" if self.peers == 1 else f"{self.peers} peers"
        return f"waiting for views {self.views} from {peers} for {self.seconds:.1f} s"
