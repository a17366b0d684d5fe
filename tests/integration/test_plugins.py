"""The example plugins and what the page for authors shows, as packages, inside real nodes."""
import asyncio
import contextlib
from itertools import accumulate, islice
from pathlib import Path
import re
import tempfile
from textwrap import indent
from typing import Any, Callable, Tuple

from eth.abc import AtomicDatabaseAPI
import pytest

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.chain_builder import Recipe
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.docs_page import read_arguments, read_block
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import QUIET_FLAGS, NodeConfig, NodeProcess
from blockio_plugin.tools.plugin_install import COMPONENT_SETUP, install_package, write_package

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parent.parent.parent

PAGE = ROOT / "docs" / "plugins.md"

SYNC_TIMEOUT = 60.0
"""Seconds for a sync of some hundred blocks, most."""

LOG_TIMEOUT = 30.0
"""Seconds for a line to appear in a log, most."""

WATCHER = """
from trinity.extensibility import AsyncioIsolatedComponent
from blockio_plugin.client import fetch_views
{decode}

class Watcher(AsyncioIsolatedComponent):
    name = "Watcher"
    endpoint_name = "watcher"

    @property
    def is_enabled(self):
        return self._boot_info.args.report_blockio

    async def do_run(self, event_bus):
{snippets}
        self.logger.info("The scheme is %s", status.scheme)
        numbers = await asyncio.gather(self.fetch(event_bus, 8), self.fetch(event_bus, 64))
        self.logger.info("Both fetched %s", {{*numbers}})
        await asyncio.get_event_loop().create_future()

    async def fetch(self, event_bus, window):
        missing = True
        while missing:
            async with fetch_views(event_bus, ((0, {stop}),), window=window) as blocks:
                encoded = [block.rlp async for block in blocks]
            missing = blocks.completion.missing
        decoded = [decode(self._boot_info.trinity_config, rlp) for rlp in encoded]
        return sum(block.number for block in decoded)
"""
"""A component around the snippets that watch, and the one that decodes what it fetches."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has the nodes that are started from now on find these packages, and no others."""
    # What is printed is then there at once.
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")

    def install(*sources: Path) -> None:
        target = tempfile.mkdtemp(dir=tmp_path)
        monkeypatch.setenv("PYTHONPATH", target)
        for source in sources:
            install_package(source, Path(target))

    return install


def examples() -> Tuple[Path, ...]:
    """The packages that the page has one install."""
    return tuple(ROOT / folder for folder in read_arguments(PAGE, "pip install")[1:])


def follow(config: NodeConfig, text: str) -> NodeConfig:
    """
    The node of the page's command line that contains ``text``. What the page leaves out is where
    the node lives and whom it knows; the rest is Trinity's default.
    """
    flags = (*QUIET_FLAGS, *read_arguments(PAGE, text))
    return config._replace(view_scheme=None, sync_mode="beam", flags=flags)


async def wait_logged(node: NodeProcess, text: str) -> None:
    async def poll() -> None:
        while text not in node.log():
            assert node.is_running, node.log_tail()
            await asyncio.sleep(0.2)

    try:
        await asyncio.wait_for(poll(), LOG_TIMEOUT)
    except asyncio.TimeoutError:
        raise AssertionError(f"{text!r} was not logged:\n{node.log_tail(60)}") from None


