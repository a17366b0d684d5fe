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
from blockio_plugin.tools.node_process import NodeConfig, NodeFailed, NodeProcess
from blockio_plugin.tools.shaped_link import ShapedLink

RECIPE = Path("fixtures") / "demo" / "chain.toml"
"""What to mine, seen from the top of the repository."""

SLOW_LINK_RATE = 20_000.0
"""Bytes/s of the slow link: some 30 blocks/s of this chain."""

SYNC_TIMEOUT = 300.0
"""Seconds that the sync may take. It takes some 10 on two idle cores."""

SOURCES = {
    "archive": "an archive",
    "half": "a node with the lower half",
    "slow": "an archive behind a slow link",
}
"""The nodes that have blocks, by the names of their directories."""

START_ATTEMPTS = 3
"""Times that a node is started, most. On a busy machine Trinity's own time-outs can end a start."""


class Source(NamedTuple):
    """A node that has blocks, and the address that the fresh node knows it by."""

    name: str
    node: NodeProcess
    enode: str


class DemoFailed(Exception):
    """The demo cannot go on. The message says why in one line."""


class Outcome(NamedTuple):
    """How the sync ended."""

    status: BlockIOStatus
    seconds: float


def mine(recipe: Recipe, directory: Path, display: Display) -> bytes:
    """Make the data directories of the nodes that serve; the hash of the head."""
    with display.stage("mining", recipe.blocks) as update:

        def report(done: int, _: int) -> None:
            update(done, "blocks")

        build_data_dir(recipe, directory / "half", recipe.blocks // 2, report)
        shutil.copytree(directory / "half", directory / "archive")
        head = build_data_dir(recipe, directory / "archive", progress=report)
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


async def start(
    stack: contextlib.AsyncExitStack, config: NodeConfig, name: str, display: Display
) -> NodeProcess:
    """
    Start a node, if need be several times; ``stack`` ends it.

    :raise DemoFailed: it did not come up
    """
    for attempt in range(1, START_ATTEMPTS + 1):
        display.begin(f"starting {name}")
        try:
            return await stack.enter_async_context(NodeProcess.run(config))
        except NodeFailed as err:
            display.say(f"{name} did not start ({attempt} of {START_ATTEMPTS}): {err.reason}")
    raise DemoFailed(f"{name} did not start")


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
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(display.never_silent())
        head = await loop.run_in_executor(None, mine, recipe, directory, display)
        nodes = [
            await start(stack, configure(recipe, directory, key, []), name, display)
            for key, name in SOURCES.items()
        ]
        link = await stack.enter_async_context(ShapedLink.open(nodes[2].port, SLOW_LINK_RATE))
        sources = [
            Source("archive", nodes[0], nodes[0].enode()),
            Source("lower half", nodes[1], nodes[1].enode()),
            Source("slow link", nodes[2], nodes[2].enode(link.port)),
        ]
        config = configure(recipe, directory, "fresh", [source.enode for source in sources])
        fresh = await start(stack, config, "a fresh node", display)
        try:
            following = follow(fresh, head, recipe.blocks, display)
            outcome = await asyncio.wait_for(following, SYNC_TIMEOUT)
        except asyncio.TimeoutError:
            raise DemoFailed(f"the sync took more than {SYNC_TIMEOUT:.0f} s") from None
        names = {source.node.key.public_key.to_hex(): source.name for source in sources}
        display.console.print(make_table(outcome.status, names))
        display.say(
            f"block {outcome.status.head_number}, head 0x{head.hex()}: the same as the archive's, "
            f"after {outcome.seconds:.1f} s"
        )
        display.begin("stopping all nodes")
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
        except DemoFailed as err:
            display.say(f"failed: {err}")
        except NodeFailed as err:
            display.say(f"failed: a node ended: {err.reason}")
        except asyncio.TimeoutError:
            display.say("failed: a node did not stop")
        return 1


if __name__ == "__main__":
    sys.exit(main())
