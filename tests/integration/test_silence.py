"""Peers that fall silent and stay connected: at the start of a sync, and at the tip of a chain."""
import asyncio
import contextlib
from math import inf
from pathlib import Path
from statistics import median
from typing import Any, AsyncIterator, List, Sequence, Tuple

from eth.db.atomic import AtomicDB
import pytest

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.chain_builder import iterate_blocks
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import NodeConfig, NodeProcess
from blockio_plugin.tools.scripted_peer import ScriptedListener, ScriptedPeer

pytestmark = pytest.mark.integration

CONNECT_TIMEOUT = 20.0
"""Seconds until a node that has just started has dialled all its peers, most."""

SYNC_TIMEOUT = 60.0
"""Seconds for any sync here, most."""

CLEAN_TIME = 7.0
"""Seconds of a sync from two honest peers alone, about: as long as can be, so that a busy machine
makes little difference, yet less than the 8 s after which a newcomer is late. Whoever waits for
that has all that the newcomer was asked for still to come."""

MAX_RATIO = 1.25
"""Time of a sync beside silent peers over that without them, most."""

KNOWN_BLOCKS = 20
"""Blocks that a node has synced before it is at the tip."""

TIP_INTERVAL = 1.25
"""Seconds between two blocks at the tip. Adverts are taken once a second at most."""

TIP_BLOCKS = 16
"""Blocks that come at the tip, one by one."""

SILENT_FROM = 4
"""The number of those that come before one peer falls silent."""

MEDIAN_DELAY, WORST_DELAY = 1.0, 3.0
"""Seconds from the advert of a block to the block imported, most."""


class Server:
    """Gives ``rate`` blocks/s of a chain, one request after the other, until it falls silent."""

    def __init__(self, peer: ScriptedPeer, chain: MemoryChain, rate: float, answers: float) -> None:
        self._peer, self._chain, self._rate = peer, chain, rate
        self.answers = answers
        """Requests that it will still answer."""

    def advertise(self) -> None:
        self._peer.api.send_availability(self._chain.fetch_availability())

    async def serve(self) -> None:
        while True:
            asked = await self._peer.inbox.get()
            if isinstance(asked, GetBlocksByView) and self.answers >= 1:
                self.answers -= 1
                answer = self._chain.fetch_blocks(asked)
                await asyncio.sleep(len(answer.blocks) / self._rate)
                self._peer.api.send_answer(answer)


@pytest.fixture(scope="module")
def blocks(mined: Any) -> List[Block]:
    """Of the mined chain, genesis included; a view is a number."""
    recipe = mined.recipe
    with open_data_dir(mined.data_dir, recipe.genesis, recipe.network_id) as db:
        return [
            decode_block(block, NumberScheme()) for block in iterate_blocks(db, 0, recipe.blocks)
        ]


@contextlib.asynccontextmanager
async def run_node(
    config: NodeConfig, chain: MemoryChain, rate: float, answers: Sequence[float]
) -> AsyncIterator[Tuple[NodeProcess, List[Server]]]:
    """
    A fresh node that has dialled peers with ``chain``, each of which gives so many answers. They
    have not advertised yet.
    """
    db = AtomicDB()
    genesis = read_chain_config(config.genesis)
    initialize_chain(db, genesis)
    async with contextlib.AsyncExitStack() as stack:
        listeners = [
            await stack.enter_async_context(
                ScriptedListener.open(
                    genesis.full_chain_class(db), db, config.network_id, f"127.0.0.{number}"
                )
            )
            for number in range(1, len(answers) + 1)
        ]
        enodes = tuple(listener.enode for listener in listeners)
        node = await stack.enter_async_context(
            NodeProcess.run(config._replace(preferred_nodes=enodes))
        )
        peers = await asyncio.wait_for(
            asyncio.gather(*(listener.accept() for listener in listeners)), CONNECT_TIMEOUT
        )
        servers = [Server(peer, chain, rate, most) for peer, most in zip(peers, answers)]
        tasks = [asyncio.ensure_future(server.serve()) for server in servers]
        try:
            yield node, servers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def time_sync(node: NodeProcess, servers: Sequence[Server], head: int) -> float:
    """Seconds from the first adverts until the head is there."""
    loop = asyncio.get_event_loop()
    started_at = loop.time()
    for server in servers:
        server.advertise()
    await HeadProbe(node.config.data_dir).wait_for(head, SYNC_TIMEOUT)
    return loop.time() - started_at


@pytest.mark.parametrize(
    "given, count",
    [
        # The lowest blocks come last, since it is a silent peer that is asked for them first, and
        # all the others are imported after them: so few that this takes next to no time.
        (0, 100),
        # So many that the first two requests of each peer are not all of it.
        (2, 400),
    ],
)
async def test_silence_at_the_start_costs_little(
    mined: Any, blocks: List[Block], directory: Path, given: int, count: int
) -> None:
    """A node with two honest peers and, side by side, one that has two silent ones besides."""
    chain, rate = MemoryChain(blocks[: count + 1]), count / CLEAN_TIME / 2

    async def sync(name: str, answers: Sequence[float]) -> float:
        config = mined.configure(directory / name, False)._replace(view_scheme="number")
        async with run_node(config, chain, rate, answers) as (node, servers):
            seconds = await time_sync(node, servers, count)
            assert find_failures(node.log()) == ""
            return seconds

    syncs = [
        asyncio.ensure_future(sync("clean", [inf] * 2)),
        asyncio.ensure_future(sync("tested", [given, inf, given, inf])),
    ]
    await asyncio.wait(syncs)
    clean, took = (ended.result() for ended in syncs)
    print(f"{took:.1f} s, {clean:.1f} s without silent peers: {took / clean:.2f}")
    assert took < MAX_RATIO * clean


async def test_a_silent_peer_at_the_tip_costs_little(
    mined: Any, blocks: List[Block], directory: Path
) -> None:
    """It goes on advertising, so it is known to have each block."""
    loop = asyncio.get_event_loop()
    chain = MemoryChain(blocks[: KNOWN_BLOCKS + 1])
    config = mined.configure(directory / "a", False)._replace(view_scheme="number")
    async with run_node(config, chain, inf, [inf] * 4) as (node, servers):
        probe = HeadProbe(node.config.data_dir)
        await time_sync(node, servers, KNOWN_BLOCKS)
        delays: List[float] = []
        for number in range(KNOWN_BLOCKS + 1, KNOWN_BLOCKS + 1 + TIP_BLOCKS):
            if number == KNOWN_BLOCKS + 1 + SILENT_FROM:
                servers[1].answers = 0
            chain.blocks.append(blocks[number])
            born_at = loop.time()
            for server in servers:
                server.advertise()
            await probe.wait_for(number, SYNC_TIMEOUT)
            delays.append(loop.time() - born_at)
            await asyncio.sleep(max(0.0, born_at + TIP_INTERVAL - loop.time()))
        print(f"median {median(delays):.2f} s, worst {max(delays):.2f} s")
        assert median(delays) < MEDIAN_DELAY and max(delays) < WORST_DELAY
        assert find_failures(node.log()) == ""
