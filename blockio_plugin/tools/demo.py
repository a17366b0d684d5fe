"""
Four real nodes on loopback: three that have a chain, one that wants it.

Mines the chain of ``fixtures/demo``, starts an archive, a node with the lower half only and an
archive behind a slow link, and lets a fresh node sync from all three.
"""
import argparse
import asyncio
import contextlib
from pathlib import Path
import shutil
import signal
import sys
import tempfile
from typing import Dict, List, NamedTuple

from rich.console import Console
from rich.table import Table

from blockio_plugin.events import BlockIOStatus, PeerStatus
from blockio_plugin.tools.chain_builder import Recipe, build_data_dir, read_recipe
from blockio_plugin.tools.display import Display
from blockio_plugin.tools.node_process import NodeConfig, NodeFailed, NodeProcess, start_nodes
from blockio_plugin.tools.shaped_link import ShapedLink

RECIPE = Path("fixtures") / "demo" / "chain.toml"
"""What to mine, seen from the top of the repository."""

SLOW_LINK_RATE = 20_000.0
"""Bytes/s of the slow link: some 30 blocks/s of this chain."""

SYNC_TIMEOUT = 120.0
"""Seconds that the sync may take."""


class Source(NamedTuple):
    """A node that has blocks, and the address that the fresh node knows it by."""

    name: str
    node: NodeProcess
    enode: str


class Outcome(NamedTuple):
    """How the sync ended."""

    status: BlockIOStatus
    seconds: float


def mine(recipe: Recipe, directory: Path, display: Display) -> bytes:
    """Make the data directories of the nodes that serve; the hash of the head."""
    with display.stage("mining", recipe.blocks) as update:
        build_data_dir(recipe, directory / "half", recipe.blocks // 2)
        shutil.copytree(directory / "half", directory / "archive")
        head = build_data_dir(
            recipe, directory / "archive", progress=lambda done, _: update(done, "blocks")
        )
        shutil.copytree(directory / "archive", directory / "slow")
    return head


def configure(recipe: Recipe, directory: Path, name: str, enodes: List[str]) -> NodeConfig:
    """A node of the network."""
    return NodeConfig(
        data_dir=directory / name,
        genesis=recipe.genesis,
        network_id=recipe.network_id,
        view_scheme=recipe.scheme,
        preferred_nodes=tuple(enodes),
    )


async def follow(node: NodeProcess, head: bytes, total: int, display: Display) -> Outcome:
    """Watch ``node`` until its head is ``head``."""
    loop = asyncio.get_event_loop()
    started_at = loop.time()
    with display.stage("syncing", total) as update:
        async for status in node.watch():
            seconds = loop.time() - started_at
            rate = status.head_number / seconds if seconds else 0.0
            detail = f"blocks, {rate:.0f} blocks/s, {len(status.peers)} peers"
            if status.idle_reason:
                detail += f", {status.idle_reason}"
            update(status.head_number, detail)
            if status.head_hash == head:
                return Outcome(status, seconds)
    raise NodeFailed("the node ended")


def make_table(status: BlockIOStatus, names: Dict[str, str]) -> Table:
    """Who delivered what."""
    table = Table(title="Who delivered what")
    columns = ("peer", "covers up to view", "blocks", "ms per block")
    for title in columns:
        table.add_column(title, justify="left" if title == "peer" else "right")
    for peer in sorted(status.peers, key=lambda peer: -peer.blocks):
        table.add_row(*describe(peer, names))
    return table


def describe(peer: PeerStatus, names: Dict[str, str]) -> List[str]:
    """The row of one peer."""
    return [
        names.get(peer.session.remote.pubkey.to_hex(), "?"),
        "-" if peer.head_view is None else str(peer.head_view),
        str(peer.blocks),
        "-" if peer.score is None else f"{peer.score * 1000:.1f}",
    ]


async def run(recipe: Recipe, directory: Path, display: Display) -> int:
    """The whole demo; the exit status."""
    loop = asyncio.get_event_loop()
    head = await loop.run_in_executor(None, mine, recipe, directory, display)
    async with contextlib.AsyncExitStack() as stack:
        display.say("starting an archive, a node with the lower half, and one behind a slow link")
        nodes = await start_nodes(
            stack, [configure(recipe, directory, name, []) for name in ("archive", "half", "slow")]
        )
        link = await stack.enter_async_context(ShapedLink.open(nodes[2].port, SLOW_LINK_RATE))
        sources = [
            Source("archive", nodes[0], nodes[0].enode()),
            Source("lower half", nodes[1], nodes[1].enode()),
            Source("slow link", nodes[2], nodes[2].enode(link.port)),
        ]
        display.say("starting a fresh node")
        config = configure(recipe, directory, "fresh", [source.enode for source in sources])
        fresh = await stack.enter_async_context(NodeProcess.run(config))
        outcome = await asyncio.wait_for(follow(fresh, head, recipe.blocks, display), SYNC_TIMEOUT)
        names = {source.node.key.public_key.to_hex(): source.name for source in sources}
        display.console.print(make_table(outcome.status, names))
        display.say(
            f"block {outcome.status.head_number}, head 0x{head.hex()}: the same as the archive's, "
            f"after {outcome.seconds:.1f} s"
        )
        await asyncio.gather(fresh.stop(), *(source.node.stop() for source in sources))
    return 0


def main() -> int:
    """Run the demo in a directory that is gone afterwards."""
    parser = argparse.ArgumentParser(
        prog="demo", description="Sync a chain between four real nodes on this machine"
    )
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="the chain to mine")
    args = parser.parse_args()
    if not args.recipe.exists():
        parser.error(f"--recipe {args.recipe}: no such file; run it from the top of the repository")
    display = Display(Console())
    loop = asyncio.get_event_loop()
    # The paths of sockets in it have to stay below some 100 characters.
    with tempfile.TemporaryDirectory(prefix="blockio-") as directory:
        demo = loop.create_task(run(read_recipe(args.recipe), Path(directory), display))
        for sig in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sig, demo.cancel)
        try:
            return loop.run_until_complete(demo)
        except asyncio.CancelledError:
            display.say("interrupted: all nodes are stopped")
            return 130
        except (NodeFailed, asyncio.TimeoutError) as err:
            display.say(f"failed: {err or 'the sync took too long'}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
