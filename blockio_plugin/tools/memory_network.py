"""Block I/O of several nodes in one process: everything but the connections and the bus is real."""
import asyncio
from concurrent.futures import ThreadPoolExecutor
import contextlib
from typing import AsyncIterator, Dict, Hashable, List, Tuple

from async_service import background_asyncio_service
from eth.abc import AtomicDatabaseAPI
from lahja import AsyncioEndpoint
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.blockio_process import BlockIO
from blockio_plugin.node.chain_reader import ChainReader
from blockio_plugin.node.gap_filler import GapFiller
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.services.abc import (
    AdvertReceived,
    AnswerReceived,
    BackfillResult,
    ChainHead,
    GapFillerAPI,
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

POLL_INTERVAL = 0.02
"""Seconds between two looks at a head that is waited for."""


class MemoryNode(InboxAPI, WireAPI, ImporterAPI, GapFillerAPI):
    """
    One node: its database, what it is sent, and whom it is connected to. Peers are known by name.
    """

    def __init__(
        self, name: str, db: AtomicDatabaseAPI, config: Eth1ChainConfig, scheme: ViewScheme
    ) -> None:
        self.name = name
        self.dropped: List[Tuple[Hashable, str]] = []
        """Whom it dropped, and why."""
        self.given = 0
        """Blocks that it was given to import, the same ones each time they were."""
        self.asked = 0
        """Requests that it was sent."""
        self._peers: Dict[Hashable, "MemoryNode"] = {}
        self._inbox: "asyncio.Queue[PeerEvent]" = asyncio.Queue()
        self._executor = ThreadPoolExecutor(max_workers=1)
        self._importer = BlockImporter(db, config.full_chain_class, scheme)
        self._filler = GapFiller(db, config.full_chain_class(db), scheme)
        self._reader = ChainReader(db, scheme)
        self._scheme = scheme

    @contextlib.asynccontextmanager
    async def run(self, backfills: bool = False) -> AsyncIterator["MemoryNode"]:
        """Run block I/O of this node as one that drives its chain."""
        async with AsyncioEndpoint(self.name).run() as bus:
            block_io = BlockIO(
                bus,
                self,
                self,
                self,
                ChainThread(self._reader),
                self._scheme,
                drives=True,
                filler=self if backfills else None,
            )
            async with background_asyncio_service(block_io):
                yield self

    def connect(self, other: "MemoryNode") -> None:
        """Open a connection between the two."""
        for node, peer in ((self, other), (other, self)):
            node._peers[peer.name] = peer
            node._inbox.put_nowait(PeerJoined(peer.name))

    def disconnect(self, peer: PeerID) -> None:
        """End the connection to ``peer``, where there is one."""
        other = self._peers.pop(peer, None)
        if other is not None:
            self._inbox.put_nowait(PeerLeft(peer))
            other.disconnect(self.name)

    async def wait_dropped(self, peer: PeerID) -> None:
        """Wait until it has dropped ``peer``."""
        while all(peer != dropped for dropped, _ in self.dropped):
            await asyncio.sleep(POLL_INTERVAL)

    def fetch_head(self) -> ChainHead:
        """The head of its chain."""
        return self._reader.fetch_head()

    async def wait_for(self, head_hash: bytes, timeout: float) -> None:
        """Wait until its head is the block of this hash. :raise asyncio.TimeoutError: if not"""

        async def poll() -> None:
            while self.fetch_head().hash != head_hash:
                await asyncio.sleep(POLL_INTERVAL)

        await asyncio.wait_for(poll(), timeout)

    async def stream(self) -> AsyncIterator[PeerEvent]:
        while True:
            yield await self._inbox.get()

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        self.given += len(blocks)
        imported = await asyncio.get_event_loop().run_in_executor(
            self._executor, self._importer.import_blocks, blocks
        )
        return imported.result

    async def backfill_blocks(self, blocks: Tuple[bytes, ...]) -> BackfillResult:
        return await asyncio.get_event_loop().run_in_executor(
            self._executor, self._filler.fill, blocks
        )

    def _deliver(self, peer: PeerID, event: PeerEvent) -> None:
        if peer in self._peers:
            self._peers[peer]._inbox.put_nowait(event)

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        self._deliver(peer, AdvertReceived(self.name, advert))

    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        if peer in self._peers:
            self._peers[peer].asked += 1
        self._deliver(peer, RequestReceived(self.name, request))

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        self._deliver(peer, AnswerReceived(self.name, answer))

    def drop(self, peer: PeerID, reason: str) -> None:
        self.dropped.append((peer, reason))
        self.disconnect(peer)
