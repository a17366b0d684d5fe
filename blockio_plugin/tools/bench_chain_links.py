"""Syncs from three peers of which two are of little use, and serving while importing."""
import asyncio
import contextlib
from itertools import count
from math import inf
from pathlib import Path
import shutil
from typing import List, NamedTuple, Optional, Sequence

from eth.db.atomic import AtomicDB

from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.tools.bench_report import Figure, make_median_figure
from blockio_plugin.tools.bench_sync import SHAPED_RATE, SYNC_TIMEOUT, Bench, SourceChain
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config
from blockio_plugin.tools.display import Display
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeProcess, start_nodes
from blockio_plugin.tools.scripted_peer import ScriptedPeer
from blockio_plugin.tools.shaped_link import ShapedLink

PEERS = 3
"""Nodes that hold the chain."""

SLOWER = 10
"""Times that the slow one of them is slower."""

LOOPBACK_RATE = 500.0
"""Blocks/s that a peer brings where no link is shaped: about what can be imported."""

ROUNDS = 3
"""Times that the syncs without thin links are measured, in turn; the median ratio counts."""

ANSWER_BLOCKS = 128
"""Blocks in one answer that is served."""

PIPELINE = 4
"""Requests that the peer which is served keeps open."""

SERVING_TIME = 3.0
"""Seconds for which serving is measured, idle and while importing, which takes some seconds."""

ANSWER_TIMEOUT = 20.0
"""Seconds for one answer, most."""


class _Sync(NamedTuple):
    rate: float
    """Blocks/s."""
    silent_after: float
    """The part of the time after which the silent link carried nothing; 1 where none is."""


