"""Real nodes on different branches of one chain: all end on the one of most total difficulty."""
import asyncio
import json
from pathlib import Path
from typing import Any, Callable, Iterator

from eth.db.chain import ChainDB
import pytest
import rlp

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.chain_builder import Recipe, build_data_dir, iterate_blocks
from blockio_plugin.tools.chain_files import read_chain_config
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeConfig, NodeProcess

pytestmark = pytest.mark.integration

REORGANISATION_TIMEOUT = 60.0
"""Seconds for a reorganisation of two thousand blocks on a busy machine, most."""

FAST, SLOW = 4, 900
"""Seconds between blocks whose difficulty rises, and falls by a twentieth each."""

TRUNK = 10
"""Blocks that all branches have in common."""


class Branch:
    """A chain in a data directory."""

    def __init__(self, recipe: Recipe, data_dir: Path, scheme: str) -> None:
        self._recipe = recipe
        self._data_dir = data_dir
        self._scheme = scheme
        self.head_hash = b""

    def mine(self, blocks: int, seconds: int, seed: int) -> "Branch":
        """Add blocks of so many seconds on top of the trunk."""
        trunk = self._recipe._replace(blocks=TRUNK, slot_seconds=5)
        build_data_dir(trunk, self._data_dir)
        top = self._recipe._replace(blocks=TRUNK + blocks, slot_seconds=seconds, seed=seed)
        self.head_hash = build_data_dir(top, self._data_dir)
        return self

    def store(self, other: "Branch", with_py_evm_alone: bool) -> None:
        """Import the other chain's blocks above the trunk too; they lose."""
        recipe = self._recipe
        with open_data_dir(other._data_dir, recipe.genesis, recipe.network_id) as db:
            head_number = ChainDB(db).get_canonical_head().block_number
            blocks = tuple(iterate_blocks(db, TRUNK + 1, head_number))
        chain_class = read_chain_config(recipe.genesis).full_chain_class
        with open_data_dir(self._data_dir, recipe.genesis, recipe.network_id) as db:
            if with_py_evm_alone:
                chain = chain_class(db)
                block_class = chain.get_vm_class_for_block_number(1).get_block_class()
                for block in blocks:
                    chain.import_block(rlp.decode(block, sedes=block_class))
            else:
                importer = BlockImporter(db, chain_class, NumberScheme())
                assert importer.import_blocks(blocks).result.failure is None
            assert ChainDB(db).get_canonical_head().hash == self.head_hash

    def configure(self, *enodes: str) -> NodeConfig:
        return NodeConfig(
            data_dir=self._data_dir,
            genesis=self._recipe.genesis,
            network_id=self._recipe.network_id,
            view_scheme=self._scheme,
            preferred_nodes=enodes,
        )


@pytest.fixture
def make_branch(mined: Any, directory: Path) -> Iterator[Callable[[str, str], Branch]]:
    genesis = json.loads(mined.recipe.genesis.read_text())
    # Far above the least difficulty, so that it can fall.
    genesis["genesis"]["difficulty"] = hex(2 ** 26)
    path = directory / "genesis.json"
    path.write_text(json.dumps(genesis))
    recipe = mined.recipe._replace(
        genesis=path, skip_probability=0.0, transfer_every=50, transfers=1
    )
    yield lambda name, scheme: Branch(recipe, directory / name, scheme)


@pytest.mark.parametrize(
    "scheme, our_blocks, our_seconds, their_blocks",
    [
        ("number", 1, SLOW, 1),
        # Fewer blocks, and so a lower head, but more difficulty.
        ("slot:1", 200, SLOW, 198),
        ("number", 2000, FAST, 2005),
    ],
)
async def test_a_branch_of_more_difficulty_wins(
    make_branch: Callable[[str, str], Branch],
    scheme: str,
    our_blocks: int,
    our_seconds: int,
    their_blocks: int,
) -> None:
    ours = make_branch("ours", scheme).mine(our_blocks, our_seconds, 1)
    theirs = make_branch("theirs", scheme).mine(their_blocks, FAST, 2)
    async with NodeProcess.run(theirs.configure()) as peer:
        async with NodeProcess.run(ours.configure(peer.enode())) as node:
            probe = HeadProbe(node.config.data_dir)

            async def reorganise() -> None:
                while probe.fetch().hash != theirs.head_hash:
                    await asyncio.sleep(0.1)

            await asyncio.wait_for(reorganise(), REORGANISATION_TIMEOUT)
            assert HeadProbe(peer.config.data_dir).fetch().hash == theirs.head_hash
            for each in (node, peer):
                assert "Dropping" not in each.log()
                assert "Traceback (most recent call last)" not in each.log()


@pytest.mark.parametrize("scheme", ["number", "slot:1"])
@pytest.mark.parametrize("with_py_evm_alone", [False, True])
async def test_a_chain_goes_on_after_a_longer_branch_was_stored(
    make_branch: Callable[[str, str], Branch], scheme: str, with_py_evm_alone: bool
) -> None:
    ours = make_branch("ours", scheme).mine(20, FAST, 1)
    longer = make_branch("longer", scheme).mine(21, SLOW, 2)
    ahead = make_branch("ahead", scheme).mine(40, FAST, 1)
    ours.store(longer, with_py_evm_alone)
    async with NodeProcess.run(ahead.configure()) as best:
        async with NodeProcess.run(longer.configure(best.enode())) as other:
            async with NodeProcess.run(ours.configure(best.enode(), other.enode())) as node:
                probes = [HeadProbe(each.config.data_dir) for each in (node, other)]

                async def follow() -> None:
                    while any(probe.fetch().hash != ahead.head_hash for probe in probes):
                        await asyncio.sleep(0.1)

                await asyncio.wait_for(follow(), REORGANISATION_TIMEOUT)
                for each in (node, other, best):
                    assert "Dropping" not in each.log()
                    assert "Traceback (most recent call last)" not in each.log()
