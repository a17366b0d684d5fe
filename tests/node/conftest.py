"""A chain of the demo's recipe, with skipped views and transfers, on a real LevelDB."""
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Tuple

from eth.chains.base import Chain
from eth.db.backends.level import LevelDB
from eth_typing import BlockNumber
import pytest
from trinity.config import Eth1ChainConfig

from blockio_plugin.rules.schemes import ViewScheme, parse_scheme
from blockio_plugin.tools.chain_builder import Recipe, build_chain, iterate_blocks, read_recipe
from blockio_plugin.tools.chain_files import read_chain_config

RECIPE = Path(__file__).parent.parent.parent / "fixtures" / "demo" / "chain.toml"

CHAIN_LENGTH = 60
"""Blocks above genesis; enough for some to have more transactions than a trie has branches."""


class BuiltChain(NamedTuple):
    """A chain and how to read it: ``blocks[n]`` and ``views[n]`` are those of block ``n``."""

    db: LevelDB
    chain: Chain
    scheme: ViewScheme
    blocks: Tuple[bytes, ...]
    views: Tuple[int, ...]


OpenDB = Callable[[str], LevelDB]


@contextmanager
def _open_databases(folder: Path) -> Iterator[OpenDB]:
    opened = []

    def open_db(name: str) -> LevelDB:
        db = LevelDB(folder / name)
        opened.append(db)
        return db

    try:
        yield open_db
    finally:
        for db in opened:
            db.db.close()


@pytest.fixture
def open_db(tmp_path: Path) -> Iterator[OpenDB]:
    """Makes a new LevelDB of some name; closed after the test."""
    with _open_databases(tmp_path) as open_db:
        yield open_db


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Twenty transfers in every tenth block."""
    return read_recipe(RECIPE)._replace(blocks=CHAIN_LENGTH, transfer_every=10, transfers=20)


@pytest.fixture(scope="session")
def config(recipe: Recipe) -> Eth1ChainConfig:
    return read_chain_config(recipe.genesis)


@pytest.fixture(scope="session")
def built(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuiltChain]:
    """The chain; not to be written to."""
    with _open_databases(tmp_path_factory.mktemp("built")) as open_db:
        yield describe(recipe, open_db("chain"))


def describe(recipe: Recipe, db: LevelDB) -> BuiltChain:
    """Bring the chain in ``db`` to the recipe's length and read it."""
    chain = build_chain(recipe, db)
    genesis = chain.get_canonical_block_header_by_number(BlockNumber(0))
    scheme = parse_scheme(recipe.scheme).bind(genesis)
    head = chain.get_canonical_head().block_number
    headers = [
        chain.get_canonical_block_header_by_number(BlockNumber(number))
        for number in range(head + 1)
    ]
    return BuiltChain(
        db,
        chain,
        scheme,
        tuple(iterate_blocks(db, 0, head)),
        tuple(scheme.view_of(header) for header in headers),
    )


Fork = Callable[[int, int, int], BuiltChain]


@pytest.fixture(scope="session")
def fork(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """
    Gives a chain of some length that leaves the built one above block ``fork``, drawn from another
    seed; not to be written to.
    """
    with _open_databases(tmp_path_factory.mktemp("forks")) as open_db:

        @lru_cache(maxsize=None)
        def make(fork: int, seed: int, length: int) -> BuiltChain:
            db = open_db(f"{fork}-{seed}-{length}")
            build_chain(recipe, db, fork)
            return describe(recipe._replace(seed=seed, blocks=length), db)

        yield make