async def _sync(
    bench: Bench,
    scheme: Optional[str],
    servers: Sequence[NodeProcess],
    rates: Sequence[Optional[float]],
    silent: Optional[int],
    blocks: int,
) -> _Sync:
    """Sync a fresh node behind links of these rates; ``silent`` carries nothing half-way."""
    loop = asyncio.get_event_loop()
    started_at = silent_at = inf

    def note_start() -> None:
        nonlocal started_at
        started_at = loop.time()

    async with contextlib.AsyncExitStack() as stack:
        links = [
            await stack.enter_async_context(ShapedLink.open(server.port, rate))
            for server, rate in zip(servers, rates)
        ]
        enodes = [server.enode(link.port) for server, link in zip(servers, links)]
        config = bench.configure(scheme, enodes)
        async with NodeProcess.run(config) as node:
            probe = HeadProbe(config.data_dir)

            async def fall_silent() -> None:
                nonlocal silent_at
                await probe.wait_for(blocks // 2, SYNC_TIMEOUT)
                if silent is not None:
                    links[silent].rate = 0.0
                    silent_at = loop.time()

            falling = asyncio.ensure_future(fall_silent())
            try:
                sync = await probe.time_sync(blocks, SYNC_TIMEOUT, note_start)
            finally:
                falling.cancel()
                await asyncio.gather(falling, return_exceptions=True)
            await node.stop()
        shutil.rmtree(config.data_dir)
    return _Sync(sync.rate, min(1.0, (silent_at - started_at) / sync.seconds))


async def measure_hindered(
    source: SourceChain, directory: Path, display: Display
) -> List[Figure]:
    """Three peers, of which one is ten times slower and one falls silent half-way."""
    bench = Bench(directory, source)
    block = source.block_bytes
    async with contextlib.AsyncExitStack() as stack:
        servers = await start_nodes(
            stack, [bench.configure("number", holds_chain=True) for _ in range(PEERS)]
        )
        slow = LOOPBACK_RATE / SLOWER * block
        figures: List[Figure] = []
        for name, scheme, rounds, wanted in (
            ("ours", "number", ROUNDS, 0.85),
            ("Trinity's", None, 1, None),
        ):
            healthy: List[float] = []
            hindered: List[float] = []
            for _ in range(rounds):
                sync = await _sync(bench, scheme, servers, [None] * PEERS, None, source.blocks)
                healthy.append(sync.rate)
                sync = await _sync(bench, scheme, servers, [None, slow, None], 2, source.blocks)
                hindered.append(sync.rate)
                display.say(
                    f"{name}: {healthy[-1]:.0f}/s from three, {hindered[-1]:.0f}/s hindered"
                )
            figures.append(
                make_median_figure(
                    f"slow and silent peers, {name}", hindered, "blocks/s", healthy, wanted
                )
            )
        full = SHAPED_RATE * block
        shaped = await _sync(
            bench, "number", servers, [full, full / SLOWER, full], 2, source.blocks
        )
        # One healthy link all the time, the other until it fell silent. The slow one comes on top.
        carried = SHAPED_RATE * (1 + shaped.silent_after)
        display.say(f"links of {SHAPED_RATE:.0f}/s: {shaped.rate:.0f}/s of {carried:.0f}/s")
        figures.append(
            Figure("the same over thin links", shaped.rate, "blocks/s", carried, 0.85)
        )
    return figures


class _Served(NamedTuple):
    rate: float
    """Answers/s."""
    delay: float
    """Seconds, 95th percentile."""


async def _ask(peer: ScriptedPeer, ids: "count[int]") -> _Served:
    """Ask for the same blocks again and again."""
    loop = asyncio.get_event_loop()
    asked = {}
    delays: List[float] = []
    started_at = loop.time()

    def ask() -> None:
        request_id = next(ids)
        asked[request_id] = loop.time()
        peer.api.send_request(GetBlocksByView(request_id, 1, ANSWER_BLOCKS, ANSWER_BLOCKS))

    for _ in range(PIPELINE):
        ask()
    while asked:
        answer = await asyncio.wait_for(peer.inbox.get(), ANSWER_TIMEOUT)
        if isinstance(answer, BlocksByView):
            delays.append(loop.time() - asked.pop(answer.request_id))
            if len(answer.blocks) != ANSWER_BLOCKS:
                raise RuntimeError(f"{len(answer.blocks)} blocks in an answer")
            if loop.time() < started_at + SERVING_TIME:
                ask()
    elapsed = loop.time() - started_at
    return _Served(len(delays) / elapsed, sorted(delays)[int(0.95 * len(delays))])


async def measure_serving(
    source: SourceChain, directory: Path, display: Display
) -> List[Figure]:
    """Answers of 128 small blocks by a node that imports at the same time, and by an idle one."""
    bench = Bench(directory, source)
    db = AtomicDB()
    config = read_chain_config(source.genesis)
    initialize_chain(db, config)
    chain = config.full_chain_class(db)
    ids = count(1)
    async with NodeProcess.run(bench.configure("number", holds_chain=True)) as server:
        follows = bench.configure("number", [server.enode()])
        async with NodeProcess.run(follows) as node:
            probe = HeadProbe(follows.data_dir)
            async with ScriptedPeer.connect(node.enode(), chain, db, source.network_id) as peer:
                await probe.wait_for(2 * ANSWER_BLOCKS, SYNC_TIMEOUT)
                busy = await _ask(peer, ids)
                head = probe.fetch()
                if head.number >= source.blocks:
                    raise RuntimeError("the import was over before serving was measured")
                await probe.wait_for(source.blocks, SYNC_TIMEOUT)
                idle = await _ask(peer, ids)
    display.say(
        f"serving: {busy.rate:.0f}/s while importing, {idle.rate:.0f}/s idle; 95 % within "
        f"{busy.delay * 1000:.0f} and {idle.delay * 1000:.0f} ms"
    )
    return [
        Figure("answers while importing, beside idle", busy.rate, "answers/s", idle.rate, 0.5),
        Figure("4 x delay when idle, beside importing", 4 * idle.delay, "s", busy.delay, 1.0),
    ]
