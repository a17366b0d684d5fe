"""
One node among peers, with everything going wrong that may: whatever it was, the node gets over it.

All is real but the connections, the bus and the threads; time is virtual. Every seed is a case of
its own, and is the same on every run: ``pytest tests/services/test_chaos.py -k seed-17``.
"""
import asyncio
from contextlib import AsyncExitStack
import gc
import logging
from pathlib import Path
from random import Random
from typing import AsyncIterator, Iterator, List, Tuple

from async_service import background_asyncio_service
from eth.db.atomic import AtomicDB
import pytest
from trinity.config import Eth1ChainConfig

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.schemes import NumberScheme, ViewScheme
from blockio_plugin.services.abc import ImportResult, PeerEvent, PeerID, RequestReceived
from blockio_plugin.tools.branching import FAST, SLOW, Branches, branch_grower, import_branches
from blockio_plugin.tools.chain_builder import read_recipe
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.memory_network import MemoryNode, MemoryPeer, Stranger
from blockio_plugin.tools.virtual_time import VirtualLoop

SEEDS = 200

RECIPE = Path(__file__).parent.parent.parent / "fixtures" / "demo" / "chain.toml"

SCHEME = NumberScheme()

FAULT_TIME = 20.0
"""Seconds for which things go wrong."""

RECOVERY_TIME = 60.0
"""Seconds after that until the head is reached, most."""


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Branches]:
    """The first one loses."""
    grow = branch_grower(read_recipe(RECIPE), tmp_path_factory.mktemp("chaos"))
    yield grow(6, (4, SLOW), (16, FAST))
    import_branches.cache_clear()


class ShakyNode(MemoryNode):
    """What comes to it is late, and so is what it gave to import."""

    def __init__(
        self, name: str, db: AtomicDB, config: Eth1ChainConfig, scheme: ViewScheme
    ) -> None:
        super().__init__(name, db, config, scheme)
        self.lateness = 0.0
        """Seconds that an event may wait in its inbox, most."""
        self.random = Random(0)

    async def stream(self) -> AsyncIterator[PeerEvent]:
        async for event in super().stream():
            if self.lateness and self.random.random() < 0.3:
                await asyncio.sleep(self.random.uniform(0.0, self.lateness))
            yield event

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        result = await super().import_blocks(blocks, announce)
        if self.lateness and self.random.random() < 0.5:
            await asyncio.sleep(self.random.uniform(0.0, self.lateness))
        return result


class ShakyPeer(Stranger):
    """Honest, but now and then silent, slow, or declining."""

    mood = "well"

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        if self.mood == "well":
            super().answer(peer, request)
        elif self.mood == "declining":
            empty = MemoryChain(self.chain.blocks[:1]).fetch_blocks(request)
            self.send_answer(peer, empty._replace(length=0, next_view=0, blocks=()))


class Chaos:
    """Draws what goes wrong, and when."""

    def __init__(self, seed: int, branches: Branches) -> None:
        self.random = Random(seed)
        self._branches = branches
        genesis = MemoryChain.of_views([0]).blocks
        self._chain = MemoryChain(
            genesis + [decode_block(block, SCHEME) for block in branches.blocks(1)]
        )
        self.log: List[str] = []
        """What was done, for who looks into a seed."""
        self._peers: List[ShakyPeer] = []
        self._away: List[ShakyPeer] = []
        self._names = 0

    def make_ours(self) -> ShakyNode:
        held = self.random.choice([(), (0,), (1,)])
        cut = self._branches
        if held == (1,):
            cut = cut._replace(tops=((), cut.tops[1][: self.random.randrange(4)]))
        self.ours = ShakyNode("ours", cut.import_all(*held), cut.config, SCHEME)
        self.ours.random = self.random
        return self.ours

    def add_peer(self) -> ShakyPeer:
        self._names += 1
        peer = ShakyPeer(f"peer {self._names}", self._chain)
        self._peers.append(peer)
        self.ours.connect(peer)
        return peer

    async def rage(self, stack: AsyncExitStack) -> None:
        """Let things go wrong for a while."""
        loop, chance = asyncio.get_event_loop(), self.random
        for _ in range(chance.randint(1, 4)):
            await stack.enter_async_context(self.add_peer().run(chance.uniform(1.0, 5.0)))
        until = loop.time() + FAULT_TIME
        while loop.time() < until:
            if chance.random() < 0.7:
                # At any turn of the loop.
                for _ in range(chance.randint(1, 30)):
                    await asyncio.sleep(0)
            else:
                await asyncio.sleep(chance.expovariate(2.0))
            self._strike()

    def _strike(self) -> None:
        chance, loop = self.random, asyncio.get_event_loop()
        assert isinstance(loop, VirtualLoop)
        strike = chance.choice(
            ["leave", "come", "come", "mood", "latency", "inbox", "threads", "ask", "ask and leave"]
        )
        peer = chance.choice(self._peers)
        self.log.append(f"{loop.time():.6f} {strike} {peer.name}")
        if strike == "leave":
            peer.disconnect("ours")
        elif strike == "come":
            self._come(peer)
        elif strike == "mood":
            peer.mood = chance.choice(["well", "well", "silent", "declining"])
        elif strike == "latency":
            peer.latency = chance.choice([0.0, 0.01, 0.3, 3.0, 9.0])
        elif strike == "inbox":
            self.ours.lateness = chance.choice([0.0, 0.05, 1.0])
        elif strike == "threads":
            slow = chance.choice([0.0, 0.01, 0.5])
            loop.delay = (lambda: chance.uniform(0.0, slow)) if slow else (lambda: 0.0)
        elif peer.peers:
            for number in range(chance.randint(1, 5)):
                peer.send_request("ours", GetBlocksByView(number, 0, 30, 5))
            if strike == "ask and leave":
                loop.call_later(chance.choice([0.0, 0.0, 0.01]), peer.disconnect, "ours")

    def _come(self, peer: ShakyPeer) -> None:
        if not peer.peers:
            # A new connection is a new peer.
            self._names += 1
            peer.name = f"peer {self._names}"
            self.ours.connect(peer)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        loop = asyncio.get_event_loop()
        assert isinstance(loop, VirtualLoop)
        loop.delay = lambda: 0.0
        self.ours.lateness = 0.0
        for peer in self._peers:
            peer.mood, peer.latency = "well", 0.02
            self._come(peer)


@pytest.mark.parametrize("seed", range(SEEDS), ids=lambda seed: f"seed-{seed}")
async def test_whatever_goes_wrong_the_head_is_reached(
    branches: Branches, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    chaos = Chaos(seed, branches)
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(chaos.make_ours().run())
        await chaos.rage(stack)
        chaos.calm()
        await ours.wait_for(branches.head(1), RECOVERY_TIME)
        assert ours.dropped == []
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == []
