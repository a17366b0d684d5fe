"""
How fast a fresh node gets a chain, beside Trinity's own full sync in the same run.

The chain is go-ethereum's. It is not part of the repository: BLOCKIO_CHAINS names where it is.
"""
import asyncio
import contextlib
from itertools import count
import logging
import os
from pathlib import Path
import shutil
from typing import Iterator, List, NamedTuple, Optional, Sequence

import snappy

from blockio_plugin.node.import_events import IMPORT_ENDPOINT
from blockio_plugin.tools.bench_report import BenchRun, Figure, Part
from blockio_plugin.tools.chain_files import import_chain, read_blocks, read_chain_config
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.display import Display
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeConfig, NodeFailed, NodeProcess, start_nodes
from blockio_plugin.tools.process_stats import find_process, read_cpu_time
from blockio_plugin.tools.shaped_link import ShapedLink

LOOPBACK, SHAPED = "loopback", "shaped"

logger = logging.getLogger("blockio_plugin.tools.bench")

CHAINS = Path("..", "shared", "chains")
"""Where chains of other clients are, seen from the top of the repository, unless BLOCKIO_CHAINS
names another place."""

SYNC_TIMEOUT = 240.0
"""Seconds for one sync, most."""

START_TIMEOUT = 60.0
"""Seconds from when a node listens to its first block, most."""

SHAPED_RATE = 60.0
"""Blocks/s that a shaped link carries: a fraction of what is imported, so that it is the limit."""

SHAPED_BLOCKS = 1500
"""Blocks that are fetched through shaped links: half a minute's worth for one of them."""

ROUNDS = 2
"""Times that each sync on loopback is measured, in turn. The better one counts, since whatever
disturbs a run on a shared machine makes it slower."""

WIRE_BATCH = 20
"""Blocks that are compressed together to tell what a block takes on the wire: a usual answer."""


class SourceChain(NamedTuple):
    """A chain in a data directory; nodes start on copies of it."""

    data_dir: Path
    genesis: Path
    network_id: int
    blocks: int
    block_bytes: float
    """Bytes that a block takes on the wire, compressed."""


class MeasuredSync(NamedTuple):
    """How one sync went."""

    rate: float
    """Blocks/s."""
    busy: float
    """Share of the time that our importing process was at work: near 1 it is the limit. 0 where
    Trinity's own syncer ran."""


class _ImportMeter:
    """How much processor time a node's importing process takes."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node
        self._pid = 0
        self._before = 0.0

    def start(self) -> None:
        """Count from now on. The process has to be there, as it is once a block is imported."""
        self._pid = find_process(self._node, IMPORT_ENDPOINT)
        self._before = read_cpu_time(self._pid)

    def read(self) -> float:
        """Seconds since the start."""
        return read_cpu_time(self._pid) - self._before


class Bench:
    """Starts nodes on copies of the chain, each in a directory of its own."""

    def __init__(self, directory: Path, source: SourceChain) -> None:
        self._directory = directory
        self._source = source
        self._numbers: Iterator[int] = count()

    def configure(
        self,
        scheme: Optional[str],
        enodes: Sequence[str] = (),
        holds_chain: bool = False,
    ) -> NodeConfig:
        """A node with the chain or with nothing; ``scheme`` None is Trinity's own full sync."""
        data_dir = self._directory / f"n{next(self._numbers)}"
        if holds_chain:
            shutil.copytree(self._source.data_dir, data_dir)
        return NodeConfig(
            data_dir=data_dir,
            genesis=self._source.genesis,
            network_id=self._source.network_id,
            sync_mode="full" if scheme is None else "none",
            view_scheme=scheme,
            preferred_nodes=tuple(enodes),
        )

    async def measure(self, scheme: Optional[str], enodes: Sequence[str]) -> MeasuredSync:
        """
        How a fresh node syncs from ``enodes``. One that does not begin is tried once more: on a
        busy machine Trinity's peer pool may come up so late that it waits minutes for a peer.

        :raise NodeFailed: the second one did not begin either
        """
        try:
            return await self._measure(scheme, enodes)
        except NodeFailed as err:
            logger.warning("%s", err)
            return await self._measure(scheme, enodes)

    async def _measure(self, scheme: Optional[str], enodes: Sequence[str]) -> MeasuredSync:
        config = self.configure(scheme, enodes)
        async with NodeProcess.run(config) as node:
            probe = HeadProbe(config.data_dir)
            meter = _ImportMeter(node)
            on_start = meter.start if scheme is not None else lambda: None
            try:
                await probe.wait_for(1, START_TIMEOUT)
            except asyncio.TimeoutError:
                raise NodeFailed(f"a node did not begin to sync:\n{node.log_tail(40)}") from None
            sync = await probe.time_sync(self._source.blocks, SYNC_TIMEOUT, on_start)
            busy = meter.read() / sync.seconds if scheme is not None else 0.0
            await node.stop()
        shutil.rmtree(config.data_dir)
        return MeasuredSync(sync.rate, busy)


