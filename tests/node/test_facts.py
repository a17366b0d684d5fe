"""Facts over a real bus, and none where nobody listens."""
import asyncio
from pathlib import Path
import signal
import sys
import tempfile
from typing import Any, Callable, Iterator, List

from async_service import background_asyncio_service
from lahja import AsyncioEndpoint, BaseEvent, ConnectionConfig
import pytest

from blockio_plugin.client import fetch_views
from blockio_plugin.events import (
    AvailabilityUpdated,
    PeerScored,
    ViewsImported,
    ViewsRequested,
    ViewsTimedOut,
)
from blockio_plugin.node.facts import MAX_WAITING, BusFacts
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.tools.bus_process import BusConfig, BusProcess

TIMEOUT = 20.0
"""Seconds for anything here, most."""


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bio-") as path:
        yield Path(path)


async def test_facts_of_a_fetch(directory: Path) -> None:
    config = BusConfig(blocks=500)
    async with BusProcess.run(config, directory) as process, process.connect() as bus:
        came: List[Any] = []
        scored = asyncio.Event()
        bus.subscribe(AvailabilityUpdated, came.append)
        bus.subscribe(ViewsRequested, came.append)
        bus.subscribe(PeerScored, came.append)
        bus.subscribe(PeerScored, lambda event: scored.set())
        await process.restart(bus)
        async with fetch_views(bus, ((1, 501),)) as blocks:
            assert len([block async for block in blocks]) == 500
        await asyncio.wait_for(scored.wait(), TIMEOUT)
    adverts = [event for event in came if isinstance(event, AvailabilityUpdated)]
    assert {event.session for event in adverts} <= {"peer-0", "peer-1", "peer-2"}
    assert all((event.head_view, event.ranges) == (500, ((0, 501),)) for event in adverts)
    requests = [event for event in came if isinstance(event, ViewsRequested)]
    covered = {view for event in requests for view in range(event.start, event.stop)}
    assert covered >= set(range(2, 501))
    assert len({event.request_id for event in requests}) == len(requests)
    scores = [event for event in came if isinstance(event, PeerScored)]
    assert scores[0].score > 0 and scores[0].reason == "it supplied its first blocks"


def tell_all(facts: BusFacts, number: int) -> None:
    views = ViewRange(number, number + 1)
    facts.availability_updated("peer", number, (views,))
    facts.views_requested("peer", number, views)
    facts.views_timed_out("peer", number, views)
    facts.peer_scored("peer", 0.5, "why")
    facts.views_imported(views, 1, b"h" * 32)


class CountingEndpoint(AsyncioEndpoint):
    """Counts what is broadcast."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sent: List[BaseEvent] = []

    async def broadcast(self, item: BaseEvent, config: Any = None) -> None:
        self.sent.append(item)
        await super().broadcast(item, config)


async def wait_until(holds: Callable[[], bool]) -> None:
    """Let the others have their turns until something holds."""

    async def take_turns() -> None:
        while not holds():
            await asyncio.sleep(0)

    await asyncio.wait_for(take_turns(), TIMEOUT)


async def test_what_nobody_subscribes_to_is_not_sent(directory: Path) -> None:
    path = directory / "blockio.ipc"
    async with CountingEndpoint.serve(ConnectionConfig("blockio", path)) as ours:
        assert isinstance(ours, CountingEndpoint)
        facts = BusFacts(ours)
        async with background_asyncio_service(facts), AsyncioEndpoint("other").run() as other:
            await other.connect_to_endpoints(ConnectionConfig("blockio", path))
            for number in range(100):
                tell_all(facts, number)
            imported = other.stream(ViewsImported)
            first = asyncio.ensure_future(imported.__anext__())
            await wait_until(lambda: "other" in facts._listeners)
            # Nothing was sent before, or it would come first.
            tell_all(facts, 7)
            event = await asyncio.wait_for(first, TIMEOUT)
            assert (event.start, event.stop, event.blocks) == (7, 8, 1)
            assert [type(event) for event in ours.sent] == [ViewsImported]


FROZEN = """
import asyncio, sys
from pathlib import Path
from lahja import AsyncioEndpoint, ConnectionConfig
from blockio_plugin.events import ViewsTimedOut

async def main(path):
    async with AsyncioEndpoint("frozen").run() as bus:
        bus.subscribe(ViewsTimedOut, print)
        await bus.connect_to_endpoints(ConnectionConfig("blockio", Path(path)))
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.get_event_loop().run_until_complete(main(sys.argv[1]))
"""


async def test_one_that_takes_nothing_does_not_hold_up_the_others(directory: Path) -> None:
    path = directory / "blockio.ipc"
    async with CountingEndpoint.serve(ConnectionConfig("blockio", path)) as ours:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-c", FROZEN, str(path)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert child.stdout is not None
            await asyncio.wait_for(child.stdout.readline(), TIMEOUT)
            await ours.wait_until_endpoint_subscribed_to("frozen", ViewsTimedOut)
            child.send_signal(signal.SIGSTOP)
            facts = BusFacts(ours)
            async with background_asyncio_service(facts), AsyncioEndpoint("other").run() as other:
                came: List[ViewsTimedOut] = []
                done = asyncio.Event()

                def take(event: ViewsTimedOut) -> None:
                    came.append(event)
                    if event.request_id == 19999:
                        done.set()

                other.subscribe(ViewsTimedOut, take)
                await other.connect_to_endpoints(ConnectionConfig("blockio", path))
                await wait_until(lambda: {"frozen", "other"} == facts._listeners.keys())
                for number in range(20000):
                    facts.views_timed_out("peer", number, ViewRange(number, number + 1))
                    if number % 100 == 99:
                        await wait_until(lambda: not facts._listeners["other"].waiting)
                await asyncio.wait_for(done.wait(), TIMEOUT)
                assert len(came) == 20000
                waiting = [len(listener.waiting) for listener in facts._listeners.values()]
                assert max(waiting) == MAX_WAITING
        finally:
            child.kill()
            await child.wait()
