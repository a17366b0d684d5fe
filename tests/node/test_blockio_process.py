"""Chains with branches, followed by block I/O over real databases and real execution."""
import asyncio
from contextlib import AsyncExitStack
import random
from typing import Any, Iterator

from eth.abc import BlockAPI
from eth.chains.base import Chain
from eth.db.chain import ChainDB
from eth.exceptions import HeaderNotFound
import pytest
import rlp

from blockio_plugin.rules.branches import LOOK_INTERVAL
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services import branch_follower
from blockio_plugin.services.abc import PeerID
from blockio_plugin.tools.branching import FAST, SLOW, Grow, branch_grower, import_branches
from blockio_plugin.tools.chain_builder import Recipe
from blockio_plugin.tools.memory_network import MemoryNetwork, MemoryNode
from blockio_plugin.tools.virtual_time import VirtualTimePolicy

TIMEOUT = 20.0
"""Seconds for a reorganisation, most. They are virtual, as all seconds here."""


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTimePolicy()


@pytest.fixture(scope="module")
def grow(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grow]:
    yield branch_grower(recipe, tmp_path_factory.mktemp("branches"))
    import_branches.cache_clear()


SCHEMES = ("number", "slot:1")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("depth", [1, 10, 200])
async def test_a_branch_of_more_difficulty_wins(
    grow: Grow, scheme: str, depth: int
) -> None:
    branches = grow(20, (depth, SLOW), (depth + 1, FAST))
    best = branches.head(0, 1)
    assert best == branches.head(1)
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, scheme)
        ours = await network.add("ours", branches.import_all(0))
        theirs = await network.add("theirs", branches.import_all(1))
        ours.connect(theirs)
        await ours.wait_for(best, TIMEOUT)
        assert theirs.fetch_head().hash == best
        assert ours.dropped == theirs.dropped == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("excess", [1, 3])
async def test_a_longer_branch_of_less_difficulty_loses(
    grow: Grow, scheme: str, excess: int
) -> None:
    branches = grow(5, (10, FAST), (10 + excess, SLOW))
    best = branches.head(0)
    assert branches.head(0, 1) == branches.head(1, 0) == best
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, scheme)
        ours = await network.add("ours", branches.import_all(0))
        both = await network.add("both", branches.import_all(0, 1))
        theirs = await network.add("theirs", branches.import_all(1))
        ours.connect(theirs)
        both.connect(theirs)
        # The one of less difficulty comes over to the shorter branch, the others stay.
        await theirs.wait_for(best, TIMEOUT)
        assert ours.fetch_head().hash == both.fetch_head().hash == best
        # Two hold both branches now, or all three. The one that won goes on.
        grown = grow(5, (20, FAST), (10 + excess, SLOW))
        assert grown.tops[0][:10] == branches.tops[0]
        third = await network.add("third", grown.import_all(0))
        for node in (ours, both, theirs):
            node.connect(third)
        for node in (ours, both, theirs):
            await node.wait_for(grown.head(0), TIMEOUT)
            assert node.dropped == []
        assert third.dropped == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_database_that_py_evm_has_left_stuck_is_gone_on_with(
    grow: Grow, scheme: str
) -> None:
    branches = grow(5, (12, FAST), (12, SLOW))
    short = branches._replace(tops=(branches.tops[0][:10], branches.tops[1]))
    db = short.import_all()
    chain = branches.config.full_chain_class(db)
    block_class = chain.get_vm_class_for_block_number(1).get_block_class()
    for encoded in (*short.blocks(0), *short.tops[1]):
        chain.import_block(rlp.decode(encoded, sedes=block_class))
    with pytest.raises(HeaderNotFound):
        chain.import_block(rlp.decode(branches.tops[0][10], sedes=block_class))
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, scheme)
        ours = await network.add("ours", db)
        theirs = await network.add("theirs", branches.import_all(0))
        ours.connect(theirs)
        await ours.wait_for(branches.head(0), TIMEOUT)
        assert ours.dropped == theirs.dropped == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("trunk", [0, 100])
async def test_a_fresh_node_between_branches(
    grow: Grow, scheme: str, trunk: int
) -> None:
    branches = grow(trunk, (150, SLOW), (140, FAST))
    best = branches.head(1)
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, scheme)
        fresh = await network.add("fresh", branches.import_all())
        for name, index in (("a1", 0), ("b", 1), ("a2", 0)):
            fresh.connect(await network.add(name, branches.import_all(index)))
        await fresh.wait_for(best, TIMEOUT)
        assert fresh.dropped == []