def find_chain(name: str) -> Path:
    """
    The directory of a chain of another client.

    :raise FileNotFoundError: it is not there
    """
    path = Path(os.environ.get("BLOCKIO_CHAINS", CHAINS)) / name
    if not path.exists():
        raise FileNotFoundError(f"no chain in {path}: set BLOCKIO_CHAINS to where {name} is")
    return path


def prepare(chain: Path, data_dir: Path, limit: Optional[int] = None) -> SourceChain:
    """Import ``chain``, up to block ``limit``, into a new data directory."""
    genesis = chain / "genesis.json"
    config = read_chain_config(genesis)
    blocks = list(read_blocks(chain / "chain.rlp"))[:limit]
    with open_data_dir(data_dir, genesis, config.chain_id) as db:
        import_chain(db, config, blocks)
    batches = (b"".join(blocks[i : i + WIRE_BATCH]) for i in range(0, len(blocks), WIRE_BATCH))
    wire_bytes = sum(len(snappy.compress(batch)) for batch in batches)
    return SourceChain(
        data_dir, genesis, config.chain_id, len(blocks), wire_bytes / len(blocks)
    )


async def measure_loopback(bench: Bench, display: Display) -> List[Figure]:
    """One peer on loopback: both schemes, and Trinity's own syncer."""
    schemes = ("number", "slot:30", None)
    best = {scheme: 0.0 for scheme in schemes}
    async with contextlib.AsyncExitStack() as stack:
        by_number, by_slot = await start_nodes(
            stack,
            [bench.configure(scheme, holds_chain=True) for scheme in ("number", "slot:30")],
        )
        for _ in range(ROUNDS):
            for scheme in schemes:
                server = by_slot if scheme == "slot:30" else by_number
                rate = (await bench.measure(scheme, [server.enode()])).rate
                display.say(f"{scheme or 'full sync of Trinity'}: {rate:.0f} blocks/s")
                best[scheme] = max(best[scheme], rate)
    number, slot, trinity = (best[scheme] for scheme in schemes)
    return [
        Figure("number, beside Trinity's full sync", number, "blocks/s", trinity, 1.0),
        Figure("slot:30 (4.5 million views), beside number", slot, "blocks/s", number, 0.8),
    ]


async def measure_shaped(bench: Bench, rate: float, display: Display) -> List[Figure]:
    """One peer and two peers, each behind a link of ``rate`` bytes/s."""
    async with contextlib.AsyncExitStack() as stack:
        servers = await start_nodes(
            stack, [bench.configure("number", holds_chain=True) for _ in range(2)]
        )
        links = [
            await stack.enter_async_context(ShapedLink.open(server.port, rate))
            for server in servers
        ]
        enodes = [server.enode(link.port) for server, link in zip(servers, links)]
        one = (await bench.measure("number", enodes[:1])).rate
        display.say(f"one peer behind a shaped link: {one:.0f} blocks/s")
        two = (await bench.measure("number", enodes)).rate
        display.say(f"two peers behind shaped links: {two:.0f} blocks/s")
    return [
        Figure("one peer behind a link, beside the link", one, "blocks/s", SHAPED_RATE, None),
        Figure("two peers, beside one", two, "blocks/s", one, 1.7),
    ]


async def measure(run: BenchRun) -> None:
    """All figures of this part."""
    loop = asyncio.get_event_loop()
    chain, directory, display = find_chain("geth-2020"), run.directory, run.display
    display.say("importing the chain of go-ethereum for the nodes that serve")
    if LOOPBACK in run.sections:
        full = await loop.run_in_executor(None, prepare, chain, directory / "full")
        run.figures.extend(await measure_loopback(Bench(directory, full), display))
    if SHAPED in run.sections:
        short = await loop.run_in_executor(
            None, prepare, chain, directory / "short", SHAPED_BLOCKS
        )
        rate = SHAPED_RATE * short.block_bytes
        run.figures.extend(await measure_shaped(Bench(directory / "shaped", short), rate, display))


PART = Part((LOOPBACK, SHAPED), measure)
"""This part."""
