import asyncio
import random
from typing import List, Optional, Tuple

from async_service import background_asyncio_service

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead, ImporterAPI, ImportFailure, ImportResult
from blockio_plugin.services.importer import Importer
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.recording_wire import RecordingWire

CHAIN = MemoryChain.of_views(range(200)).blocks

IMPORT_TIME = 0.5
"""Seconds that a call takes here."""


def head_at(block: Block) -> ChainHead:
    return ChainHead(block.view, block.number, block.hash)


class TimedImporter(ImporterAPI):
    """Takes every block but ``invalid``; the head is ``elsewhere`` then, where that is given."""

    def __init__(self) -> None:
        self.calls: List[Tuple[int, bool]] = []
        self.invalid: Optional[Block] = None
        self.elsewhere: Optional[ChainHead] = None

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        self.calls.append((len(blocks), announce))
        await asyncio.sleep(IMPORT_TIME)
        taken = [block for block in CHAIN if block.rlp in blocks]
        if self.invalid in taken:
            index = taken.index(self.invalid)
            below = CHAIN[self.invalid.number - 1]
            failure = ImportFailure(self.invalid.hash, "bad state root")
            return ImportResult(head_at(below), index, failure)
        return ImportResult(self.elsewhere or head_at(taken[-1]), len(taken), None)


class Rig:
    """An importer whose fetch has blocks 1 to 199 from one peer."""

    def __init__(self) -> None:
        clock = asyncio.get_event_loop().time
        self.backend, self.wire = TimedImporter(), RecordingWire()
        self.fetch = Fetch(
            front=Front(1, CHAIN[0].hash), limits=Limits(), random=random.Random(1)
        )
        self.fetch.join("alice", 0.0)
        self.fetch.advertise("alice", 199, (ViewRange(0, 200),), 0.0)
        self.fetch.set_target(200)
        self.heads = Heads(BELIEF_TIME)
        self.heads.advertise("alice", 199, 0.0)
        self.importer = Importer(
            self.fetch,
            self.backend,
            self.wire,
            head_at(CHAIN[0]),
            self.heads,
            lambda imported: None,
            clock,
        )

    def supply(self) -> None:
        now = asyncio.get_event_loop().time()
        for _ in range(20):
            for request in self.fetch.plan(now):
                blocks = [block for block in CHAIN if block.view in request.views]
                blocks = blocks[: request.max_blocks]
                stop = request.views.stop
                if len(blocks) == request.max_blocks:
                    stop = blocks[-1].view + 1
                covered = ViewRange(request.views.start, stop)
                self.fetch.receive("alice", request.request_id, covered, 0, blocks, now)
        self.importer.wake()


async def test_imports_in_bounded_batches_and_announces_the_last() -> None:
    rig = Rig()
    async with background_asyncio_service(rig.importer):
        rig.supply()
        await asyncio.sleep(0)
        assert not rig.importer.is_idle(0.0)
        await asyncio.sleep(10)
        assert rig.importer.head == head_at(CHAIN[-1])
        assert sum(blocks for blocks, _ in rig.backend.calls) == 199
        assert [announce for _, announce in rig.backend.calls][:-1].count(True) == 0
        assert rig.backend.calls[-1][1]
        assert rig.importer.is_idle(1.0)
        assert not rig.importer.is_idle(60.0)


async def test_a_head_that_nobody_gives_does_not_keep_blocks_from_being_announced() -> None:
    rig = Rig()
    rig.heads.advertise("alice", 198, 0.0)
    rig.fetch.set_target(199)
    rig.heads.advertise("liar", 10 ** 6, 0.0)
    async with background_asyncio_service(rig.importer):
        rig.supply()
        await asyncio.sleep(10 + BELIEF_TIME)
        assert rig.importer.head == head_at(CHAIN[-2])
        rig.heads.advertise("alice", 199, asyncio.get_event_loop().time())
        rig.fetch.set_target(200)
        rig.supply()
        await asyncio.sleep(10)
        assert rig.importer.head == head_at(CHAIN[-1])
        assert [announce for _, announce in rig.backend.calls].count(True) == 1
        assert rig.backend.calls[-1][1]


async def test_while_blocks_come_that_others_have_not_there_is_more() -> None:
    rig = Rig()
    rig.heads.advertise("alice", 300, 0.0)
    rig.heads.advertise("bob", 0, 0.0)
    async with background_asyncio_service(rig.importer):
        await asyncio.sleep(BELIEF_TIME)
        assert rig.heads.is_reached(0, asyncio.get_event_loop().time())
        rig.supply()
        await asyncio.sleep(10)
        assert not rig.heads.is_reached(199, asyncio.get_event_loop().time())


async def test_goes_on_from_the_head_where_another_branch_won_meanwhile() -> None:
    rig = Rig()
    rig.backend.elsewhere = ChainHead(150, 150, b"other" + bytes(27))
    async with background_asyncio_service(rig.importer):
        rig.supply()
        await asyncio.sleep(10)
        assert rig.importer.head == rig.backend.elsewhere
        assert rig.fetch.status(0.0).front_view == 151


async def test_who_sent_an_invalid_block_is_dropped() -> None:
    rig = Rig()
    rig.backend.invalid = CHAIN[70]
    async with background_asyncio_service(rig.importer):
        rig.supply()
        await asyncio.sleep(10)
        assert rig.importer.head == head_at(CHAIN[69])
        (sent,) = rig.wire.sent
        assert (sent.peer, sent.payload) == (
            "alice",
            "its block 70 (view 70) is invalid: bad state root",
        )


async def test_notices_a_head_that_others_moved_unless_busy() -> None:
    rig = Rig()
    moved = head_at(CHAIN[10])
    assert rig.importer.notice_head(moved)
    assert not rig.importer.notice_head(moved)
    assert rig.fetch.status(0.0).front_view == 11
    async with background_asyncio_service(rig.importer):
        rig.supply()
        await asyncio.sleep(IMPORT_TIME / 2)
        assert not rig.importer.notice_head(head_at(CHAIN[12]))