async def test_there_and_back_again(grow: Grow) -> None:
    branches = grow(5, (12, FAST), (8, FAST), (16, FAST))
    second = branches._replace(tops=(branches.tops[0], branches.tops[1], branches.tops[0]))
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        # From a branch of 6 to one of 8 blocks, and back to the first one when it has 12.
        short = branches._replace(tops=(branches.tops[0][:6],))
        ours = await network.add("ours", short.import_all(0))
        theirs = await network.add("theirs", branches.import_all(1))
        ours.connect(theirs)
        await ours.wait_for(branches.head(1), TIMEOUT)
        third = await network.add("third", second.import_all(0))
        ours.connect(third)
        await ours.wait_for(branches.head(0), TIMEOUT)
        await theirs.wait_for(branches.head(0), TIMEOUT)
        assert ours.dropped == theirs.dropped == third.dropped == []


async def test_of_equal_difficulty_the_first_stays(grow: Grow) -> None:
    branches = grow(5, (3, FAST), (3, FAST))
    heads = [branches.head(0), branches.head(1)]
    assert branches.head(0, 1) == heads[0] != heads[1] == branches.head(1, 0)
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        ours = await network.add("ours", branches.import_all(0))
        theirs = await network.add("theirs", branches.import_all(1))
        ours.connect(theirs)
        grown = grow(5, (3, FAST), (5, FAST))
        assert grown.tops[0] == branches.tops[0]
        third = await network.add("third", grown.import_all(1))
        await asyncio.sleep(0)
        assert [ours.fetch_head().hash, theirs.fetch_head().hash] == heads
        # Both were compared by now or are later; two more blocks decide between them.
        ours.connect(third)
        await ours.wait_for(grown.head(1), TIMEOUT)
        await theirs.wait_for(grown.head(1), TIMEOUT)
        assert ours.dropped == theirs.dropped == []


async def test_a_branch_that_lost_is_imported_once(grow: Grow) -> None:
    branches = grow(5, (3, FAST), (3, FAST))
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        ours = await network.add("ours", branches.import_all(0))
        theirs = await network.add("theirs", branches.import_all(1))
        ours.connect(theirs)

        async def import_their_branch() -> None:
            while ours.given < 3:
                await asyncio.sleep(0.02)

        await asyncio.wait_for(import_their_branch(), TIMEOUT)
        requests = theirs.asked
        advert = Availability("number", 8, (ViewRange(0, 9),))
        for _ in range(3):
            # As often as it looks.
            await asyncio.sleep(LOOK_INTERVAL)
            theirs.send_availability("ours", advert)
        await asyncio.sleep(LOOK_INTERVAL)
        # It was looked at again, and found to be stored.
        assert theirs.asked > requests
        assert ours.given == 3
        assert ours.fetch_head().hash == branches.head(0)


class Liar(MemoryNode):
    """Serves its chain with one block exchanged for an invalid one of the same parent."""

    bad: bytes = b""
    number = 0

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        blocks = tuple(
            self.bad if rlp.decode(block)[0][8] == rlp.encode(self.number) else block
            for block in answer.blocks
        )
        super().send_answer(peer, answer._replace(blocks=blocks))


def spoil(block: bytes) -> bytes:
    """The block with another state root."""
    header, transactions, uncles = rlp.decode(block)
    header[3] = b"\1" * 32
    return rlp.encode([header, transactions, uncles])


@pytest.mark.parametrize("number", [1, 2, 64, 65, 99, 100])
async def test_who_sends_an_invalid_block_is_dropped(
    grow: Grow, number: int
) -> None:
    branches = grow(0, (100, FAST))
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        fresh = await network.add("fresh", branches.import_all())
        liar = await network.add("liar", branches.import_all(0), Liar)
        liar.bad, liar.number = spoil(branches.blocks(0)[number - 1]), number
        fresh.connect(liar)
        await asyncio.wait_for(fresh.wait_dropped("liar"), TIMEOUT)
        assert "invalid" in fresh.dropped[0][1]
        assert fresh.fetch_head().number == number - 1
        honest = await network.add("honest", branches.import_all(0))
        fresh.connect(honest)
        await fresh.wait_for(branches.head(0), TIMEOUT)
        assert [peer for peer, _ in fresh.dropped] == ["liar"]


@pytest.mark.parametrize("number", [6, 10, 15])
async def test_an_invalid_block_on_a_branch(grow: Grow, number: int) -> None:
    branches = grow(5, (5, SLOW), (12, FAST))
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        ours = await network.add("ours", branches.import_all(0))
        liar = await network.add("liar", branches.import_all(1), Liar)
        liar.bad, liar.number = spoil(branches.blocks(1)[number - 1]), number
        ours.connect(liar)
        await asyncio.wait_for(ours.wait_dropped("liar"), TIMEOUT)
        honest = await network.add("honest", branches.import_all(1))
        ours.connect(honest)
        await ours.wait_for(branches.head(1), TIMEOUT)
        assert {peer for peer, _ in ours.dropped} == {"liar"}


