"""
The bus events that other components may use, from any process.

Delivery on the bus is by exact type. Importing this module is cheap: it loads no component. Names
and fields are a public interface: none changes without a line in the changelog. View ranges are
pairs ``(start, stop)`` of views, ``stop`` not included.
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
    client: str
    """What it calls itself."""
    scheme: Optional[str]
    """Its view scheme; None before its first advert."""
    covered_views: int
    """Views that it advertises."""
    round_trip: Optional[float]
    """Seconds from a request to an answer that costs the peer nothing; None if not measured."""
    state: str
    """What it is doing for us: asked, idle, paused, late, new, forked or foreign."""
    state_reason: Optional[str]
    """Why it is in that state, in plain words; None where the state says it all."""


class News(NamedTuple):
    """Something that happened at the node."""

    seconds_ago: float
    text: str
    """In plain words."""


class BlockIOStatus(NamedTuple):
    """A look at block I/O at one moment."""

    drives: bool
    """Whether block I/O drives the chain, or assists one of Trinity's own syncers."""
    scheme: str
    """The view scheme."""
    synced: bool
    """
    Whether the head is the highest that peers advertise, but for those above it of which nothing
    has come for half a minute.
    """
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
    syncing: bool
    """
    Whether the node is on its way to a head: from the start until it has reached that of a peer,
    or has had no peer for half a minute.
    """
    head_timestamp: Optional[int]
    """Seconds since 1970, by the block itself, some seconds ago; None where it is not known yet."""
    target_number: Optional[int]
    """The block number at the target, as a peer gave it; None as long as none did."""
    percent: Optional[float]
    """Blocks held of those up to the target, 0 to 100; None where those are not known."""
    eta_seconds: Optional[float]
    """Seconds to the target at the present pace; None where that cannot be told."""
    blocks_per_second: float
    """Blocks imported a second, in the last half minute."""
    bytes_per_second: float
    """Bytes of blocks that came from peers a second, in the last half minute."""
    wanted_views: int
    """Views up to the target that are still to be asked for."""
    memory_budget: int
    """Bytes that fetched blocks may take before they are imported."""
    imported_blocks: int
    """Blocks imported since the node started."""
    served_blocks: int
    """Blocks given to peers since the node started."""
    served_bytes: int
    """Bytes of these."""
    imported_history: Tuple[int, ...]
    """Blocks imported in each 5 seconds, the oldest first, at most 60 of these."""
    view_bar: str
    """
    All views up to the target in at most 240 cells: ``#`` our chain covers it, ``=`` fetched or
    answered, ``>`` asked for, ``.`` to be asked for, ``!`` nobody advertises it, ``?`` not covered
    below our head.
    """
    news: Tuple[News, ...]
    """The last things that happened, at most 20, the oldest first."""


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


class FetchRefused(Exception):
    """
    A fetch was not begun, and nothing was changed. The message says why.

    Malformed ranges (an empty one, too), a window out of bounds, or 512 fetches under way.
    """


class FetchedBlock(NamedTuple):
    """A block that was fetched: it decodes, and its transactions and uncles match its header."""

    view: int
    """Its view, by the node's view scheme."""
    hash: bytes
    """The hash of its header."""
    rlp: bytes
    """The RLP of ``[header, transactions, uncles]``."""


@dataclass
class FetchViewsResponse(BaseEvent):
    """The answer to :class:`FetchViewsRequest`."""

    fetch_id: str
    """Names the fetch in all that follows; empty where it was refused."""
    error: Optional[Exception]
    """A :class:`FetchRefused`; None where the fetch is begun."""


