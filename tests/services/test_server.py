import asyncio
from itertools import count
from typing import Dict, List, NamedTuple, Sequence

from async_service import background_asyncio_service
import async_solipsism
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.server import Server
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.recording_wire import RecordingWire


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Real time: the chain is read in a real thread, which virtual time would not wait for."""
    return asyncio.DefaultEventLoopPolicy()


class AnswerCounter(RecordingWire):
    """Says when so many answers went out."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self._expected = expected
        self.complete = asyncio.Event()

    def send_answer(self, peer: object, answer: BlocksByView) -> None:
        super().send_answer(peer, answer)
        if len(self.sent) == self._expected:
            self.complete.set()


async def serve(requests: List[GetBlocksByView], expected: int, *peers: str) -> RecordingWire:
    wire = AnswerCounter(expected)
    server = Server(ChainThread(MemoryChain.of_views(range(0, 100, 5))), wire)
    for peer in peers:
        for request in requests:
            server.submit(peer, request)
    async with background_asyncio_service(server):
        await asyncio.wait_for(wire.complete.wait(), 10)
    return wire


def ask(request_id: int, start: int = 0, length: int = 20) -> GetBlocksByView:
    return GetBlocksByView(request_id, start, length, max_blocks=3)


async def test_one_peers_requests_are_answered_in_order() -> None:
    wire = await serve([ask(n) for n in (5, 3, 9, 1)], 4, "alice")
    assert [sent.payload.request_id for sent in wire.sent] == [5, 3, 9, 1]


async def test_peers_take_turns() -> None:
    wire = await serve([ask(n) for n in range(3)], 6, "alice", "bob")
    assert [sent.peer for sent in wire.sent] == ["alice", "bob"] * 3


async def test_the_answer_is_that_of_the_chain() -> None:
    wire = await serve([ask(7, start=12, length=40)], 1, "alice")
    (sent,) = wire.sent
    assert sent.payload.covered == (12, 30)
    assert sent.payload.next_view == 30
    assert len(sent.payload.blocks) == 3


async def test_what_a_peer_that_left_asked_for_is_forgotten() -> None:
    wire = AnswerCounter(1)
    server = Server(ChainThread(MemoryChain.of_views(range(10))), wire)
    server.submit("alice", ask(1))
    server.leave("alice")
    server.submit("bob", ask(2))
    async with background_asyncio_service(server):
        await asyncio.wait_for(wire.complete.wait(), 10)
    assert [sent.peer for sent in wire.sent] == ["bob"]


class PromptChain(ChainThread):
    """Reads the chain at once."""

    def __init__(self) -> None:
        self._chain = MemoryChain.of_views(range(0, 100, 5))

    async def fetch_blocks(self, request: GetBlocksByView) -> BlocksByView:
        return self._chain.fetch_blocks(request)


class SlowWire(RecordingWire):
    """Lets one answer out each time it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_leave = asyncio.Semaphore(0)

    async def wait_sent(self) -> None:
        await self.may_leave.acquire()


async def test_an_answer_is_read_once_the_last_one_has_left() -> None:
    wire = SlowWire()
    server = Server(PromptChain(), wire)
    for request_id in range(5):
        server.submit("alice", ask(request_id))
    async with background_asyncio_service(server):
        for left in range(1, 5):
            while len(wire.sent) < left:
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(wire.sent) == left
            wire.may_leave.release()


async def test_declining_covers_nothing() -> None:
    wire = RecordingWire()
    server = Server(ChainThread(MemoryChain.of_views(range(10))), wire)
    server.decline("alice", ask(4, start=6))
    assert [sent.payload for sent in wire.sent] == [BlocksByView(4, 6, 0, 0, ())]


READ_TIME = 1.0
"""Seconds that a read of the chain takes in virtual time."""


class TimedChain(ChainThread):
    """Reads the chain in virtual time, in the place of a thread."""

    def __init__(self) -> None:
        self._chain = MemoryChain.of_views(range(0, 100, 5))

    async def fetch_blocks(self, request: GetBlocksByView) -> BlocksByView:
        await asyncio.sleep(READ_TIME)
        return self._chain.fetch_blocks(request)


class Turn(NamedTuple):
    """
    What a peer does: it asks, or it leaves. Then the loop goes round some times, or time passes.
    """

    peer: str
    leaves: bool
    rounds: int
    seconds: float


turns = st.lists(
    st.builds(
        Turn,
        peer=st.sampled_from("abc"),
        leaves=st.booleans(),
        rounds=st.sampled_from((0, 0, 1, 2, 3)),
        # After the longest of them all is answered, and the server waits.
        seconds=st.sampled_from((0.0, 0.0, READ_TIME / 2, 20 * READ_TIME)),
    ),
    max_size=40,
)


async def take_turns(turns: Sequence[Turn]) -> None:
    wire = RecordingWire()
    server = Server(TimedChain(), wire)
    ids = count(1)
    open_ids: Dict[str, List[int]] = {peer: [] for peer in "abc"}
    async with background_asyncio_service(server) as manager:
        for turn in turns:
            if turn.leaves:
                server.leave(turn.peer)
                open_ids[turn.peer] = []
            else:
                request = ask(next(ids))
                open_ids[turn.peer].append(request.request_id)
                server.submit(turn.peer, request)
            for _ in range(turn.rounds):
                await asyncio.sleep(0)
            if turn.seconds:
                await asyncio.sleep(turn.seconds)
        await asyncio.sleep(READ_TIME * (len(turns) + 1))
        assert manager.is_running
    for peer, asked in open_ids.items():
        answered = [sent.payload.request_id for sent in wire.sent if sent.peer == peer]
        # In order, each once; of those that it had asked before it left some, at least.
        assert answered == sorted(set(answered))
        assert [request_id for request_id in answered if request_id in asked] == asked


# They are short, and what one needs in a row is seldom.
@settings(max_examples=5 * settings().max_examples)
@given(turns)
def test_goes_on_whenever_peers_come_and_go(turns: Sequence[Turn]) -> None:
    loop = async_solipsism.EventLoop()
    try:
        loop.run_until_complete(take_turns(turns))
    finally:
        loop.close()
