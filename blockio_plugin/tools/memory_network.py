"""Block I/O of several nodes in one process: everything but the connections and the bus is real."""
import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
import contextlib
from typing import Any, AsyncIterator, Deque, Dict, List, Optional, Tuple

from async_service import background_asyncio_service
from eth.abc import AtomicDatabaseAPI
from lahja import AsyncioEndpoint, EndpointAPI
from trinity.config import Eth1ChainConfig

from blockio_plugin.events import BlockIOStatus, GetBlockIOStatusRequest
from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.blockio_process import BlockIO
from blockio_plugin.node.chain_reader import ChainReader
from blockio_plugin.node.gap_filler import GapFiller
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.schemes import ViewScheme, parse_scheme
from blockio_plugin.services.abc import (
    AdvertReceived,
    AnswerReceived,
    BackfillResult,
    ChainHead,
    GapFillerAPI,
    HeadAnnounced,
    ImporterAPI,
    ImportResult,
    InboxAPI,
    PeerEvent,
    PeerID,
    PeerJoined,
    PeerLeft,
    RequestReceived,
    WireAPI,
)
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.event_queue import EventQueue
from blockio_plugin.tools.memory_chain import MemoryChain

POLL_INTERVAL = 0.02
"""Seconds between two looks at a head that is waited for."""


class _Line:
    """One direction of a connection. What is sent arrives in order, as long as it lasts."""

    def __init__(self, target: "MemoryPeer") -> None:
        self.target = target
        self.is_open = True
        self._under_way: Deque[PeerEvent] = deque()

    def send(self, event: PeerEvent, latency: float) -> None:
        self._under_way.append(event)
        asyncio.get_event_loop().call_later(latency, self._arrive)

    def _arrive(self) -> None:
        event = self._under_way.popleft()
        if self.is_open:
            self.target.take(event)


class MemoryPeer(WireAPI):
    """
    One of the nodes as the others see it, known to them by its name. This one takes what it is sent
    and does nothing; what it sends is up to a test.
    """

    def __init__(self, name: PeerID) -> None:
        self.name = name
        self.dropped: List[Tuple[PeerID, str]] = []
        """Whom it dropped, and why."""
        self.asked = 0
        """Requests that it was sent."""
        self.latency = 0.0
        """Seconds that what it sends takes to arrive."""
        self._lines: Dict[PeerID, _Line] = {}

    @property
    def peers(self) -> Tuple["MemoryPeer", ...]:
        """Whom it is connected to."""
        return tuple(line.target for line in self._lines.values())

    def take(self, event: PeerEvent) -> None:
        """Something came from a peer."""

    def connect(self, other: "MemoryPeer") -> None:
        """Open a connection between the two. There is none yet."""
        for node, peer in ((self, other), (other, self)):
            node._lines[peer.name] = _Line(peer)
            node.take(PeerJoined(peer.name))

    def disconnect(self, peer: PeerID) -> None:
        """End the connection to ``peer``, where there is one. What is under way is lost."""
        line = self._lines.pop(peer, None)
        if line is not None:
            line.is_open = False
            self.take(PeerLeft(peer))
            line.target.disconnect(self.name)

    async def wait_dropped(self, peer: PeerID) -> None:
        """Wait until it has dropped ``peer``."""
        while all(peer != dropped for dropped, _ in self.dropped):
            await asyncio.sleep(POLL_INTERVAL)

    def _deliver(self, peer: PeerID, event: PeerEvent) -> None:
        if peer in self._lines:
            self._lines[peer].send(event, self.latency)

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        self._deliver(peer, AdvertReceived(self.name, advert))

    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        if peer in self._lines:
            self._lines[peer].target.asked += 1
        self._deliver(peer, RequestReceived(self.name, request))

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        self._deliver(peer, AnswerReceived(self.name, answer, 0.0))

    def announce(self, peer: PeerID, view: int) -> None:
        """Say that it has the block of ``view``."""
        self._deliver(peer, HeadAnnounced(self.name, view))

    def drop(self, peer: PeerID, reason: str) -> None:
        self.dropped.append((peer, reason))
        self.disconnect(peer)