@dataclass
class FetchViewsRequest(BaseRequestResponseEvent[FetchViewsResponse]):
    """
    Fetch every block in some view ranges; subscribe to what follows before you ask.

    Blocks follow as :class:`BlocksFetched` in no order, then one :class:`FetchCompleted`, both sent
    to the endpoint that asked and to no other. The client module does all of it for you.
    """

    ranges: Tuple[Tuple[int, int], ...]
    """At most 1,024, with ``0 <= start < stop <= 2**63``; they may overlap and be in any order."""
    window: Optional[int] = None
    """Blocks, 1 to 65,536 (0: 4,096), that may be sent before they are acknowledged by
    :class:`AcknowledgeBlocksCommand`; None: they are sent as fast as the bus takes them."""

    @staticmethod
    def expected_response_type() -> Type[FetchViewsResponse]:
        return FetchViewsResponse


@dataclass
class BlocksFetched(BaseEvent):
    """
    Blocks of a fetch that came together, ascending by view. Each block comes once per fetch.

    Of several blocks for one view the last holds; none does where :class:`FetchCompleted` lists it.
    """

    session: Optional[SessionAPI]
    """The connection to the peer that sent them; None where they are of the node's own chain."""
    blocks: Tuple[FetchedBlock, ...]
    """At least one."""
    fetch_id: str
    """The fetch that they are of."""


@dataclass
class FetchCompleted(BaseEvent):
    """
    A fetch is over. Sent once, after all of its blocks. The ranges are sorted and disjoint.

    Each view asked for is in one of them, or has a block that holds. It waits for no
    acknowledgement of the last blocks.
    """

    fetch_id: str
    empty: Tuple[Tuple[int, int], ...]
    """Views without a block, proven by a block above that names the one below as its parent."""
    unproven: Tuple[Tuple[int, int], ...]
    """Views answered empty, which no link proves: most often the ends of a range."""
    missing: Tuple[Tuple[int, int], ...]
    """Views that no peer could give: 10 seconds passed without progress."""


@dataclass
class AcknowledgeBlocksCommand(BaseEvent):
    """The oldest ``blocks`` blocks of a fetch with a window are dealt with: more may be sent."""

    fetch_id: str
    blocks: int


@dataclass
class CancelFetchCommand(BaseEvent):
    """Forget a fetch. What is under way may still come. No error where it is unknown or over."""

    fetch_id: str


@dataclass
class CheckFetchResponse(BaseEvent):
    """The answer to :class:`CheckFetchRequest`."""

    is_open: bool
    """Whether the fetch is under way; not after its end, nor after a restart of block I/O."""


@dataclass
class CheckFetchRequest(BaseRequestResponseEvent[CheckFetchResponse]):
    """Ask whether a fetch is still under way."""

    fetch_id: str

    @staticmethod
    def expected_response_type() -> Type[CheckFetchResponse]:
        return CheckFetchResponse


@dataclass
class FetchProbe(BaseEvent):
    """Sent where nothing of a fetch was sent for 5 seconds: is who asked for it still there?"""

    fetch_id: str


@dataclass
class AvailabilityUpdated(BaseEvent):
    """A peer advertised what it can answer for. A fact: broadcast only where someone subscribes."""

    session: SessionAPI
    head_view: int
    """The view of the highest block that it holds."""
    ranges: Tuple[Tuple[int, int], ...]
    """The views that it covers."""


@dataclass
class ViewsRequested(BaseEvent):
    """A peer was asked for the views ``start`` to ``stop``, without ``stop``. A fact."""

    session: SessionAPI
    request_id: int
    start: int
    stop: int


@dataclass
class ViewsTimedOut(BaseEvent):
    """A request is late, so its views are asked of others; it may still be answered. A fact."""

    session: SessionAPI
    request_id: int
    start: int
    stop: int


@dataclass
class PeerScored(BaseEvent):
    """A peer's score has halved or doubled, or changed for a reason worth telling. A fact."""

    session: SessionAPI
    score: float
    """Seconds per block it supplies, lower is better."""
    reason: str
    """In plain words."""


@dataclass
class ViewsImported(BaseEvent):
    """Block I/O imported ``blocks`` blocks with views from ``start`` to before ``stop``. A fact."""

    start: int
    stop: int
    blocks: int
    head_hash: bytes
    """The hash of the chain's head after it."""
