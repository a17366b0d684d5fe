"""
Block I/O with modelled peers, on a real bus and in a process of its own, for tests and benchmarks.

Everything but the connections and the database is real. A signal takes block I/O down within the
process and another one brings it up, as if the node did; its endpoint stays. Processes are forked
from one that has imported everything, which takes longer than most of the tests.
"""
import asyncio
from bisect import bisect_left
import contextlib
import multiprocessing
import os
from pathlib import Path
import signal
from typing import AsyncIterator, Dict, List, NamedTuple, Optional, Sequence, Tuple
import uuid

from async_service import background_asyncio_service
from lahja import AsyncioEndpoint, ConnectionConfig

from blockio_plugin.events import BLOCKIO_ENDPOINT, FetchViewsRequest
from blockio_plugin.node.blockio_process import BlockIO
from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.limits import MemoryBudget
from blockio_plugin.rules.messages import (
    MAX_ANSWER_BLOCKS,
    Availability,
    BlocksByView,
    GetBlocksByView,
)
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import (
    AdvertReceived,
    AnswerReceived,
    ChainHead,
    ImporterAPI,
    ImportResult,
    InboxAPI,
    PeerEvent,
    PeerID,
    PeerJoined,
    WireAPI,
)
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.event_queue import EventQueue
from blockio_plugin.tools.encoded_chain import SLOT, encode_chain
from blockio_plugin.tools.memory_chain import MemoryChain

START_TIMEOUT = 30.0
"""Seconds for the process to serve its endpoint, most."""

LISTEN_INTERVAL = 0.02
"""Seconds between two tries to connect to a process that does not listen yet."""

IMPORT_TIME = 0.02
"""Seconds in which a block is imported, where it is: slower than peers give them."""

RESTART_TIMEOUT = 20.0
"""Seconds for block I/O to go down or to come up, most."""

DOWN, UP = signal.SIGUSR1, signal.SIGUSR2
"""What takes block I/O down, and what brings it up again."""

FORKS = multiprocessing.get_context("forkserver")
"""Makes processes out of one that has imported all this."""

FORKS.set_forkserver_preload([__name__])


class BusConfig(NamedTuple):
    """What the peers hold: a block in every ``spacing``-th view from 1 on."""

    blocks: int
    spacing: int = 1
    own_blocks: int = 0
    """Blocks, from the lowest on, that the node holds itself."""
    peers: int = 3
    delay: float = 0.01
    """Seconds from a request to its answer."""
    rate: float = 1e6
    """Blocks/s of each peer."""
    extra_bytes: int = 0
    """Bytes by which each block is larger than the smallest one."""
    drives: bool = False
    """Whether it syncs beside what it is asked for."""
    memory: MemoryBudget = MemoryBudget.divide()

    def make_chain(self) -> List[Block]:
        """The blocks that peers hold."""
        views = range(1, 1 + self.blocks * self.spacing, self.spacing)
        return encode_chain(views, extra_bytes=self.extra_bytes)


class ModelledPeers(InboxAPI, WireAPI):
    """Peers that all hold the same blocks and answer each after ``delay``, at their rate."""

    def __init__(self, config: BusConfig, chain: Sequence[Block]) -> None:
        self._config = config
        self._chain = chain
        self._views = [block.view for block in chain]
        self._inbox = EventQueue()
        self._free_at: Dict[PeerID, float] = {}

    async def stream(self) -> AsyncIterator[PeerEvent]:
        stop = self._views[-1] + 1 if self._views else 0
        for number in range(self._config.peers):
            yield PeerJoined(f"peer-{number}")
            advert = Availability(SLOT.name, stop - 1, (ViewRange(0, stop),))
            yield AdvertReceived(f"peer-{number}", advert)
        async for event in self._inbox.stream():
            yield event

    @property
    def oldest_answer(self) -> Optional[float]:
        return self._inbox.oldest_answer

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        """They do not care."""

    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        low = bisect_left(self._views, request.views.start)
        high = bisect_left(self._views, request.views.stop)
        end = min(high, low + min(request.max_blocks, MAX_ANSWER_BLOCKS))
        stop = self._views[end] if end < high else request.views.stop
        answer = BlocksByView(
            request.request_id,
            request.start_view,
            stop - request.start_view,
            self._views[end] if end < len(self._views) else 0,
            # As off a wire: each time it is memory of its own.
            tuple(bytes(bytearray(block.rlp)) for block in self._chain[low:end]),
        )
        loop = asyncio.get_event_loop()
        began = max(self._free_at.get(peer, 0.0), loop.time() + self._config.delay)
        self._free_at[peer] = began + len(answer.blocks) / self._config.rate
        arrives_at = self._free_at[peer]
        loop.call_at(arrives_at, self._inbox.put, AnswerReceived(peer, answer, arrives_at))

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        """They ask for nothing."""

    def drop(self, peer: PeerID, reason: str) -> None:
        """They break nothing."""
        raise AssertionError(reason)


