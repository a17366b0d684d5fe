"""What a fetch is doing, in numbers and in plain words."""
from enum import Enum
from typing import NamedTuple, Optional, Tuple

from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.views import ViewRange, ViewRanges

MAX_UNSERVICEABLE = 32
"""Unserviceable ranges listed, most: the lowest ones."""


class PeerState(Enum):
    """What a peer is doing for us."""

    ASKED = "asked"
    """It has requests of ours and time to answer them."""
    IDLE = "idle"
    """It could be asked, and nothing is to be asked of it."""
    PAUSED = "paused"
    """It is not asked for a while."""
    LATE = "late"
    """It owes answers whose time is over, and no others."""
    NEW = "new"
    """It has not advertised yet."""
    FORKED = "forked"
    """It is on another branch than we are."""
    FOREIGN = "foreign"
    """It uses another view scheme, so it is neither asked nor served."""


class PeerStatus(NamedTuple):
    """One peer: its score (seconds per block, lower is better; None if not measured) and supply."""

    peer: PeerID
    score: Optional[float]
    blocks: int
    open_requests: int
    late_requests: int
    faults: int
    round_trip: Optional[float]
    """Seconds; None if not measured."""
    covered_views: int
    """Views that it advertises."""
    state: PeerState
    reason: Optional[str]
    """Why it is in that state, where the state does not say it all."""


class FetchStatus(NamedTuple):
    """
    One fetch at one moment.

    ``front_view`` is the lowest unresolved view and ``target`` the first that is not wanted.
    ``wanted_views`` are still to be asked for, and ``cache_limit`` is in bytes.
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
    wanted_views: int
    cache_limit: int
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
