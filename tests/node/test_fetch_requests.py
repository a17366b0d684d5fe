"""Fetches over a real bus: block I/O in one process, subscribers in others."""
import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
import signal
import sys
import tempfile
from typing import Any, AsyncIterator, Iterator, List, Tuple

from lahja import AsyncioEndpoint
import pytest

from blockio_plugin.events import (
    TO_BLOCKIO_BROADCAST_CONFIG,
    AcknowledgeBlocksCommand,
    BlocksFetched,
    CancelFetchCommand,
    CheckFetchRequest,
    FetchCompleted,
    FetchedBlock,
    FetchRefused,
    FetchViewsRequest,
    GetBlockIOStatusRequest,
)
from blockio_plugin.rules.fetch_group import WORKING_FETCHES
from blockio_plugin.rules.limits import LEAST_MEMORY, MIB, MemoryBudget
from blockio_plugin.tools.bus_process import BusConfig, BusProcess

TIMEOUT = 20.0
"""Seconds for one fetch, most."""

MARGIN = 32 * MIB
"""Bytes by which the memory of a process may go beyond its shares: the interpreter's own, and what
the allocator cannot give back. (Without a bound this process would hold 270 MiB.)"""

STILL_TIME = 3.0
"""Seconds without growth after which memory does not grow any more."""

POLL_INTERVAL = 0.05
"""Seconds between two looks at it."""

SPACED = BusConfig(blocks=1000, spacing=3, own_blocks=200)

SUBSCRIBER = """
import asyncio, sys
from pathlib import Path
from lahja import AsyncioEndpoint, ConnectionConfig
from blockio_plugin.events import *

async def main(path, window):
    async with AsyncioEndpoint(sys.argv[2]).run() as bus:
        await bus.connect_to_endpoints(ConnectionConfig("blockio", Path(path)))
        await bus.wait_until_endpoint_subscribed_to("blockio", FetchViewsRequest)
        came = bus.stream(BlocksFetched)
        first = asyncio.ensure_future(came.__anext__())
        await asyncio.sleep(0)
        request = FetchViewsRequest(((0, 10 ** 6),), window)
        response = await bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG)
        await first
        print(response.fetch_id, flush=True)
        await asyncio.sleep(1000)

asyncio.get_event_loop().run_until_complete(main(sys.argv[1], eval(sys.argv[3])))
"""
"""Asks for everything and then acknowledges nothing."""


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bio-") as path:
        yield Path(path)


@asynccontextmanager
async def subscriber(process: BusProcess, window: object) -> AsyncIterator[Any]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", SUBSCRIBER),
        *(str(process.path), "subscriber", repr(window)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        line = await asyncio.wait_for(child.stdout.readline(), TIMEOUT)  # type: ignore
        yield child, line.decode().strip()
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


class Came:
    """What an endpoint was sent, by fetch."""

    def __init__(self, bus: AsyncioEndpoint) -> None:
        self.bus = bus
        self.blocks: List[Tuple[str, FetchedBlock]] = []
        self.completed: List[FetchCompleted] = []
        self._changed = asyncio.Event()
        bus.subscribe(BlocksFetched, self._take)
        bus.subscribe(FetchCompleted, self._end)

    def _take(self, event: BlocksFetched) -> None:
        assert all(completed.fetch_id != event.fetch_id for completed in self.completed)
        self.blocks.extend((event.fetch_id, block) for block in event.blocks)
        self._changed.set()

    def _end(self, event: FetchCompleted) -> None:
        self.completed.append(event)
        self._changed.set()

    def views(self, fetch_id: str) -> List[int]:
        return sorted(block.view for owner, block in self.blocks if owner == fetch_id)

    async def ask(self, ranges: Any, window: Any = None) -> str:
        request = FetchViewsRequest(ranges, window)
        response = await asyncio.wait_for(
            self.bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG), TIMEOUT
        )
        if response.error is not None:
            raise response.error
        return response.fetch_id

    async def wait(self, condition: Any) -> None:
        async def poll() -> None:
            while not condition():
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(poll(), TIMEOUT)

    async def wait_completed(self, count: int) -> None:
        await self.wait(lambda: len(self.completed) >= count)


async def is_open(bus: AsyncioEndpoint, fetch_id: str) -> bool:
    response = await bus.request(CheckFetchRequest(fetch_id), TO_BLOCKIO_BROADCAST_CONFIG)
    return response.is_open