class NoImporter(ImporterAPI):
    """Where block I/O does not drive the chain nothing is imported."""

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        raise AssertionError("nothing is to be imported")


class SlowImporter(ImporterAPI):
    """Takes everything, a block in ``IMPORT_TIME`` seconds, and keeps nothing."""

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        await asyncio.sleep(len(blocks) * IMPORT_TIME)
        last = decode_block(blocks[-1], SLOT)
        return ImportResult(ChainHead(last.view, last.number, last.hash), len(blocks), None)


async def serve(config: BusConfig, path: Path) -> None:
    """Run until the process is ended."""
    chain = config.make_chain()
    own = MemoryChain(chain[: config.own_blocks] or chain[:1], SLOT.name)
    down, up = asyncio.Event(), asyncio.Event()
    asyncio.get_event_loop().add_signal_handler(DOWN, down.set)
    asyncio.get_event_loop().add_signal_handler(UP, up.set)
    async with AsyncioEndpoint.serve(ConnectionConfig(BLOCKIO_ENDPOINT, path)) as bus:
        while True:
            peers = ModelledPeers(config, chain)
            block_io = BlockIO(
                bus,
                peers,
                peers,
                SlowImporter() if config.drives else NoImporter(),
                ChainThread(own),
                SLOT,
                config.drives,
                memory=config.memory,
            )
            async with background_asyncio_service(block_io):
                await down.wait()
            await up.wait()
            down.clear()
            up.clear()


def serve_forked(config: BusConfig, path: Path) -> None:
    """What a forked process runs."""
    asyncio.get_event_loop().run_until_complete(serve(config, path))


class BusProcess:
    """The process, as a test sees it."""

    def __init__(self, config: BusConfig, path: Path) -> None:
        self.config = config
        self.path = path
        self._process = FORKS.Process(target=serve_forked, args=(config, path), daemon=True)

    @classmethod
    @contextlib.asynccontextmanager
    async def run(cls, config: BusConfig, directory: Path) -> AsyncIterator["BusProcess"]:
        """Start it, and kill it at the end."""
        process = cls(config, directory / f"{BLOCKIO_ENDPOINT}.ipc")
        await process.start()
        try:
            yield process
        finally:
            await process.kill()

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process.pid is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until its endpoint is served."""
        self._process.start()
        deadline = asyncio.get_event_loop().time() + START_TIMEOUT
        while not self.path.exists():
            assert self._process.is_alive(), "it ended"
            assert asyncio.get_event_loop().time() < deadline, "it did not start"
            await asyncio.sleep(0.02)

    async def go_down(self, bus: AsyncioEndpoint) -> None:
        """Take block I/O down, and wait until ``bus`` knows."""
        os.kill(self.pid, DOWN)

        async def wait_down() -> None:
            while bus.is_endpoint_subscribed_to(BLOCKIO_ENDPOINT, FetchViewsRequest):
                await bus.wait_until_endpoint_subscriptions_change()

        await asyncio.wait_for(wait_down(), RESTART_TIMEOUT)

    def come_up(self) -> None:
        """Bring block I/O up again."""
        os.kill(self.pid, UP)

    async def restart(self, bus: AsyncioEndpoint) -> None:
        """Take block I/O down and bring it up again, and wait until ``bus`` knows."""
        await self.go_down(bus)
        self.come_up()
        up = bus.wait_until_endpoint_subscribed_to(BLOCKIO_ENDPOINT, FetchViewsRequest)
        await asyncio.wait_for(up, RESTART_TIMEOUT)

    async def kill(self) -> None:
        """Kill it, and clear away what it leaves."""
        self._process.kill()
        await asyncio.get_event_loop().run_in_executor(None, self._process.join)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def resident_bytes(self) -> int:
        """Bytes of memory that it holds (Linux)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def _wait_listening(self) -> None:
        """Wait until it takes connections: for a moment its socket is there and refuses them."""
        while True:
            with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
                _, writer = await asyncio.open_unix_connection(str(self.path))
                writer.close()
                return
            await asyncio.sleep(LISTEN_INTERVAL)

    @contextlib.asynccontextmanager
    async def connect(self, waits: bool = True) -> AsyncIterator[AsyncioEndpoint]:
        """An endpoint of this process, connected; ``waits`` until block I/O is up."""
        endpoint = AsyncioEndpoint(f"client-{uuid.uuid4().hex[:8]}")
        async with endpoint.run():
            await self._wait_listening()
            await endpoint.connect_to_endpoints(ConnectionConfig(BLOCKIO_ENDPOINT, self.path))
            if waits:
                await endpoint.wait_until_endpoint_subscribed_to(
                    BLOCKIO_ENDPOINT, FetchViewsRequest
                )
            yield endpoint
