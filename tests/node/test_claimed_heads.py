"""Real services and real execution where somebody claims a head that nobody has."""
import asyncio
from contextlib import AsyncExitStack
from typing import Callable, Iterator, List, Type

from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
import pytest

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.heads import BELIEF_TIME
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import PeerID
from blockio_plugin.tools.branching import FAST, Branches, Grow, branch_grower, import_branches
from blockio_plugin.tools.chain_builder import Recipe
from blockio_plugin.tools.checkpoint import copy_from_checkpoint
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.memory_network import MemoryNetwork, MemoryNode, Stranger
from blockio_plugin.tools.virtual_time import VirtualTimePolicy

SCHEME = NumberScheme()

CHECKPOINT, HELD, REACHED, LAST = 10, 20, 40, 50
"""Our node holds the blocks after the first number, up to the second, the honest ones all up to the
third, and go on from there."""

CLAIM = 10 ** 6

LATENCY = 0.02

BLOCK_TIME = 10.0
"""Seconds between two new blocks."""

SOON = 30.0
"""Seconds after which we have a new block, most. What it takes is up to the fetch."""


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTimePolicy()


@pytest.fixture(scope="module")
def grow(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grow]:
    yield branch_grower(recipe, tmp_path_factory.mktemp("branches"))
    import_branches.cache_clear()


class Claimant(Stranger):
    """Serves what it has, and says that it covers far more. Above that it calls all empty."""

    claim = CLAIM

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        ranges = (ViewRange(0, self.claim + 1),)
        super().send_availability(peer, Availability("number", self.claim, ranges))

    def has(self, request: GetBlocksByView) -> bool:
        return request.start_view <= self.chain.blocks[-1].view


class Declining(Claimant):
    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        if self.has(request):
            super().answer(peer, request)
        else:
            self.send_answer(peer, BlocksByView(request.request_id, request.start_view, 0, 0, ()))


class Silent(Claimant):
    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        if self.has(request):
            super().answer(peer, request)


class Raising(Claimant):
    """Claims more each time."""

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        self.claim += 1
        super().send_availability(peer, advert)


KINDS = [Claimant, Declining, Silent, Raising]


class World:
    """Our node, with a gap, two honest ones, and claimants."""

    def __init__(self, stack: AsyncExitStack, branches: Branches) -> None:
        self._stack = stack
        self._branches = branches
        self._blocks = branches.blocks(0)
        self._network = MemoryNetwork(stack, branches.config, "number")
        self.chain = MemoryChain.of_views([0])
        """What the honest ones have."""
        for block in self._blocks[:REACHED]:
            self.chain.blocks.append(decode_block(block, SCHEME))
        self._claimants = 0
        self.honest: List[MemoryNode] = []
        self.ours_db = AtomicDB()

    async def begin(self) -> None:
        whole, config = self._branches.import_all(0), self._branches.config
        copy_from_checkpoint(whole, self.ours_db, config, CHECKPOINT, HELD)
        self.ours = await self._network.add("ours", self.ours_db, backfills=True)
        part = self._branches._replace(trunk=self._blocks[:REACHED], tops=((),))
        for name in ("alice", "bob"):
            self.honest.append(await self._network.add(name, part.import_all(0)))
        for node in (self.ours, *self.honest):
            node.latency = LATENCY
        self.honest[0].connect(self.honest[1])
        for node in self.honest:
            self.ours.connect(node)

    async def add_claimant(self, kind: Type[Claimant]) -> Claimant:
        self._claimants += 1
        claimant = kind(f"claimant {self._claimants}", self.chain)
        claimant.latency = LATENCY
        await self._stack.enter_async_context(claimant.run())
        self.ours.connect(claimant)
        return claimant

    def whole_chain(self) -> MemoryChain:
        """Of all blocks."""
        blocks = [decode_block(block, SCHEME) for block in self._blocks]
        return MemoryChain(self.chain.blocks[:1] + blocks)

    async def extend(self, number: int) -> None:
        """One honest node, and all claimants, have the block of this number now."""
        block = self._blocks[number - 1]
        await self.honest[0].import_blocks((block,), False)
        self.chain.blocks.append(decode_block(block, SCHEME))

    async def wait_reached(self, number: int, seconds: float) -> None:
        await wait_until(lambda: self.ours.fetch_head().number >= number, seconds)

    async def check(self) -> None:
        """The gap is filled, what is new is told of, and nobody was dropped."""
        chaindb = ChainDB(self.ours_db)
        await wait_until(lambda: not chaindb.get_chain_gaps()[0], 10.0)
        for number in range(REACHED + 1, LAST + 1):
            announced = self.ours.announced
            await self.extend(number)
            await self.wait_reached(number, SOON)
            assert self.ours.announced == announced + 1
            await asyncio.sleep(BLOCK_TIME)
            assert (await self.ours.fetch_status()).synced
        assert self.ours.dropped == []


async def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.1)

    await asyncio.wait_for(poll(), seconds)


@pytest.mark.parametrize("number", [1, 10])
@pytest.mark.parametrize("kind", KINDS)
async def test_synced_soon_after_the_others_are_reached(
    grow: Grow, kind: Type[Claimant], number: int
) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, grow(LAST, (0, FAST)))
        await world.begin()
        for _ in range(number):
            await world.add_claimant(kind)
        await world.wait_reached(REACHED, 20.0)
        await asyncio.sleep(BELIEF_TIME + 0.1)
        assert (await world.ours.fetch_status()).synced
        await world.check()


@pytest.mark.parametrize("interval", [5.0, 29.0, 30.0])
@pytest.mark.parametrize("kind", KINDS)
async def test_another_name_every_now_and_then_makes_no_difference(
    grow: Grow, kind: Type[Claimant], interval: float
) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, grow(LAST, (0, FAST)))
        await world.begin()

        async def come_anew() -> None:
            while True:
                claimant = await world.add_claimant(kind)
                await asyncio.sleep(interval)
                claimant.disconnect("ours")

        coming = asyncio.ensure_future(come_anew())
        stack.callback(coming.cancel)
        await world.wait_reached(REACHED, 20.0)
        await asyncio.sleep(BELIEF_TIME + 0.1)
        assert (await world.ours.fetch_status()).synced
        await world.check()


class SlowArchive(Stranger):
    """Gives a block every ten seconds, one at a time."""

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        one = request._replace(max_blocks=1)
        asyncio.get_event_loop().call_later(BLOCK_TIME, super().answer, peer, one)


async def test_who_is_ahead_and_slow_is_waited_for(grow: Grow) -> None:
    async with AsyncExitStack() as stack:
        world = World(stack, grow(LAST, (0, FAST)))
        await world.begin()
        await world.wait_reached(REACHED, 20.0)
        archive = SlowArchive("archive", world.whole_chain())
        await stack.enter_async_context(archive.run())
        world.ours.connect(archive)
        # Nobody but the archive has them: blocks that we have may not be passed on.
        for node in world.honest:
            node.disconnect("ours")
            world.ours.connect(Stranger(node.name, MemoryChain(world.chain.blocks[:])))
        await world.wait_reached(REACHED + 1, 100.0)
        while world.ours.fetch_head().number < LAST:
            assert not (await world.ours.fetch_status()).synced
            await asyncio.sleep(1.0)
        assert (await world.ours.fetch_status()).synced