async def test_blocks_come_once_and_then_the_end(directory: Path) -> None:
    chain = {block.view: block for block in SPACED.make_chain()}
    async with BusProcess.run(SPACED, directory) as process, process.connect() as bus:
        came = Came(bus)
        # The node holds the views below 599 itself.
        fetch_id = await came.ask(((500, 700), (650, 800), (2990, 2999)))
        await came.wait_completed(1)
    views = [view for view in chain if 500 <= view < 800 or 2990 <= view]
    assert came.views(fetch_id) == views
    for _, block in came.blocks:
        assert (block.hash, block.rlp) == (chain[block.view].hash, chain[block.view].rlp)
    (completed,) = came.completed
    assert completed.fetch_id == fetch_id
    parts = (*completed.empty, *completed.unproven)
    # Plain pairs, so that nothing of ours but the events is imported where they come.
    assert {type(part) for part in parts} == {tuple}
    rest = [view for part in parts for view in range(*part)]
    assert sorted(rest + views) == [*range(500, 800), *range(2990, 2999)]
    assert completed.missing == ()
    assert {view for part in completed.empty for view in range(*part)} >= set(
        range(500, 797)
    ) - set(views)


async def test_ten_overlapping_fetches(directory: Path) -> None:
    async with BusProcess.run(SPACED, directory) as process:
        async with process.connect() as bus, process.connect() as other_bus:
            mine, others = Came(bus), Came(other_bus)
            asked = {}
            for number in range(10):
                views = (number * 150, number * 150 + 1500)
                came = mine if number % 2 else others
                asked[await came.ask((views,))] = (came, views)
            await mine.wait_completed(5)
            await others.wait_completed(5)
    for fetch_id, (came, views) in asked.items():
        assert came.views(fetch_id) == [view for view in range(*views) if view % 3 == 1]
    assert len(mine.completed) == len(others.completed) == 5


async def test_views_that_nobody_holds(directory: Path) -> None:
    """Takes 10 seconds, which is what such a fetch is promised to take."""
    async with BusProcess.run(SPACED, directory) as process, process.connect() as bus:
        came = Came(bus)
        nowhere = ((10 ** 9, 10 ** 9 + 50), (2 ** 63 - 1, 2 ** 63))
        await came.ask(nowhere)
        above = await came.ask(((2990, 3005), *nowhere))
        await came.wait_completed(2)
    assert came.views(above) == [2992, 2995, 2998]
    completed = {completed.fetch_id == above: completed for completed in came.completed}
    assert completed[False].missing == nowhere
    assert completed[False].empty == completed[False].unproven == ()
    assert completed[True].missing == ((2999, 3005), *nowhere)


MALFORMED = (
    ((5, 0),),
    ((-3, 5),),
    ((0, 2 ** 63 + 1),),
    ((0, 1),) * 10 ** 6,
    [(0, 5)],
    ((0, 5, 6),),
    ("ab",),
    None,
    ((0.5, 2),),
)


async def test_malformed_requests_change_nothing(directory: Path) -> None:
    async with BusProcess.run(SPACED, directory) as process, process.connect() as bus:
        came = Came(bus)
        for ranges in MALFORMED:
            with pytest.raises(FetchRefused) as refusal:
                await came.ask(ranges)
            assert len(str(refusal.value)) < 300
        for window in (-1, "7", 10 ** 9):
            with pytest.raises(FetchRefused):
                await came.ask(((0, 5),), window)
        # What names no fetch is let go by.
        for event in (AcknowledgeBlocksCommand("x", -5), CancelFetchCommand("x")):
            await bus.broadcast(event, TO_BLOCKIO_BROADCAST_CONFIG)
        fetch_id = await came.ask(((0, 50),))
        await came.wait_completed(1)
        assert came.views(fetch_id) == [view for view in range(50) if view % 3 == 1]
        await came.ask(())
        await came.wait_completed(2)


async def test_a_cancelled_fetch_is_forgotten(directory: Path) -> None:
    config = BusConfig(blocks=2000, rate=50.0)
    async with BusProcess.run(config, directory) as process, process.connect() as bus:
        came = Came(bus)
        fetch_id = await came.ask(((1, 2001),))
        await came.wait(lambda: came.blocks)
        assert await is_open(bus, fetch_id)
        await bus.broadcast(CancelFetchCommand(fetch_id), TO_BLOCKIO_BROADCAST_CONFIG)
        second = await came.ask(((1, 101),))
        await came.wait_completed(1)
        assert came.completed[0].fetch_id == second
        assert not await is_open(bus, fetch_id)
    assert len(came.views(fetch_id)) < 2000


async def test_a_window_that_is_not_acknowledged_stops_the_fetch(directory: Path) -> None:
    config = BusConfig(blocks=5000, own_blocks=2000)
    async with BusProcess.run(config, directory) as process, process.connect() as bus:
        came = Came(bus)
        fetch_id, total = await came.ask(((1, 5001),), 100), 0
        while not came.completed:
            await came.wait(lambda: came.blocks or came.completed)
            # An answer under way may go past the window; another window never does.
            assert len(came.blocks) <= 2 * 100 + 512
            total += len(came.blocks)
            acknowledgement = AcknowledgeBlocksCommand(fetch_id, len(came.blocks))
            came.blocks.clear()
            await bus.broadcast(acknowledgement, TO_BLOCKIO_BROADCAST_CONFIG)
    assert total == 5000


