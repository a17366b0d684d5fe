"""
The bus events that other components may use, from any process.

Delivery on the bus is by exact type. Importing this module is cheap: it loads no component.
"""
from dataclasses import dataclass
from typing import NamedTuple, Optional, Tuple, Type

from lahja import BaseEvent, BaseRequestResponseEvent, BroadcastConfig
from p2p.abc import SessionAPI

BLOCKIO_ENDPOINT = "blockio"
"""The name of the event bus endpoint that answers these requests."""

TO_BLOCKIO_BROADCAST_CONFIG = BroadcastConfig(filter_endpoint=BLOCKIO_ENDPOINT)
"""Send requests with this: they then go to block I/O alone."""


class PeerStatus(NamedTuple):
    """One peer that speaks the protocol, as fetching sees it."""

    session: SessionAPI
    """The connection."""
    head_view: Optional[int]
    """The view of its head, as last advertised; None before its first advert."""
    score: Optional[float]
    """Seconds per block it supplies, lower is better; None before it supplied one."""
    blocks: int
    """Blocks that it supplied."""
    open_requests: int
    """Requests that it has not answered yet."""
    late_requests: int
    """Requests that timed out and that it has not answered yet."""
    disproved_claims: int
    """How often it called views empty that are not."""


class BlockIOStatus(NamedTuple):
    """A look at block I/O at one moment."""

    drives: bool
    """Whether block I/O drives the chain, or assists one of Trinity's own syncers."""
    scheme: str
    """The view scheme."""
    synced: bool
    """Whether the head is the highest that any peer advertises, with at least one peer there."""
    starting_number: int
    """The head's block number when the node started."""
    head_number: int
    head_view: int
    head_hash: bytes
    target_view: int
    """The highest view that is wanted; the view of the head where nothing is."""
    blocks_in_flight: int
    """Blocks asked for and not here yet."""
    blocks_cached: int
    """Blocks fetched and not imported yet."""
    bytes_cached: int
    idle_reason: Optional[str]
    """Why nothing moves, in plain words; None while something does."""
    peers: Tuple[PeerStatus, ...]


@dataclass
class GetBlockIOStatusResponse(BaseEvent):
    """The answer to :class:`GetBlockIOStatusRequest`."""

    status: BlockIOStatus


@dataclass
class GetBlockIOStatusRequest(BaseRequestResponseEvent[GetBlockIOStatusResponse]):
    """Ask block I/O how it is doing."""

    @staticmethod
    def expected_response_type() -> Type[GetBlockIOStatusResponse]:
        return GetBlockIOStatusResponse
