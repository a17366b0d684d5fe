import asyncio
import random
from typing import List, Mapping, Optional, Sequence, Tuple

from async_service import background_asyncio_service
import pytest

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.put_aside import FIRST_PAUSE, MAX_PAUSE
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead, ImporterAPI, ImportFailure, ImportResult, PeerID
from blockio_plugin.services.importer import TROUBLE_INTERVAL, Importer
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.recording_wire import RecordingWire

CHAIN = MemoryChain.of_views(range(200)).blocks

OTHERS = [
    block._replace(hash=b"other %d" % tag + block.hash[7:], rlp=b"%d" % tag + block.rlp)
    for block in (CHAIN[70], CHAIN[199])
    for tag in range(10)
]
"""Other blocks in the places of the 70th and the last one."""

IMPORT_TIME = 0.5
"""Seconds that a call takes here."""


def head_at(block: Block) -> ChainHead:
    return ChainHead(block.view, block.number, block.hash)


class TimedImporter(ImporterAPI):
    """
    Takes every block but ``invalid`` and ``stumbles_over``, the latter for no fault of theirs; the
    head is ``elsewhere`` then, where that is given.
    """

    def __init__(self) -> None:
        self.calls: List[Tuple[int, bool]] = []
        self.stumbled_at: List[Tuple[float, Block]] = []
        self.invalid: Optional[Block] = None
        self.stumbles_over: List[Block] = []
        self.elsewhere: Optional[ChainHead] = None
        self._turn = asyncio.Lock()

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        self.calls.append((len(blocks), announce))
        # One after the other, as in the one process that imports.
        async with self._turn:
            await asyncio.sleep(IMPORT_TIME)
        taken = [block for block in (*CHAIN, *OTHERS) if block.rlp in blocks]
        if self.invalid in taken:
            index = taken.index(self.invalid)
            below = CHAIN[self.invalid.number - 1]
            failure = ImportFailure(self.invalid.hash, "bad state root")
            return ImportResult(head_at(below), index, failure)
        for index, block in enumerate(taken):
            if block in self.stumbles_over:
                self.stumbled_at.append((asyncio.get_event_loop().time(), block))
                failure = ImportFailure(block.hash, "KeyError: b'x'", is_invalid=False)
                return ImportResult(head_at(CHAIN[block.number - 1]), index, failure)
        return ImportResult(self.elsewhere or head_at(taken[-1]), len(taken), None)


class Rig:
    """An importer whose fetch has blocks 1 to 199 from one peer."""

    def __init__(self) -> None:
        clock = asyncio.get_event_loop().time
        self.backend, self.wire = TimedImporter(), RecordingWire()
        self.requests = self.given = 0
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

    def supply(self, chains: Mapping[PeerID, Sequence[Block]] = {"alice": CHAIN}) -> None:
        now = asyncio.get_event_loop().time()
        self.fetch.expire(now)
        for _ in range(20):
            for request in self.fetch.plan(now):
                chain = chains[request.peer]
                blocks = [block for block in chain if block.view in request.views]
                blocks = blocks[: request.max_blocks]
                stop = request.views.stop
                if len(blocks) == request.max_blocks:
                    stop = blocks[-1].view + 1
                self.requests += 1
                self.given += len(blocks)
                covered = ViewRange(request.views.start, stop)
                self.fetch.receive(request.peer, request.request_id, covered, 0, blocks, now)
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


async def test_a_head_that_moves_while_a_block_is_refused_does_not_absolve_its_sender() -> None:
    rig = Rig()
    rig.backend.invalid = CHAIN[30]
    async with background_asyncio_service(rig.importer):
        rig.supply()
        # The next batch, which cannot go in any more, is still under way.
        await asyncio.sleep(IMPORT_TIME + 0.1)
        assert rig.importer.head == head_at(CHAIN[29])
        assert not rig.importer.is_idle(0.0)
        assert not rig.importer.notice_head(head_at(CHAIN[20]))
        await asyncio.sleep(10)
        assert [sent.peer for sent in rig.wire.sent] == ["alice"]


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


def join(rig: Rig, *peers: str) -> None:
    for peer in peers:
        rig.fetch.join(peer, 0.0)
        rig.fetch.advertise(peer, 199, (ViewRange(0, 200),), 0.0)


async def run_for(rig: Rig, seconds: float, **chains: Sequence[Block]) -> None:
    """Peers answer at once whatever they are asked, for so many seconds."""
    end = asyncio.get_event_loop().time() + seconds
    while asyncio.get_event_loop().time() < end:
        rig.supply({peer: chain for peer, chain in chains.items()})
        await asyncio.sleep(0.25)


