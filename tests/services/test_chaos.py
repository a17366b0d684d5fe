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
from typing import AsyncIterator, Hashable, Iterator, List, Tuple

from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
from lahja import EndpointAPI
import pytest
from trinity.config import Eth1ChainConfig

from blockio_plugin.client import fetch_views
from blockio_plugin.events import BLOCKIO_ENDPOINT
from blockio_plugin.rules import fetch
from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.rules.neglect import MAX_NEGLECT_TIME
from blockio_plugin.rules.planner import Plan
from blockio_plugin.rules.schemes import NumberScheme, ViewScheme
from blockio_plugin.services import fetcher, receiver
from blockio_plugin.services.abc import ImportFailure, ImportResult, PeerEvent, PeerID
from blockio_plugin.services.reporter import REPORT_INTERVAL
from blockio_plugin.tools.branching import FAST, SLOW, Branches, branch_grower, import_branches
from blockio_plugin.tools.chain_builder import read_recipe
from blockio_plugin.tools.checkpoint import copy_from_checkpoint
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.memory_network import MemoryNode, Stranger
from blockio_plugin.tools.virtual_time import VirtualLoop

SEEDS = 200

RECIPE = Path(__file__).parent.parent.parent / "fixtures" / "demo" / "chain.toml"

SCHEME = NumberScheme()

FAULT_TIME = 20.0
"""Seconds for which things go wrong."""

RECOVERY_TIME = 60.0
"""Seconds after that until the head is reached, most, and again until no gap is left."""

STOP_TIME = 10.0
"""Seconds for a node to stop, most."""

STRIKES = {
    "leave": 4,
    "come": 8,
    "mood": 4,
    "latency": 4,
    "inbox": 4,
    "threads": 4,
    "database": 2,
    "flood": 1,
    "ask": 4,
    "ask and leave": 4,
    "fetch": 2,
    "restart": 1,
}
"""What may go wrong, and how often."""


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Branches]:
    """The first one loses."""
    grow = branch_grower(read_recipe(RECIPE), tmp_path_factory.mktemp("chaos"))
    yield grow(6, (4, SLOW), (16, FAST))
    import_branches.cache_clear()


class ShakyNode(MemoryNode):
    """
    What comes to it is late, and so is what it gave to import, if its database takes it at all.
    """

    def __init__(
        self, name: str, db: AtomicDB, config: Eth1ChainConfig, scheme: ViewScheme
    ) -> None:
        super().__init__(name, db, config, scheme)
        self.lateness = 0.0
        """Seconds that an event may wait in its inbox, most."""
        self.failures = 0.0
        """How likely it is that nothing can be imported."""
        self.random = Random(0)

    async def stream(self) -> AsyncIterator[PeerEvent]:
        async for event in super().stream():
            if self.lateness and self.random.random() < 0.3:
                await asyncio.sleep(self.random.uniform(0.0, self.lateness))
            yield event

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        if self.random.random() < self.failures:
            failed = decode_block(self.random.choice(blocks[:1]), SCHEME).hash
            failure = ImportFailure(failed, "OSError: not now", is_invalid=False)
            return ImportResult(self.fetch_head(), 0, failure)
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
            self.send_answer(
                peer, BlocksByView(request.request_id, request.start_view, 0, 0, ())
            )


