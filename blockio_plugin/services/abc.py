"""The small interfaces that the services use; ring 2 implements them."""
from abc import ABC, abstractmethod
from typing import AsyncIterator, Hashable, NamedTuple, Optional, Tuple, Union

from blockio_plugin.rules.backfill import Gap
from blockio_plugin.rules.branches import Position
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange, ViewRanges

PeerID = Hashable
"""What tells one connection to a peer from another; a new connection is a new peer."""


class ChainHead(NamedTuple):
    """The highest canonical block of the local chain."""

    view: int
    number: int
    hash: bytes


class ChainReaderAPI(ABC):
    """Reads the local chain by views. Its methods do I/O and block; call them from a thread."""

    @abstractmethod
    def fetch_head(self) -> ChainHead:
        """The canonical head."""

    @abstractmethod
    def fetch_availability(self) -> Availability:
        """What the local chain covers: from the chain's gaps and the scheme, without a scan."""

    @abstractmethod
    def fetch_position(self, view: int) -> Optional[Position]:
        """
        The highest canonical block at or below ``view`` that is held in one run with the head, or
        the lowest of that run. None where the chain changes at this moment.
        """

    @abstractmethod
    def fetch_position_of_block(self, number: int) -> Optional[Position]:
        """The canonical block ``number``; None where it is not held."""

    @abstractmethod
    def fetch_timestamp(self, number: int) -> Optional[int]:
        """The time of the canonical block ``number`` (s since 1970); None where it is not held."""

    @abstractmethod
    def holds_state(self, number: int) -> bool:
        """Whether a child of the canonical block ``number`` can be executed."""

    @abstractmethod
    def fetch_gap(self) -> Optional[Gap]:
        """The highest gap below the head; None where there is none, or the chain changes now."""

    @abstractmethod
    def fetch_blocks(self, request: GetBlocksByView) -> BlocksByView:
        """Answer a request from the canonical chain, within the bounds of the wire protocol."""


class ImportFailure(NamedTuple):
    """
    The block that could not be imported, and why.

    Where ``is_invalid`` is false it was not found to be wrong: what failed is our database, or we
    ourselves, or its time has not come. It may go in later, and nobody is to blame.
    """

    block_hash: bytes
    reason: str
    is_invalid: bool = True


class ImportResult(NamedTuple):
    """How far an import came: the head after it, how many blocks went in, and what stopped it."""

    head: ChainHead
    imported: int
    failure: Optional[ImportFailure]


class ImporterAPI(ABC):
    """Verifies, executes and stores blocks, in its own process."""

    @abstractmethod
    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        """
        Import blocks (RLP), each a child of a block that is held, in order, until one fails.

        :param announce: whether to tell the node of the last one, so that it tells its peers. Meant
            for blocks at the head: nobody wants to hear of each block of an initial sync.
        """


class BackfillResult(NamedTuple):
    """How many blocks went in below others, and what stopped that for good: None where nothing."""

    filled: int
    refusal: Optional[str]


class GapFillerAPI(ABC):
    """Stores blocks below the head, in the process that imports."""

    @abstractmethod
    async def backfill_blocks(self, blocks: Tuple[bytes, ...]) -> BackfillResult:
        """
        Store blocks (RLP) without executing them, descending, the first being the parent of the
        block above the highest gap. Where the chain was reorganised meanwhile none may go in.
        """


class PeerJoined(NamedTuple):
    """A peer that speaks the protocol is connected."""

    peer: PeerID
    client: str = ""
    """What it calls itself."""


class PeerLeft(NamedTuple):
    """The connection to a peer is gone."""

    peer: PeerID
    dropped_for: Optional[str] = None
    """What we ended it for; None where we did not."""


class AdvertReceived(NamedTuple):
    """A peer advertised."""

    peer: PeerID
    advert: Availability


class HeadAnnounced(NamedTuple):
    """A peer has said, by other means than an advert, that it has the block of ``view``."""

    peer: PeerID
    view: int


class RequestReceived(NamedTuple):
    """A peer asks us for blocks."""

    peer: PeerID
    request: GetBlocksByView


class AnswerReceived(NamedTuple):
    """A peer answered. ``arrived_at``: seconds of the services' clock when it left the wire."""

    peer: PeerID
    answer: BlocksByView
    arrived_at: float


class RequestVoided(NamedTuple):
    """
    A request of ours will bring nothing, and its peer is not to blame: it could not be sent, or we
    had no place for the answer.
    """

    peer: PeerID
    request_id: int


PeerEvent = Union[
    PeerJoined,
    PeerLeft,
    AdvertReceived,
    HeadAnnounced,
    RequestReceived,
    AnswerReceived,
    RequestVoided,
]


class InboxAPI(ABC):
    """What comes from peers, in the order it came: a peer that left is not heard of again."""

    @abstractmethod
    def stream(self) -> AsyncIterator[PeerEvent]:
        """All events from now on, after a ``PeerJoined`` for each peer that is there already."""

    @property
    @abstractmethod
    def oldest_answer(self) -> Optional[float]:
        """
        When the oldest answer arrived (s) that whoever reads the stream has not done with; None
        where there is none. It is done with once the next event is asked for.
        """


class WireAPI(ABC):
    """Sends commands to peers. To a peer that is gone nothing is sent, and that is no error."""

    @abstractmethod
    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        """Advertise to ``peer``."""

    @abstractmethod
    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        """Ask ``peer`` for blocks."""

    @abstractmethod
    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        """Answer a request of ``peer``."""

    async def wait_sent(self) -> None:
        """
        Wait until the answers that were sent are out of this process. Where it is not implemented
        it is over at once.
        """

    @abstractmethod
    def drop(self, peer: PeerID, reason: str) -> None:
        """End the connection as a breach of protocol. ``reason`` goes to the log."""


class FactsAPI(ABC):
    """Takes facts for whoever listens. It costs next to nothing where nobody does."""

    @abstractmethod
    def availability_updated(self, peer: PeerID, head_view: int, ranges: ViewRanges) -> None:
        """A peer advertised."""

    @abstractmethod
    def views_requested(self, peer: PeerID, request_id: int, views: ViewRange) -> None:
        """A peer was asked for views."""

    @abstractmethod
    def views_timed_out(self, peer: PeerID, request_id: int, views: ViewRange) -> None:
        """A request is late."""

    @abstractmethod
    def peer_scored(self, peer: PeerID, score: float, reason: str) -> None:
        """A peer's score (seconds per block) has changed notably."""

    @abstractmethod
    def views_imported(self, views: ViewRange, blocks: int, head_hash: bytes) -> None:
        """Blocks in ``views`` were imported, and this is the head now."""
