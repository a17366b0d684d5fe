"""Chains with branches of chosen lengths and weights, in memory, mined once for all tests."""
from functools import lru_cache
import json
from pathlib import Path
from typing import Callable, List, NamedTuple, Tuple

from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.chain_builder import Recipe, build_chain, iterate_blocks
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config

FAST, SLOW = 4, 900
"""Seconds between blocks whose difficulty rises, and falls by a twentieth each."""

TRUNK_SECONDS = 5
"""Seconds between blocks of what the branches have in common."""

FIRST_DIFFICULTY = 2 ** 26
"""Of the genesis: far above the least, so that it can fall."""


class Branches(NamedTuple):
    """Blocks above genesis up to a fork, and of branches above it."""

    config: Eth1ChainConfig
    trunk: Tuple[bytes, ...]
    tops: Tuple[Tuple[bytes, ...], ...]

    def blocks(self, index: int) -> Tuple[bytes, ...]:
        """The trunk and one branch."""
        return self.trunk + self.tops[index]

    def import_all(self, *indexes: int) -> AtomicDB:
        """A database of one's own into which these branches were imported, in this order."""
        branches = tuple(map(self.blocks, indexes))
        return AtomicDB(MemoryDB(dict(import_branches(self.config, branches).kv_store)))

    def head(self, *indexes: int) -> bytes:
        """The hash of the head after importing these branches, in this order."""
        chain = self.config.full_chain_class(self.import_all(*indexes))
        head_hash: bytes = chain.get_canonical_head().hash
        return head_hash


@lru_cache(maxsize=None)
def import_branches(config: Eth1ChainConfig, branches: Tuple[Tuple[bytes, ...], ...]) -> MemoryDB:
    """What holds the branches after their import, in this order; not to be written to."""
    kept = MemoryDB()
    db = AtomicDB(kept)
    initialize_chain(db, config)
    importer = BlockImporter(db, config.full_chain_class, NumberScheme())
    for blocks in branches:
        assert importer.import_blocks(blocks).result.failure is None
    return kept


Grow = Callable[..., Branches]
"""Mines a trunk of so many blocks and, on it, branches of so many blocks of so many seconds each:
``grow(20, (3, SLOW), (5, FAST))``. Branches of the same place and seconds share their blocks."""


def branch_grower(recipe: Recipe, folder: Path) -> Grow:
    """
    What mines branches, each once.

    :param folder: where their genesis may be written
    """
    genesis = json.loads(recipe.genesis.read_text())
    genesis["genesis"]["difficulty"] = hex(FIRST_DIFFICULTY)
    path = folder / "genesis.json"
    path.write_text(json.dumps(genesis))
    recipe = recipe._replace(genesis=path, skip_probability=0.0, transfer_every=20, transfers=2)
    config = read_chain_config(path)

    @lru_cache(maxsize=None)
    def grow(trunk: int, *tops: Tuple[int, int]) -> Branches:
        branches: List[Tuple[bytes, ...]] = []
        for seed, (length, seconds) in enumerate(tops):
            db = AtomicDB()
            build_chain(recipe._replace(slot_seconds=TRUNK_SECONDS), db, trunk)
            build_chain(recipe._replace(slot_seconds=seconds, seed=seed), db, trunk + length)
            branches.append(tuple(iterate_blocks(db, 1, trunk + length)))
        return Branches(
            config, branches[0][:trunk], tuple(branch[trunk:] for branch in branches)
        )

    return grow
