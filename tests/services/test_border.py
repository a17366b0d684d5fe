import asyncio
from typing import AsyncIterator, Optional, Tuple

from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.rules.traffic import Served, Traffic
from blockio_plugin.services.abc import AnswerReceived, InboxAPI, PeerEvent, PeerJoined, PeerLeft
from blockio_plugin.services.border import CountedInbox, CountedWire
from blockio_plugin.tools.recording_wire import RecordingWire

ANSWER = BlocksByView(1, 2, 3, 0, (b"one", b"four"))

EVENTS: Tuple[PeerEvent, ...] = (
    PeerJoined("alice", "geth"),
    AnswerReceived("alice", ANSWER, 0.5),
    PeerLeft("alice", "garbage"),
)


class Inbox(InboxAPI):
    async def stream(self) -> AsyncIterator[PeerEvent]:
        for event in EVENTS:
            yield event

    @property
    def oldest_answer(self) -> Optional[float]:
        return 0.5


class HeldWire(RecordingWire):
    """Holds what it was given until it is told to let go."""

    def __init__(self) -> None:
        super().__init__()
        self.sent_all = asyncio.Event()

    async def wait_sent(self) -> None:
        await self.sent_all.wait()


async def test_what_comes_is_counted_and_passed_on() -> None:
    clock = asyncio.get_event_loop().time
    traffic, log = Traffic(clock()), PeerLog(clock())
    inbox = CountedInbox(Inbox(), traffic, log, clock)
    assert [event async for event in inbox.stream()] == list(EVENTS)
    assert inbox.oldest_answer == 0.5
    assert traffic.received_bytes.total == 7
    assert [news.text for news in log.news()] == [
        "alice joined: geth",
        "alice was dropped: garbage",
    ]


async def test_what_goes_is_counted_and_passed_on() -> None:
    clock = asyncio.get_event_loop().time
    traffic, direct, counted = Traffic(clock()), RecordingWire(), RecordingWire()
    for wire in (direct, CountedWire(counted, traffic, clock)):
        wire.send_availability("alice", Availability("number", 0, ()))
        wire.send_request("alice", GetBlocksByView(1, 2, 3, 4))
        wire.send_answer("alice", ANSWER)
        wire.drop("alice", "garbage")
    assert [sent[1:] for sent in counted.sent] == [sent[1:] for sent in direct.sent]
    assert traffic.take_served() == Served(2, 7, 1)


async def test_whoever_waits_until_all_is_sent_waits_for_the_wire_itself() -> None:
    wire = HeldWire()
    counted = CountedWire(wire, Traffic(0.0), asyncio.get_event_loop().time)
    waiting = asyncio.ensure_future(counted.wait_sent())
    await asyncio.sleep(1)
    assert not waiting.done()
    wire.sent_all.set()
    await waiting
