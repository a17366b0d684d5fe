"""What a node of ours is like besides fast: how soon it follows, how much memory, what survives."""
import asyncio
import contextlib
from pathlib import Path
import random
import shutil
from statistics import median
from typing import List, Optional

from trinity.db.manager import DBClient

from blockio_plugin.node.cli import BACKFILL_FLAG
from blockio_plugin.tools.bench_report import Figure
from blockio_plugin.tools.bench_sync import SYNC_TIMEOUT, Bench, SourceChain
from blockio_plugin.tools.chain_builder import Recipe, build_chain, build_data_dir
from blockio_plugin.tools.chain_files import read_chain_config
from blockio_plugin.tools.checkpoint import copy_from_checkpoint
from blockio_plugin.tools.crash import crash
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.display import Display
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeConfig, NodeProcess
from blockio_plugin.tools.process_stats import read_memory
from blockio_plugin.tools.shaped_link import ShapedLink

FOLLOWED_BLOCKS = 100
"""Blocks that are followed one by one."""

BLOCK_INTERVAL = (0.5, 2.0)
"""Seconds between two of them, drawn uniformly so that they meet every moment of all timers."""

MEDIAN_LIMIT, WORST_LIMIT = 0.7, 2.0
"""Seconds from a block at a peer to the block here, most."""

FOLLOW_TIMEOUT = 30.0
"""Seconds for one block, most."""

SAMPLE_INTERVAL = 0.25
"""Seconds between two looks at the memory."""

IDLE_TIME = 5.0
"""Seconds after which a node without peers is idle."""

MEMORY_LIMIT = 120.0
"""MiB over an idle node while syncing, most."""

MEBIBYTE = 1024.0 * 1024.0
"""Bytes."""

BACKFILL_BLOCKS, RECENT_BLOCKS = 12_000, 20
"""Blocks of the chain whose gap is filled, and how many of them are held above the gap."""

FOLLOWED_BESIDE_BACKFILL = 30
"""Blocks that are followed meanwhile."""

THIN_RATE = 40_000.0
"""Bytes/s of a link over which a sync or a backfill lasts: some 100 blocks/s."""

KILLS = 50
"""Nodes killed."""

KILL_TIME = (0.0, 4.0)
"""Seconds from the first progress after a start to the kill, drawn uniformly."""

VICTIMS: List[Optional[str]] = [None, "blockio-import", "blockio", "db"]
"""What is killed, in turn: the whole node, or the process behind an endpoint."""


def mine_into(node: NodeProcess, recipe: Recipe, number: int) -> None:
    """Extend the chain of a running node up to block ``number``, through its database."""
    db = DBClient.connect(node.config.data_dir / "ipcs-eth1" / "db.ipc")
    with db:
        build_chain(recipe, db, number)


async def _follow(
    miner: NodeProcess, probe: HeadProbe, recipe: Recipe, count: int
) -> List[float]:
    """Seconds from each of ``count`` new blocks in one database to the block in the other."""
    loop = asyncio.get_event_loop()
    chance = random.Random(recipe.seed)
    delays: List[float] = []
    for number in range(recipe.blocks + 1, recipe.blocks + 1 + count):
        await asyncio.sleep(chance.uniform(*BLOCK_INTERVAL))
        await loop.run_in_executor(None, mine_into, miner, recipe, number)
        mined_at = loop.time()
        await probe.wait_for(number, FOLLOW_TIMEOUT)
        delays.append(loop.time() - mined_at)
    return delays


async def measure_following(recipe: Recipe, directory: Path, display: Display) -> List[Figure]:
    """From a block in one node's database to the block in that of its peer."""
    build_data_dir(recipe, directory / "a")
    config = NodeConfig(directory / "a", recipe.genesis, recipe.network_id, view_scheme="number")
    async with NodeProcess.run(config) as miner:
        follows = config._replace(data_dir=directory / "b", preferred_nodes=(miner.enode(),))
        async with NodeProcess.run(follows) as node:
            probe = HeadProbe(node.config.data_dir)
            await probe.wait_for(recipe.blocks, SYNC_TIMEOUT)
            delays = await _follow(miner, probe, recipe, FOLLOWED_BLOCKS)
    display.say(f"{len(delays)} blocks followed: {median(delays):.2f} s, worst {max(delays):.2f} s")
    return [
        Figure("median limit, beside following one block", MEDIAN_LIMIT, "s", median(delays), 1.0),
        Figure("limit, beside the worst of 100", WORST_LIMIT, "s", max(delays), 1.0),
    ]


