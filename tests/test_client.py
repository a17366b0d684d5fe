"""The client against block I/O in another process."""
import asyncio
import os
from pathlib import Path
import signal
import tempfile
from typing import Iterator, List

from lahja import AsyncioEndpoint, BaseEvent
import pytest

from blockio_plugin import client
from blockio_plugin.client import BlockIOUnavailable, fetch_views
from blockio_plugin.events import (
    TO_BLOCKIO_BROADCAST_CONFIG,
    BlocksFetched,
    CheckFetchRequest,
    FetchCompleted,
    FetchRefused,
    FetchViewsResponse,
)
from blockio_plugin.tools.bus_process import BusConfig, BusProcess

CONFIG = BusConfig(blocks=2000, spacing=2, own_blocks=300)

SLOW = BusConfig(blocks=5000, rate=50.0)
"""Takes half a minute, so that something can happen meanwhile."""

TIMEOUT = 20.0
"""Seconds for anything here, most."""


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bio-") as path:
        yield Path(path)


async def test_all_blocks_and_the_completion(directory: Path) -> None:
    async with BusProcess.run(CONFIG, directory) as process, process.connect() as bus:
        async with fetch_views(bus, ((0, 1000), (1500, 1600))) as blocks:
            with pytest.raises(RuntimeError):
                blocks.completion
            views = [block.view async for block in blocks]
            assert [block async for block in blocks] == []
        assert sorted(views) == [*range(1, 1000, 2), *range(1501, 1600, 2)]
        assert blocks.completion.missing == ()
        assert sum(stop - start for start, stop in blocks.completion.empty) >= 540


async def test_fetches_side_by_side_do_not_mix(directory: Path) -> None:
    async with BusProcess.run(CONFIG, directory) as process, process.connect() as bus:

        async def fetch(start: int) -> List[int]:
            async with fetch_views(bus, ((start, start + 500),)) as blocks:
                return sorted([block.view async for block in blocks])

        starts = range(0, 1000, 100)
        fetched = await asyncio.wait_for(asyncio.gather(*map(fetch, starts)), TIMEOUT)
    for start, views in zip(starts, fetched):
        assert views == list(range(start + 1, start + 500, 2))


async def test_malformed_ranges_are_refused(directory: Path) -> None:
    async with BusProcess.run(CONFIG, directory) as process, process.connect() as bus:
        with pytest.raises(FetchRefused, match="not 0 <= start < stop"):
            async with fetch_views(bus, ((5, 1),)):
                raise AssertionError("it was taken")


async def test_a_slow_consumer_is_sent_no_more_than_its_window(directory: Path) -> None:
    async with BusProcess.run(CONFIG, directory) as process, process.connect() as bus:
        async with fetch_views(bus, ((0, 4000),), window=50) as blocks:
            views = []
            async for block in blocks:
                views.append(block.view)
                if len(views) % 400 == 1:
                    # All that the window lets through has come by the time another fetch is over.
                    async with fetch_views(bus, ((0, 1000),)) as others:
                        assert len([block async for block in others]) == 500
                    waiting = sum(len(getattr(event, "blocks", ())) for event in blocks._events)
                    assert 0 < waiting + len(blocks._blocks) <= 2 * 50 + 512
        assert sorted(views) == list(range(1, 4000, 2))


async def test_leaving_early_cancels(directory: Path) -> None:
    async with BusProcess.run(SLOW, directory) as process, process.connect() as bus:
        async with fetch_views(bus, ((0, 5000),)) as blocks:
            await asyncio.wait_for(blocks.__anext__(), TIMEOUT)
            request = CheckFetchRequest(str(blocks._fetch_id))
            assert (await bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG)).is_open
        request = CheckFetchRequest(str(blocks._fetch_id))
        assert not (await bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG)).is_open


async def test_block_io_that_is_not_there() -> None:
    async with AsyncioEndpoint("client").run() as bus:
        with pytest.raises(BlockIOUnavailable, match="--enable-blockio"):
            async with fetch_views(bus, ((0, 10),), start_timeout=0.2):
                raise AssertionError("it was there")


async def test_a_plugin_that_starts_during_a_restart(directory: Path) -> None:
    async with BusProcess.run(CONFIG, directory) as process, process.connect() as bus:
        await process.go_down(bus)

        async def fetch() -> int:
            async with fetch_views(bus, ((0, 1000),)) as blocks:
                return len([block async for block in blocks])

        fetching = asyncio.ensure_future(fetch())
        # It subscribes to what follows before it waits for block I/O.
        while not bus.is_endpoint_subscribed_to(bus.name, BlocksFetched):
            await bus.wait_until_endpoint_subscriptions_change()
        assert not fetching.done()
        process.come_up()
        assert await asyncio.wait_for(fetching, TIMEOUT) == 500


async def test_block_io_that_goes_down_ends_a_fetch_and_the_next_one_works(
    directory: Path,
) -> None:
    async with BusProcess.run(SLOW, directory) as process, process.connect() as bus:
        with pytest.raises(BlockIOUnavailable, match="went down"):
            async with fetch_views(bus, ((0, 5000),)) as blocks:
                async for block in blocks:
                    if not block.view % 64:
                        await process.go_down(bus)
                        break
                async for block in blocks:
                    pass
        process.come_up()
        async with fetch_views(bus, ((0, 100),)) as blocks:
            assert len([block async for block in blocks]) == 99


async def test_a_restart_between_two_looks_ends_a_fetch(directory: Path) -> None:
    async with BusProcess.run(SLOW, directory) as process, process.connect() as bus:
        with pytest.raises(BlockIOUnavailable, match="was restarted"):
            async with fetch_views(bus, ((0, 5000),)) as blocks:
                await asyncio.wait_for(blocks.__anext__(), TIMEOUT)
                await process.restart(bus)
                async for _ in blocks:
                    pass


async def test_a_fetch_whose_name_comes_too_late_is_cancelled(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_TIMEOUT", 0.3)

    def ignore(event: BaseEvent) -> None:
        pass

    async with BusProcess.run(SLOW, directory) as process, process.connect() as bus:
        begun: List[FetchViewsResponse] = []
        bus.subscribe(FetchViewsResponse, begun.append)
        # Otherwise it would be forgotten for want of a subscriber.
        for kind in (BlocksFetched, FetchCompleted):
            bus.subscribe(kind, ignore)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(BlockIOUnavailable, match="did not answer"):
            async with fetch_views(bus, ((0, 5000),)):
                raise AssertionError("it was answered")
        os.kill(process.pid, signal.SIGCONT)

        async def wait_cancelled() -> None:
            while not begun or (
                await bus.request(
                    CheckFetchRequest(begun[0].fetch_id), TO_BLOCKIO_BROADCAST_CONFIG
                )
            ).is_open:
                await asyncio.sleep(0.05)

        await asyncio.wait_for(wait_cancelled(), TIMEOUT)


async def test_a_process_that_dies_ends_a_fetch(directory: Path) -> None:
    async with BusProcess.run(SLOW, directory) as process, process.connect() as bus:
        async def consume() -> None:
            async with fetch_views(bus, ((0, 5000),)) as blocks:
                await blocks.__anext__()
                await process.kill()
                async for _ in blocks:
                    pass

        with pytest.raises(BlockIOUnavailable):
            await asyncio.wait_for(consume(), TIMEOUT)