async def test_what_fails_for_no_fault_of_its_own_is_tried_again_ever_more_seldom(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig()
    join(rig, "bob")
    rig.backend.stumbles_over = [CHAIN[70]]
    async with background_asyncio_service(rig.importer):
        await run_for(rig, 600.0, alice=CHAIN, bob=CHAIN)
        assert rig.importer.head == head_at(CHAIN[69])
        times = [time for time, _ in rig.backend.stumbled_at]
        pauses = [later - sooner for sooner, later in zip(times, times[1:])]
        # The pause, the time that two calls take, and until somebody has given it once more.
        assert pauses[:8] == [pytest.approx(2.0 ** n + 0.9, abs=0.5) for n in (*range(7), 6)]
        assert len(rig.backend.calls) < 40
        # The peers are still there, and neither is asked without end.
        assert not rig.wire.sent
        assert len(rig.fetch.peers) == 2
        lines = [record for record in caplog.records if "cannot be imported" in record.message]
        assert 8 <= len(lines) <= 600 / TROUBLE_INTERVAL + 1
        assert "block 70 (view 70, 0x00000000) cannot be imported" in lines[0].message
        assert "KeyError: b'x'" in lines[0].message
        reason = rig.importer.status(asyncio.get_event_loop().time()).idle_reason
        assert reason is not None and "block 70" in reason and "KeyError: b'x'" in reason
        # They are asked now and then, and not for what follows it.
        minutes = 10
        assert rig.requests < 20 * minutes * len(rig.fetch.peers)
        assert rig.given < 2 * len(CHAIN)

        rig.backend.stumbles_over = []
        await run_for(rig, MAX_PAUSE + 10, alice=CHAIN, bob=CHAIN)
        assert rig.importer.head == head_at(CHAIN[-1])
        assert rig.importer.status(asyncio.get_event_loop().time()).idle_reason is None


async def test_once_a_block_goes_in_all_trouble_is_forgotten() -> None:
    rig = Rig()
    async with background_asyncio_service(rig.importer):
        for number in (70, 150):
            rig.backend.stumbles_over, rig.backend.stumbled_at = [CHAIN[number]], []
            await run_for(rig, 2 * MAX_PAUSE, alice=CHAIN)
            assert rig.importer.head == head_at(CHAIN[number - 1])
            times = [time for time, _ in rig.backend.stumbled_at]
            assert times[1] - times[0] == pytest.approx(FIRST_PAUSE + 0.9, abs=0.5)


@pytest.mark.parametrize("place", [70, 199])
async def test_another_block_in_its_place_is_imported_at_once(place: int) -> None:
    """The first peers have blocks that trip us up, the last one has the right one."""
    rig = Rig()
    join(rig, *(f"bad {n}" for n in range(9)))
    rig.backend.stumbles_over = OTHERS
    wrong = [block for block in OTHERS if block.view == place]
    chains = {
        f"bad {n}": [*CHAIN[:place], wrong[n], *CHAIN[place + 1 :]] for n in range(9)
    }
    async with background_asyncio_service(rig.importer):
        await run_for(rig, 60.0, alice=CHAIN, **chains)
        assert rig.importer.head == head_at(CHAIN[-1])
        # Each was tried once, if at all.
        assert len(rig.backend.stumbled_at) <= 9
        assert len(set(rig.backend.stumbled_at)) == len(rig.backend.stumbled_at)
        assert not rig.wire.sent


async def test_one_peer_cannot_trip_us_up_again_and_again() -> None:
    """It gives another such block each time, and advertises anew to be asked at once."""
    rig = Rig()
    rig.backend.stumbles_over = OTHERS
    wrong = [block for block in OTHERS if block.view == 70]
    async with background_asyncio_service(rig.importer):
        for tick in range(1200):
            block = wrong[tick % len(wrong)]
            rig.fetch.advertise("alice", 199, (ViewRange(0, 200),), 0.0)
            rig.supply({"alice": [*CHAIN[:70], block, *CHAIN[71:]]})
            await asyncio.sleep(0.05)
        # In a minute: after pauses of 1, 2, 4, 8, 16 and 32 seconds.
        assert len(rig.backend.stumbled_at) <= 7


async def test_a_branch_that_fails_for_no_fault_of_its_own_has_its_pauses_too() -> None:
    rig = Rig()
    rig.backend.stumbles_over = [CHAIN[5]]
    results = []
    async with background_asyncio_service(rig.importer):
        for _ in range(60):
            results.append(await rig.importer.import_branch("bob", tuple(CHAIN[1:10])))
            await asyncio.sleep(1.0)
        for result in results:
            assert result.failure is not None and not result.failure.is_invalid
        assert len(rig.backend.stumbled_at) <= 7
        # Another peer's own blocks are not held up by it, and the chain's head comes of the last.
        result = await rig.importer.import_branch("carol", tuple(CHAIN[1:5]))
        assert (result.imported, result.failure) == (4, None)
        # Of hers, those up to the one that is put aside.
        result = await rig.importer.import_branch("carol", tuple(CHAIN[1:10]))
        assert result.imported == 4
        assert result.failure is not None and result.failure.block_hash == CHAIN[5].hash
        rig.backend.stumbles_over = []
        await asyncio.sleep(MAX_PAUSE)
        result = await rig.importer.import_branch("bob", tuple(CHAIN[1:10]))
        assert (result.imported, result.failure) == (9, None)
