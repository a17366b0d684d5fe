"""
What crosses the bus between the process that holds the connections and the one of block I/O.

Facts and commands carry a session, which names one connection, and a payload; never one of
Trinity's command objects. Importing this module is cheap: the bus makes each process import it.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Tuple, Type

from lahja import BaseEvent, BaseRequestResponseEvent

from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView

if TYPE_CHECKING:
    from p2p.abc import SessionAPI


@dataclass
class BlockIOPeerJoined(BaseEvent):
    """A connection opened, and the protocol was negotiated on it."""

    session: SessionAPI
    client: str
    """What the peer calls itself."""


@dataclass
class BlockIOPeerLeft(BaseEvent):
    """A connection that had been announced has ended. Nothing of it follows."""

    session: SessionAPI
    dropped_for: Optional[str]
    """What we ended it for; None where we did not."""


@dataclass
class AvailabilityReceived(BaseEvent):
    """A peer advertised. Of adverts that came faster than we take them, the latest."""

    session: SessionAPI
    advert: Availability


@dataclass
class BlocksRequested(BaseEvent):
    """A peer asks us for blocks, and waits for exactly one answer."""

    session: SessionAPI
    request: GetBlocksByView


@dataclass
class BlocksReceived(BaseEvent):
    """
    A peer answered a request that we made on this connection and that was still open.

    ``arrived_at``: seconds of the machine's monotonic clock, which all its processes share.
    """

    session: SessionAPI
    answer: BlocksByView
    arrived_at: float


@dataclass
class RequestVoided(BaseEvent):
    """
    A request that we made will bring nothing, and its peer is not to blame: it could not be sent,
    or there was no place for its answer.
    """

    session: SessionAPI
    request_id: int


@dataclass
class SendAvailabilityCommand(BaseEvent):
    """Advertise to the peer."""

    session: SessionAPI
    advert: Availability


@dataclass
class SendGetBlocksByViewCommand(BaseEvent):
    """Ask the peer for blocks."""

    session: SessionAPI
    request: GetBlocksByView


@dataclass
class SendBlocksByViewCommand(BaseEvent):
    """Answer a request of the peer."""

    session: SessionAPI
    answer: BlocksByView


@dataclass
class DropPeerCommand(BaseEvent):
    """End the connection as a breach of protocol. ``reason`` goes to the log."""

    session: SessionAPI
    reason: str


@dataclass
class GetBlockIOPeersResponse(BaseEvent):
    """The answer to :class:`GetBlockIOPeersRequest`."""

    peers: Tuple[BlockIOPeerJoined, ...]


@dataclass
class GetBlockIOPeersRequest(BaseRequestResponseEvent[GetBlockIOPeersResponse]):
    """
    Ask which peers speak the protocol now.

    For one who subscribed late: after the response, what each of them last advertised is sent once
    more as :class:`AvailabilityReceived`.
    """

    @staticmethod
    def expected_response_type() -> Type[GetBlockIOPeersResponse]:
        return GetBlockIOPeersResponse
