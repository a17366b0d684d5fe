"""The example plugins, installed as packages, inside real nodes."""
import asyncio
import json
from pathlib import Path
from typing import Any, Callable, Tuple

from eth.abc import AtomicDatabaseAPI
import pytest

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.schemes import SlotScheme
from blockio_plugin.tools.chain_builder import Recipe
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import QUIET_FLAGS, NodeConfig, NodeProcess
from blockio_plugin.tools.plugin_install import install_package

pytestmark = pytest.mark.integration

PLUGINS = Path(__file__).parent.parent.parent / "fixtures" / "plugins"

SYNC_TIMEOUT = 60.0
"""Seconds for a sync of some hundred blocks, most."""

LOG_TIMEOUT = 30.0
"""Seconds for a line to appear in a log, most."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs plugins for the nodes that are started from now on."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def install(*names: str) -> None:
        for name in names:
            install_package(PLUGINS / name, tmp_path)

    return install


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
    mined: Any, directory: Path, install: Callable[..., None]
) -> None:
    install("peer_report", "view_archive")
    file = directory / "blocks"
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        async for status in archive.watch():
            head_view = status.head_view
            break
        flags = ("--report-blockio", "--archive-views", f"0-{head_view}", "--archive-file")
        config = mined.configure(directory / "f", False, archive.enode())
        config = config._replace(flags=(*QUIET_FLAGS, *flags, str(file)))
        async with NodeProcess.run(config) as fresh:
            head = await HeadProbe(config.data_dir).wait_for(mined.recipe.blocks, SYNC_TIMEOUT)
            assert head.hash == mined.head_hash
            await wait_logged(fresh, "Archived to")
            await wait_logged(fresh, f"Head at view {head_view} of {head_view}")
            await wait_logged(fresh, "ms per block, it supplied its first blocks")
            assert f"{mined.recipe.blocks} imported in" in fresh.log()
            assert find_failures(fresh.log()) == ""
            await fresh.stop()
            assert fresh.processes() == ()
    genesis = json.loads(mined.recipe.genesis.read_text())["genesis"]
    scheme = SlotScheme(mined.recipe.slot_seconds, int(genesis["timestamp"], 16))
    lines = [line.split() for line in file.read_text().splitlines()]
    assert len(lines) == mined.recipe.blocks + 1
    blocks = sorted(decode_block(bytes.fromhex(line[2]), scheme) for line in lines)
    assert sorted((int(line[0]), line[1]) for line in lines) == [
        (block.view, block.hash.hex()) for block in blocks
    ]
    assert [block.number for block in blocks] == list(range(mined.recipe.blocks + 1))
    assert blocks[-1].hash == mined.head_hash
    assert ", 0 missing" in fresh.log()


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
    mined: Any, directory: Path, install: Callable[..., None]
) -> None:
    install("extra_data_scheme")
    recipe, blocks = mined.recipe, 150

    def configure(name: str, *enodes: str) -> NodeConfig:
        return NodeConfig(
            data_dir=directory / name,
            genesis=recipe.genesis,
            network_id=recipe.network_id,
            view_scheme="extra-data",
            preferred_nodes=enodes,
        )

    with open_data_dir(directory / "a", recipe.genesis, recipe.network_id) as db:
        view, head_hash = mine_rounds(recipe, db, blocks)
    async with NodeProcess.run(configure("a")) as archive:
        config = configure("f", archive.enode())
        async with NodeProcess.run(config) as fresh:
            head = await HeadProbe(config.data_dir).wait_for(blocks, SYNC_TIMEOUT)
            assert head.hash == head_hash
            async for status in fresh.watch():
                if status.head_number == blocks:
                    assert (status.scheme, status.head_view) == ("extra-data", view)
                    break
            assert find_failures(fresh.log()) == ""
        assert find_failures(archive.log()) == ""
