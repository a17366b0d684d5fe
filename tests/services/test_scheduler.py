import asyncio
import random
from typing import List, Set

from async_service import background_asyncio_service

from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.lateness import SILENT_LINK_TIME
from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.event_queue import EventQueue
from blockio_plugin.services.scheduler import Scheduler
from blockio_plugin.tools.recording_wire import RecordingWire


def make_fetch() -> Fetch:
    return Fetch(front=Front(1, bytes(32)), limits=Limits(), random=random.Random(1))


def requests(wire: RecordingWire) -> List[GetBlocksByView]:
    return [sent.payload for sent in wire.sent if isinstance(sent.payload, GetBlocksByView)]


async def test_what_is_wanted_is_asked_for_when_woken() -> None:
    fetch, wire = make_fetch(), RecordingWire()
    scheduler = Scheduler(fetch, EventQueue(), wire, asyncio.get_event_loop().time)
    async with background_asyncio_service(scheduler):
        await asyncio.sleep(0.1)
        assert wire.sent == []
        fetch.join("alice", 0.1)
        fetch.advertise("alice", 50, (ViewRange(0, 51),), 0.1)
        fetch.set_target(51)
        scheduler.wake()
        await asyncio.sleep(0.01)
    asked = requests(wire)
    assert {sent.peer for sent in wire.sent} == {"alice"}
    assert asked[0].start_view == 1
    covered: Set[int] = set()
    for request in asked:
        assert not covered & set(range(*request.views)), "views in flight are left out"
        covered |= set(range(*request.views))
    assert covered <= set(range(1, 51))


async def test_a_silent_peer_is_routed_around() -> None:
    fetch, wire = make_fetch(), RecordingWire()
    for peer in ("silent", "other"):
        fetch.join(peer, 0.0)
    fetch.advertise("silent", 50, (ViewRange(0, 51),), 0.0)
    fetch.set_target(51)
    scheduler = Scheduler(fetch, EventQueue(), wire, asyncio.get_event_loop().time)
    async with background_asyncio_service(scheduler):
        await asyncio.sleep(1)
        assert {sent.peer for sent in wire.sent} == {"silent"}
        first = {request.start_view for request in requests(wire)}
        fetch.advertise("other", 50, (ViewRange(0, 51),), 1.0)
        scheduler.wake()
        # Nobody has answered anything yet, so it may be our own link.
        await asyncio.sleep(SILENT_LINK_TIME + 10)
    assert first & {
        sent.payload.start_view
        for sent in wire.sent
        if sent.peer == "other" and isinstance(sent.payload, GetBlocksByView)
    }


async def test_nothing_is_sent_twice_without_a_reason() -> None:
    fetch, wire = make_fetch(), RecordingWire()
    fetch.join("alice", 0.0)
    fetch.advertise("alice", 50, (ViewRange(0, 51),), 0.0)
    fetch.set_target(51)
    scheduler = Scheduler(fetch, EventQueue(), wire, asyncio.get_event_loop().time)
    async with background_asyncio_service(scheduler):
        for _ in range(100):
            scheduler.wake()
            await asyncio.sleep(0.01)
    ids = [request.request_id for request in requests(wire)]
    assert len(ids) == len(set(ids))
    assert len(ids) < 10