@pytest.mark.parametrize("window", [None, 64])
async def test_a_subscriber_that_dies_is_forgotten(directory: Path, window: object) -> None:
    """
    One is sent more all the time, the other one soon has used up its window, so that only a probe
    finds it gone. They would share answers if they lived at once, and be sent more than asked for.
    """
    # It would take much longer than it may take to notice.
    config = BusConfig(blocks=5000, rate=50.0)
    async with BusProcess.run(config, directory) as process, process.connect() as bus:
        async with subscriber(process, window) as (child, fetch_id):
            assert await is_open(bus, fetch_id)
            child.kill()
            await child.wait()

            async def wait_forgotten() -> None:
                while await is_open(bus, fetch_id):
                    await asyncio.sleep(0.1)

            await asyncio.wait_for(wait_forgotten(), TIMEOUT)


async def test_a_subscriber_that_stands_still_harms_nobody(directory: Path) -> None:
    config = BusConfig(blocks=60000)
    async with BusProcess.run(config, directory) as process, process.connect() as bus:
        came = Came(bus)
        await came.ask(((1, 2000),))
        await came.wait_completed(1)
        async with subscriber(process, None) as (child, fetch_id):
            child.send_signal(signal.SIGSTOP)
            before = process.resident_bytes()
            second = await came.ask(((1, 30001),))
            await came.wait_completed(2)
            assert len(came.views(second)) == 30000
            status = await bus.request(GetBlockIOStatusRequest(), TO_BLOCKIO_BROADCAST_CONFIG)
            assert len(status.status.peers) == 3
            # Some 60,000 blocks of 600 bytes would be 36 MB as bytes alone.
            assert process.resident_bytes() - before < 30 * 1024 * 1024
            assert await is_open(bus, fetch_id)


GREEDY = """
import asyncio, os, signal, sys
from pathlib import Path
from lahja import AsyncioEndpoint, ConnectionConfig
from blockio_plugin.events import *

async def main(path, ranges):
    async with AsyncioEndpoint("greedy").run() as bus:
        await bus.connect_to_endpoints(ConnectionConfig("blockio", Path(path)))
        await bus.wait_until_endpoint_subscribed_to("blockio", FetchViewsRequest)
        came = []
        bus.subscribe(BlocksFetched, came.append)
        requests = [FetchViewsRequest((views,), 65536) for views in ranges]
        await asyncio.gather(
            *[bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG) for request in requests]
        )
        print(sum(len(event.blocks) for event in came), flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

asyncio.get_event_loop().run_until_complete(main(sys.argv[1], eval(sys.argv[2])))
"""
"""Asks for all ranges side by side, and acknowledges nothing."""


async def test_32_greedy_fetches_keep_to_the_memory_while_the_chain_syncs(directory: Path) -> None:
    """
    What nobody takes off the socket stays in the process. Its memory is what is measured.
    """
    each, size = 50, 100_000
    memory = MemoryBudget.divide(LEAST_MEMORY)
    config = BusConfig(
        blocks=(WORKING_FETCHES + 4) * each, extra_bytes=size, drives=True, memory=memory
    )
    ranges = [(1 + each * n, 1 + each * (n + 1)) for n in range(4, WORKING_FETCHES + 4)]
    async with BusProcess.run(config, directory) as process, process.connect() as bus:
        before = process.resident_bytes()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-c", GREEDY, str(process.path), repr(ranges)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert await asyncio.wait_for(child.stdout.readline(), TIMEOUT)  # type: ignore
            loop = asyncio.get_event_loop()
            most, head, grew_at = 0, 0, loop.time()
            while head < 2 * each or loop.time() < grew_at + STILL_TIME:
                grown = process.resident_bytes() - before
                if grown > most + MIB:
                    most, grew_at = grown, loop.time()
                response = await bus.request(
                    GetBlockIOStatusRequest(), TO_BLOCKIO_BROADCAST_CONFIG
                )
                head = response.status.head_number
                assert loop.time() < grew_at + TIMEOUT, "the sync stands still"
                await asyncio.sleep(POLL_INTERVAL)
        finally:
            child.kill()
            await child.wait()
    # All that is wanted is 160 MB for the fetches and 180 MB for the sync.
    assert most < memory.cache + memory.fetches + memory.inbox + MARGIN


async def test_a_subscriber_that_subscribes_late_misses_nothing(directory: Path) -> None:
    async with BusProcess.run(SPACED, directory) as process, process.connect() as bus:
        request = FetchViewsRequest(((0, 900),))
        response = await bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG)
        came = Came(bus)
        await came.wait_completed(1)
    assert came.views(response.fetch_id) == [view for view in range(900) if view % 3 == 1]