class Stranger(MemoryPeer):
    """A peer without a node: it has a chain, and a test says what it makes of it."""

    def __init__(self, name: PeerID, chain: MemoryChain) -> None:
        super().__init__(name)
        self.chain = chain
        self.advert = chain.fetch_availability()
        """What it advertises: truly, unless changed."""

    @contextlib.asynccontextmanager
    async def run(self, interval: float = 1.0) -> AsyncIterator["Stranger"]:
        """Advertise to all that it is connected to, every so many seconds."""

        async def advertise() -> None:
            while True:
                for peer in self.peers:
                    self.send_availability(peer.name, self.advert)
                await asyncio.sleep(interval)

        task = asyncio.ensure_future(advertise())
        try:
            yield self
        finally:
            task.cancel()

    def take(self, event: PeerEvent) -> None:
        if isinstance(event, PeerJoined):
            self.send_availability(event.peer, self.advert)
        elif isinstance(event, RequestReceived):
            self.answer(event.peer, event.request)

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        """It was asked: it answers, unless a test has it do something else."""
        self.send_answer(peer, self.chain.fetch_blocks(request))


class MemoryNode(MemoryPeer, InboxAPI, ImporterAPI, GapFillerAPI):
    """One whole node, with its database."""

    def __init__(
        self, name: str, db: AtomicDatabaseAPI, config: Eth1ChainConfig, scheme: ViewScheme
    ) -> None:
        super().__init__(name)
        self.given = 0
        """Blocks that it was given to import, the same ones each time they were."""
        self.announced = 0
        """How often it was told to tell others of what it imports."""
        self.seed: Optional[int] = None
        """What it leaves to chance is drawn from this."""
        self.uptime = 0.0
        """Seconds that its clock is ahead of the loop's."""
        self._inbox = EventQueue()
        self._executor = ThreadPoolExecutor(max_workers=1)
        self._importer = BlockImporter(db, config.full_chain_class, scheme)
        self._filler = GapFiller(db, config.full_chain_class(db), scheme)
        self._reader = ChainReader(db, scheme)
        self._scheme = scheme
        self.bus: Optional[EndpointAPI] = None
        """Its event bus, once it runs."""

    def take(self, event: PeerEvent) -> None:
        if isinstance(event, AnswerReceived):
            event = event._replace(arrived_at=self._read_clock())
        self._inbox.put(event)

    def _read_clock(self) -> float:
        return self.uptime + asyncio.get_event_loop().time()

    @contextlib.asynccontextmanager
    async def run(self, backfills: bool = False) -> AsyncIterator["MemoryNode"]:
        """Run block I/O of this node as one that drives its chain, by the clock of the loop."""
        async with AsyncioEndpoint(str(self.name)).run() as bus:
            self.bus = bus
            block_io = BlockIO(
                bus,
                self,
                self,
                self,
                ChainThread(self._reader),
                self._scheme,
                drives=True,
                filler=self if backfills else None,
                clock=self._read_clock,
                seed=self.seed,
            )
            async with background_asyncio_service(block_io):
                yield self

    async def fetch_status(self) -> BlockIOStatus:
        """How it says that it is doing. It has to run."""
        assert self.bus is not None
        await self.bus.wait_until_any_endpoint_subscribed_to(GetBlockIOStatusRequest)
        response = await self.bus.request(GetBlockIOStatusRequest())
        return response.status

    def fetch_head(self) -> ChainHead:
        """The head of its chain."""
        return self._reader.fetch_head()

    async def wait_for(self, head_hash: bytes, timeout: float) -> None:
        """Wait until its head is the block of this hash. :raise asyncio.TimeoutError: if not"""

        async def poll() -> None:
            while self.fetch_head().hash != head_hash:
                await asyncio.sleep(POLL_INTERVAL)

        await asyncio.wait_for(poll(), timeout)

    def stream(self) -> AsyncIterator[PeerEvent]:
        return self._inbox.stream()

    @property
    def oldest_answer(self) -> Optional[float]:
        return self._inbox.oldest_answer

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        self.given += len(blocks)
        self.announced += announce
        imported = await asyncio.get_event_loop().run_in_executor(
            self._executor, self._importer.import_blocks, blocks
        )
        return imported.result

    async def backfill_blocks(self, blocks: Tuple[bytes, ...]) -> BackfillResult:
        return await asyncio.get_event_loop().run_in_executor(
            self._executor, self._filler.fill, blocks
        )


class MemoryNetwork:
    """
    Nodes that run until the end of a test.

    :param scheme: the name of the view scheme
    """

    def __init__(
        self, stack: contextlib.AsyncExitStack, config: Eth1ChainConfig, scheme: str
    ) -> None:
        self._stack = stack
        self._config = config
        self._scheme = scheme

    async def add(
        self, name: str, db: AtomicDatabaseAPI, cls: type = MemoryNode, backfills: bool = False
    ) -> Any:
        """Run a node, of some class of nodes, on a database."""
        genesis = self._config.full_chain_class(db).get_canonical_block_header_by_number(0)
        scheme: ViewScheme = parse_scheme(self._scheme).bind(genesis)
        node = cls(name, db, self._config, scheme)
        await self._stack.enter_async_context(node.run(backfills))
        return node