class Chaos:
    """Draws what goes wrong, and when."""

    def __init__(self, seed: int, branches: Branches, stack: AsyncExitStack) -> None:
        self._random = chance = Random(seed)
        self._stack = stack
        self._running = AsyncExitStack()
        self._branches = branches
        self._chain = MemoryChain.of_views([0])
        for block in branches.blocks(1):
            self._chain.blocks.append(decode_block(block, SCHEME))
        self._db = self._make_db()
        self._backfills = self._gap > 0
        self._uptime = chance.choice([0.0, 3600.0, 1e6])
        self._names = 0
        self._peers: List[ShakyPeer] = []
        self._clients: List["asyncio.Future[None]"] = []
        self._tasks = asyncio.all_tasks()
        """Those that are not the node's."""
        self.dropped: List[Tuple[Hashable, str]] = []
        self.log: List[str] = []
        """What was done, for who looks into a seed."""

    def _make_db(self) -> AtomicDB:
        """Of a new node, one on the branch that loses, one on the other, or one with a gap."""
        chance, branches = self._random, self._branches
        kind = chance.choice(["new", "losing", "winning", "gap"])
        self._gap = chance.randint(1, 6) if kind == "gap" else 0
        if kind == "gap":
            db, held = AtomicDB(), chance.randint(self._gap, self._gap + 5)
            copy_from_checkpoint(
                branches.import_all(1), db, branches.config, self._gap, held
            )
            return db
        if kind == "winning":
            cut = branches.tops[1][: chance.randrange(4)]
            return branches._replace(tops=((), cut)).import_all(1)
        return branches.import_all(*([0] if kind == "losing" else []))

    async def begin(self) -> None:
        """The node starts, or starts anew, and its peers connect."""
        node = ShakyNode(BLOCKIO_ENDPOINT, self._db, self._branches.config, SCHEME)
        node.random, node.uptime, node.dropped = self._random, self._uptime, self.dropped
        node.seed = self._random.randrange(2 ** 32)
        self.ours = node
        await self._running.enter_async_context(node.run(self._backfills))
        for peer in self._peers:
            self._come(peer)

    async def end(self) -> None:
        """The node stops. What its threads are at is done before it starts anew."""
        for peer in self.ours.peers:
            self.ours.disconnect(peer.name)
        await asyncio.gather(*self._clients)
        await asyncio.wait_for(self._running.aclose(), STOP_TIME)
        self._clients.clear()
        assert asyncio.all_tasks() - self._tasks == set()
        await asyncio.sleep(STOP_TIME)

    async def add_peer(self) -> None:
        peer = ShakyPeer(0, self._chain)
        self._peers.append(peer)
        others = asyncio.all_tasks()
        await self._stack.enter_async_context(peer.run(self._random.uniform(1.0, 5.0)))
        self._tasks |= asyncio.all_tasks() - others
        self._come(peer)

    def _come(self, peer: ShakyPeer) -> None:
        if not peer.peers:
            # A new connection is a new peer. Numbers are in the same order on every run.
            self._names += 1
            peer.name = self._names
            self.ours.connect(peer)

    async def rage(self) -> None:
        """Let things go wrong for a while."""
        loop, chance = asyncio.get_event_loop(), self._random
        for _ in range(chance.randint(1, 4)):
            await self.add_peer()
        until = loop.time() + FAULT_TIME
        while loop.time() < until:
            if chance.random() < 0.7:
                # At any turn of the loop.
                for _ in range(chance.randint(1, 30)):
                    await asyncio.sleep(0)
            else:
                await asyncio.sleep(chance.expovariate(2.0))
            await self._strike()

    async def _strike(self) -> None:
        chance, loop = self._random, asyncio.get_event_loop()
        assert isinstance(loop, VirtualLoop)
        (strike,) = chance.choices(list(STRIKES), list(STRIKES.values()))
        peer = chance.choice(self._peers)
        self.log.append(f"{loop.time():.6f} {strike} {peer.name}")
        if strike == "leave":
            peer.disconnect(self.ours.name)
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
            loop.delay = lambda: chance.uniform(0.0, slow)
        elif strike == "database":
            self.ours.failures = chance.choice([0.0, 0.0, 0.5, 1.0])
        elif strike == "flood":
            for _ in range(300 if peer.peers else 0):
                peer.send_availability(self.ours.name, peer.advert)
        elif strike == "restart":
            await self.end()
            await self.begin()
        elif strike == "fetch":
            self._clients.append(asyncio.ensure_future(self._fetch()))
        else:
            self._ask(peer, strike == "ask and leave")

    def _ask(self, peer: ShakyPeer, leaves: bool) -> None:
        for number in range(self._random.randint(1, 5)):
            peer.send_request(self.ours.name, GetBlocksByView(number, 0, 30, 5))
        if leaves:
            delay = self._random.choice([0.0, 0.0, 0.01])
            asyncio.get_event_loop().call_later(delay, peer.disconnect, self.ours.name)

    async def _fetch(self) -> None:
        """Somebody in our node fetches views, and loses patience."""
        assert self.ours.bus is not None
        start = self._random.randrange(20)
        task = asyncio.ensure_future(
            fetch_all(self.ours.bus, start, start + self._random.randint(1, 30))
        )
        await asyncio.wait({task}, timeout=self._random.choice([0.0, 0.01, 0.3, 3.0]))
        task.cancel()
        await asyncio.wait({task})

    async def calm(self) -> None:
        """Nothing goes wrong any more."""
        loop = asyncio.get_event_loop()
        assert isinstance(loop, VirtualLoop)
        loop.delay = lambda: 0.0
        self.ours.lateness = self.ours.failures = 0.0
        # Until whoever was about to leave has left.
        await asyncio.sleep(0.1)
        for peer in self._peers:
            peer.mood, peer.latency = "well", 0.02
            self._come(peer)

    async def wait_filled(self) -> None:
        """Wait until there is no gap."""
        chaindb = ChainDB(self._db)
        while chaindb.get_chain_gaps()[0]:
            await asyncio.sleep(0.1)


async def fetch_all(bus: EndpointAPI, start: int, stop: int) -> None:
    async with fetch_views(bus, ((start, stop),)) as blocks:
        async for _ in blocks:
            pass


@pytest.mark.parametrize("seed", range(SEEDS), ids=lambda seed: f"seed-{seed}")
async def test_whatever_goes_wrong_the_node_gets_over_it(
    branches: Branches,
    seed: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The chain is short, so that there are as many turns of the loop in an answer of it.
    monkeypatch.setattr(receiver, "DECODE_SLICE", 2)
    monkeypatch.setattr(fetcher, "DECODE_SLICE", 2)
    # What earlier tests left is not of this one.
    gc.collect()
    caplog.clear()
    caplog.set_level(logging.WARNING)
    async with AsyncExitStack() as stack:
        chaos = Chaos(seed, branches, stack)
        await chaos.begin()
        await chaos.rage()
        await chaos.calm()
        await chaos.ours.wait_for(branches.head(1), RECOVERY_TIME)
        await asyncio.wait_for(chaos.wait_filled(), RECOVERY_TIME)
        await chaos.end()
    assert chaos.dropped == []
    # What nobody has looked at is told of when it is gone.
    gc.collect()
    wrong = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in wrong] == []


async def test_a_node_that_asks_nobody_is_noticed(
    branches: Branches, blamed_on_us: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else the seeds above would pass for nothing."""
    monkeypatch.setattr(fetch, "plan", lambda *args: Plan((), False))
    async with AsyncExitStack() as stack:
        chaos = Chaos(0, branches, stack)
        await chaos.begin()
        await chaos.add_peer()
        await asyncio.sleep(MAX_NEGLECT_TIME + 2 * REPORT_INTERVAL)
        await chaos.end()
    assert len(blamed_on_us) == 1
    assert blamed_on_us.pop().startswith("nothing moves though 1 could be asked: ")