async def measure_backfill(recipe: Recipe, directory: Path, display: Display) -> List[Figure]:
    """The same over a thin link which at the same time carries what fills a gap."""
    recipe = recipe._replace(blocks=BACKFILL_BLOCKS)
    checkpoint = recipe.blocks - RECENT_BLOCKS
    full, gapped = directory / "a", directory / "b"
    build_data_dir(recipe, full)
    with open_data_dir(full, recipe.genesis, recipe.network_id) as source:
        with open_data_dir(gapped, recipe.genesis, recipe.network_id) as target:
            chain_config = read_chain_config(recipe.genesis)
            copy_from_checkpoint(source, target, chain_config, checkpoint, recipe.blocks)
    config = NodeConfig(full, recipe.genesis, recipe.network_id, view_scheme="number")
    async with NodeProcess.run(config) as miner:
        async with ShapedLink.open(miner.port, THIN_RATE) as link:
            follows = config._replace(
                data_dir=gapped,
                preferred_nodes=(miner.enode(link.port),),
                flags=(*config.flags, BACKFILL_FLAG),
            )
            async with NodeProcess.run(follows):
                probe = HeadProbe(gapped)
                await probe.wait_for_missing(checkpoint - 1, SYNC_TIMEOUT)
                delays = await _follow(miner, probe, recipe, FOLLOWED_BESIDE_BACKFILL)
                missing = probe.fetch_missing()
    display.say(
        f"following while filling a gap: {median(delays):.2f} s, worst {max(delays):.2f} s; "
        f"{checkpoint - missing} of {checkpoint} blocks filled meanwhile"
    )
    if not missing:
        raise RuntimeError("the gap was filled before following was measured")
    return [
        Figure("median limit, beside the same in a backfill", MEDIAN_LIMIT, "s", median(delays), 1),
        Figure("limit, beside the worst in a backfill", WORST_LIMIT, "s", max(delays), 1.0),
    ]


async def _watch_memory(node: NodeProcess, peaks: List[int]) -> None:
    loop = asyncio.get_event_loop()
    while True:
        peaks.append(await loop.run_in_executor(None, read_memory, node.processes()))
        await asyncio.sleep(SAMPLE_INTERVAL)


async def measure_memory(source: SourceChain, directory: Path, display: Display) -> List[Figure]:
    """The peak of all processes of a node that syncs, over that of one without a peer."""
    bench = Bench(directory, source)
    async with NodeProcess.run(bench.configure("number", holds_chain=True)) as server:
        async with NodeProcess.run(bench.configure("number")) as node:
            await asyncio.sleep(IDLE_TIME)
            idle = read_memory(node.processes())
        config = bench.configure("number", [server.enode()])
        async with NodeProcess.run(config) as node:
            peaks: List[int] = []
            watching = asyncio.ensure_future(_watch_memory(node, peaks))
            try:
                await HeadProbe(config.data_dir).wait_for(source.blocks, SYNC_TIMEOUT)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
    added = (max(peaks) - idle) / MEBIBYTE
    display.say(f"memory: {idle / MEBIBYTE:.0f} MiB idle, {added:.0f} MiB more while syncing")
    return [Figure("memory limit, beside the peak over idle", MEMORY_LIMIT, "MiB", added, 1.0)]


async def measure_kills(source: SourceChain, directory: Path, display: Display) -> List[Figure]:
    """Kill nodes and processes of theirs at random moments of syncs; who is done starts over."""
    bench = Bench(directory, source)
    chance = random.Random(source.blocks)
    survived = 0
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            NodeProcess.run(bench.configure("number", holds_chain=True))
        )
        link = await stack.enter_async_context(ShapedLink.open(server.port, THIN_RATE))
        wanted = HeadProbe(server.config.data_dir).fetch()
        while survived < KILLS:
            config = bench.configure("number", [server.enode(link.port)])
            async with NodeProcess.run(config) as node:
                probe = HeadProbe(config.data_dir)
                head = await probe.wait_for(1, SYNC_TIMEOUT)
                while survived < KILLS and head.number < wanted.number:
                    await probe.wait_for(head.number + 1, SYNC_TIMEOUT)
                    await asyncio.sleep(chance.uniform(*KILL_TIME))
                    seen = await crash(node, VICTIMS[survived % len(VICTIMS)])
                    await node.start()
                    head = probe.fetch()
                    if head.number < seen.number:
                        raise RuntimeError(f"block {seen.number} was lost: {head}")
                    survived += 1
                    display.say(f"kill {survived} of {KILLS}: at block {head.number}")
                link.rate = None
                head = await probe.wait_for(wanted.number, SYNC_TIMEOUT)
                link.rate = THIN_RATE
                if head != wanted:
                    raise RuntimeError(f"{head} in the place of {wanted}")
            shutil.rmtree(config.data_dir)
    return [Figure("kills survived, beside kills", float(survived), "", float(KILLS), 1.0)]