@pytest.mark.parametrize("number", [1, 64, 65, 100])
async def test_what_trips_us_up_does_not_keep_the_right_block_from_us(
    grow: Grow, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """py-evm fails on the one of the first peer, as it has on some, and as it does not say why."""
    branches = grow(0, (100, FAST))
    good = branches.blocks(0)[number - 1]
    bad = spoil(good)
    real = Chain.import_block

    def import_block(chain: Chain, block: BlockAPI, perform_validation: bool = True) -> Any:
        if rlp.encode(block) == bad:
            raise TypeError("int() takes at most 2 arguments (3 given)")
        return real(chain, block, perform_validation)

    monkeypatch.setattr(Chain, "import_block", import_block)
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        fresh = await network.add("fresh", branches.import_all())
        tripper = await network.add("tripper", branches.import_all(0), Liar)
        tripper.bad, tripper.number = bad, number
        fresh.connect(tripper)

        async def stumble() -> None:
            while fresh.fetch_head().number < number - 1 or fresh.given < number:
                await asyncio.sleep(0.02)

        await asyncio.wait_for(stumble(), TIMEOUT)
        honest = await network.add("honest", branches.import_all(0))
        fresh.connect(honest)
        await fresh.wait_for(branches.head(0), TIMEOUT)
        assert fresh.dropped == tripper.dropped == honest.dropped == []


async def test_nobody_is_blamed_for_state_that_we_lack(
    grow: Grow, caplog: pytest.LogCaptureFixture
) -> None:
    branches = grow(0, (100, FAST))
    db = branches._replace(tops=(branches.tops[0][:60],)).import_all(0)
    root = ChainDB(db).get_canonical_head().state_root
    node = db.pop(root)
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        ours = await network.add("ours", db)
        for name in ("alice", "bob"):
            ours.connect(await network.add(name, branches.import_all(0)))

        async def complain() -> None:
            while root.hex() not in caplog.text:
                await asyncio.sleep(0.02)

        await asyncio.wait_for(complain(), TIMEOUT)
        assert ours.fetch_head().number == 60
        # It was lost on the way, say, and is brought back by hand.
        db[root] = node
        await ours.wait_for(branches.head(0), TIMEOUT)
        assert ours.dropped == []
    assert caplog.text.count("cannot be imported") == 1


async def test_serves_on_whenever_those_who_ask_leave(grow: Grow) -> None:
    branches = grow(0, (100, FAST))
    chance = random.Random(1)
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        server = await network.add("server", branches.import_all(0))
        asker = await network.add("asker", branches.import_all())
        for _ in range(100):
            asker.connect(server)
            for request_id in range(1, chance.randrange(2, 5)):
                asker.send_request("server", GetBlocksByView(request_id, 1, 20, 20))
            # Between none and all of them are answered by then.
            for _ in range(chance.choice((0, 1, 2, 3, 5, 50))):
                await asyncio.sleep(0)
            asker.disconnect("server")
        fresh = await network.add("fresh", branches.import_all())
        fresh.connect(server)
        await fresh.wait_for(branches.head(0), TIMEOUT)


class Dripper(MemoryNode):
    """Above some view it has nothing, and says so for one view at a time."""

    above = 0
    head_view = 8

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        ranges = (ViewRange(0, self.head_view + 1),)
        super().send_availability(peer, advert._replace(head_view=self.head_view, ranges=ranges))

    async def wait_asked(self, times: int) -> None:
        while self.asked < times:
            await asyncio.sleep(0.02)

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        if answer.start_view > self.above:
            answer = answer._replace(length=1, next_view=0, blocks=())
        super().send_answer(peer, answer)


@pytest.mark.parametrize("branch, above", [(0, 5), (2, 6)], ids=["ours", "another"])
async def test_who_answers_with_nothing_does_not_hide_a_better_branch(
    grow: Grow, monkeypatch: pytest.MonkeyPatch, branch: int, above: int
) -> None:
    monkeypatch.setattr(branch_follower, "TURN_TIME", 0.5)
    branches = grow(5, (3, SLOW), (5, FAST), (1, FAST))
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, "number")
        ours = await network.add("ours", branches.import_all(0))
        dripper = await network.add("dripper", branches.import_all(branch), Dripper)
        dripper.above = above
        ours.connect(dripper)
        # It is compared before it lures us on.
        await asyncio.wait_for(dripper.wait_asked(1), TIMEOUT)
        dripper.head_view = 10 ** 6
        dripper.send_availability("ours", Availability("number", 0, ()))
        await asyncio.wait_for(dripper.wait_asked(40), TIMEOUT)
        ours.connect(await network.add("honest", branches.import_all(1)))
        await ours.wait_for(branches.head(1), TIMEOUT)
