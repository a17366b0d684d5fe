import asyncio
from contextlib import asynccontextmanager
from typing import AsyncIterator, List, Optional, Tuple

from async_service import background_asyncio_service

from blockio_plugin.rules.branches import Branches, Position
from blockio_plugin.rules.head_number import NEAR_VIEWS, HeadNumber, Sounding
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead
from blockio_plugin.services.peer_requests import PeerRequests
from blockio_plugin.services.sounder import SOUND_INTERVAL, Sounder
from blockio_plugin.tools.encoded_chain import encode_chain
from blockio_plugin.tools.recording_wire import RecordingWire

HEAD = ChainHead(0, 0, bytes(32))

CHAIN = encode_chain(list(range(1, 400, 3)))
"""The block at view 1 has number 1, that at view 4 number 2, and so on."""


class Scene:
    """A node at genesis, and peers that a test plays."""

    def __init__(self) -> None:
        clock = asyncio.get_event_loop().time
        self.wire, self.peers, self.branches = RecordingWire(), PeerBook(), Branches()
        self.heads, self.numbers = Heads(BELIEF_TIME), HeadNumber()
        self.heads.note_own(0, clock())
        self.requests = PeerRequests(self.wire)
        self.sounder = Sounder(
            self.numbers,
            self.heads,
            self.branches,
            self.peers,
            self.requests,
            lambda: HEAD,
            clock,
        )

    def join(self, peer: str, head_view: int) -> None:
        self.peers.join(peer)
        self.requests.join(peer)
        ranges = (ViewRange(0, head_view + 1),)
        self.peers.availability.advertise(peer, head_view, ranges)
        self.branches.advertise(peer, head_view)
        self.heads.advertise(peer, head_view, asyncio.get_event_loop().time())

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        async with background_asyncio_service(self.sounder):
            yield

    def asked(self) -> List[Tuple[object, GetBlocksByView]]:
        return [
            (sent.peer, sent.payload)
            for sent in self.wire.sent
            if isinstance(sent.payload, GetBlocksByView)
        ]

    async def answer(self, view: Optional[int]) -> None:
        """Let the peer that was asked last give the block at ``view``, or decline."""
        peer, request = self.asked()[-1]
        blocks = [block for block in CHAIN if block.view == view]
        rlps = tuple(block.rlp for block in blocks)
        length = 0 if view is None else 1
        answer = BlocksByView(request.request_id, request.start_view, length, 0, rlps)
        self.requests.take(peer, answer, blocks)
        await asyncio.sleep(0.01)


async def test_the_block_at_the_target_is_asked_for_once() -> None:
    scene = Scene()
    scene.join("alice", 397)
    async with scene.run():
        await asyncio.sleep(SOUND_INTERVAL + 0.1)
        ((peer, request),) = scene.asked()
        assert peer == "alice" and request.views == (397, 398) and request.max_blocks == 1
        await scene.answer(397)
        assert scene.numbers.estimate(397, Sounding(0, 0)) == 133
        await asyncio.sleep(20 * SOUND_INTERVAL)
        assert len(scene.asked()) == 1


async def test_who_declines_or_is_silent_is_followed_by_others() -> None:
    scene = Scene()
    for peer in ("alice", "bob"):
        scene.join(peer, 397)
    async with scene.run():
        await asyncio.sleep(SOUND_INTERVAL + 0.1)
        await scene.answer(None)
        await asyncio.sleep(6 * SOUND_INTERVAL)
    assert {peer for peer, _ in scene.asked()} == {"alice", "bob"}
    assert len(scene.asked()) <= 7


async def test_who_is_on_another_branch_is_not_asked() -> None:
    scene = Scene()
    scene.join("alice", 397)
    scene.branches.settle("alice", Position(0, 0, bytes(32)))
    async with scene.run():
        await asyncio.sleep(5 * SOUND_INTERVAL)
    assert scene.asked() == []


async def test_near_the_target_nobody_is_asked() -> None:
    scene = Scene()
    scene.join("alice", NEAR_VIEWS)
    async with scene.run():
        await asyncio.sleep(5 * SOUND_INTERVAL)
    assert scene.asked() == []