async def test_report_and_archive(
    mined: Any,
    directory: Path,
    tmp_path: Path,
    install: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snippets = read_block(PAGE, "python", "event_bus.subscribe(")
    snippets += read_block(PAGE, "python", "event_bus.request(")
    decode = read_block(PAGE, "python", "def decode")
    blocks, head_hash = mined.recipe.blocks, mined.head_hash
    watcher = WATCHER.format(
        snippets=indent(snippets, " " * 8), decode=decode, stop=blocks + 1
    )
    setup = COMPONENT_SETUP.format(module="watcher", component="Watcher")
    write_package(tmp_path / "source", "watcher", watcher, setup)
    install(*examples(), tmp_path / "source")
    # The command line names the file without a directory.
    monkeypatch.chdir(directory)
    config = mined.configure(directory / "a", True)._replace(view_scheme="number")
    async with contextlib.AsyncExitStack() as stack:

        async def start(config: NodeConfig) -> NodeProcess:
            return await stack.enter_async_context(NodeProcess.run(config))

        source = await start(config)
        config = mined.configure(directory / "r", False, source.enode())
        report = await start(follow(config, "--report-blockio"))
        config = mined.configure(directory / "f", False, source.enode())
        archive = await start(follow(config, "--archive-views"))
        for node in (report, archive):
            head = await HeadProbe(node.config.data_dir).wait_for(blocks, SYNC_TIMEOUT)
            assert head.hash == head_hash
        await wait_logged(report, f"Head at view {blocks} of {blocks}")
        await wait_logged(report, "ms per block, it supplied its first blocks")
        await wait_logged(report, f" {head_hash.hex()}\n")
        assert f"{blocks} imported in" in report.log()
        printed = re.findall(r"^(\d+) ([0-9a-f]{64})$", report.log(), re.M)
        assert printed[-1][1] == head_hash.hex()
        assert "The scheme is number" in report.log()
        await wait_logged(report, f"Both fetched {{{blocks * (blocks + 1) // 2}}}")
        # Nobody has the views above the head.
        await wait_logged(archive, "Archived to blocks: 0 ranges empty, 0 unproven, 1 missing")
        for node in (report, archive):
            assert find_failures(node.log()) == ""
            await node.stop()
            assert node.processes() == ()
    lines = [line.split() for line in (directory / "blocks").read_text().splitlines()]
    assert len(lines) == blocks + 1
    archived = sorted(decode_block(bytes.fromhex(line[2]), NumberScheme()) for line in lines)
    assert sorted((int(line[0]), line[1]) for line in lines) == [
        (block.view, block.hash.hex()) for block in archived
    ]
    assert [block.number for block in archived] == list(range(blocks + 1))
    assert archived[-1].hash == head_hash
    # A component that starts late on a busy machine misses the first of them, and then none.
    numbers = {block.hash.hex(): block.number for block in archived}
    counted = accumulate(int(count) for count, _ in reversed(printed))
    assert [numbers[head] for _, head in printed[-2::-1]] == [
        blocks - count for count in islice(counted, len(printed) - 1)
    ]


def mine_rounds(recipe: Recipe, db: AtomicDatabaseAPI, blocks: int) -> Tuple[int, bytes]:
    """A chain that skips every third round and writes rounds into ``extra_data``: its head."""
    config = read_chain_config(recipe.genesis)
    initialize_chain(db, config)
    chain = config.full_chain_class(db)
    parent = chain.get_canonical_head()
    for number in range(1, blocks + 1):
        view = number * 3 // 2
        header = chain.create_header_from_parent(
            parent,
            timestamp=parent.timestamp + 1 + number % 7,
            gas_limit=parent.gas_limit,
            extra_data=view.to_bytes(8, "big") + b"round",
        )
        vm = chain.get_vm(header)
        filled, receipts, _ = vm.apply_all_transactions((), header)
        block = vm.set_block_transactions(vm.get_block(), filled, (), receipts)
        mined = vm.mine_block(block).block
        chain.chaindb.persist_block(mined)
        parent = mined.header
    return view, parent.hash


async def test_a_view_scheme_from_a_package(
    mined: Any, directory: Path, tmp_path: Path, install: Callable[..., None]
) -> None:
    """One node has the example's scheme, the other one the page's, and the page's component."""
    recipe, blocks = mined.recipe, 150

    def configure(name: str, *enodes: str) -> NodeConfig:
        config = NodeConfig(
            directory / name, recipe.genesis, recipe.network_id, preferred_nodes=enodes
        )
        return follow(config, "--blockio-view-scheme extra-data")

    counter = read_block(PAGE, "python", "class Counter")
    setup = read_block(PAGE, "ini", "trinity.components")
    write_package(tmp_path / "counter", "counter", counter, setup)
    scheme = read_block(PAGE, "python", "def view_of")
    setup = "[metadata]\nname = shown\n[options]\npy_modules = blockio_extra_data_scheme\n"
    setup += read_block(PAGE, "ini", "blockio_plugin.view_schemes")
    write_package(tmp_path / "scheme", "blockio_extra_data_scheme", scheme, setup)

    with open_data_dir(directory / "a", recipe.genesis, recipe.network_id) as db:
        view, head_hash = mine_rounds(recipe, db, blocks)
    install(*examples())
    async with NodeProcess.run(configure("a")) as archive:
        config = configure("f", archive.enode())
        install(tmp_path / "counter", tmp_path / "scheme")
        async with NodeProcess.run(config) as fresh:
            head = await HeadProbe(config.data_dir).wait_for(blocks, SYNC_TIMEOUT)
            assert head.hash == head_hash
            async for status in fresh.watch():
                if status.head_number == blocks:
                    assert (status.scheme, status.head_view) == ("extra-data", view)
                    break
            missing = ((view + 1, 1000), (5000, 6000))
            await wait_logged(fresh, f"{blocks + 1} blocks; nobody gave {missing}")
            assert find_failures(fresh.log()) == ""
        assert find_failures(archive.log()) == ""
