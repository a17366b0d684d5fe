import os
from pathlib import Path
import time
from typing import Any, List, Tuple, cast

from eth.abc import BlockAPI
from eth.db.atomic import AtomicDB
from eth.db.backends.level import LevelDB
from eth.db.chain import ChainDB
from eth_typing import BlockNumber
from eth_utils import ValidationError
import pytest
import rlp
from trinity.config import Eth1AppConfig, Eth1ChainConfig, TrinityConfig
from trinity.constants import APP_IDENTIFIER_ETH1
from trinity.initialization import is_data_dir_initialized, is_database_initialized

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.chain_reader import ChainReader
from blockio_plugin.node.scheme_check import check_scheme
from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.schemes import parse_scheme
from blockio_plugin.tools.chain_builder import (
    Recipe,
    build_chain,
    build_data_dir,
    iterate_blocks,
    read_recipe,
)
from blockio_plugin.tools.chain_files import (
    import_chain,
    initialize_chain,
    read_blocks,
    read_chain_config,
    store_chain,
)

ROOT = Path(__file__).parent.parent.parent
RECIPE = ROOT / "fixtures" / "demo" / "chain.toml"
CHAINS = Path(os.environ.get("BLOCKIO_CHAINS", ROOT.parent / "shared" / "chains"))
GETH_HEAD = bytes.fromhex("08b44ea0")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe(RECIPE)._replace(blocks=40)


@pytest.fixture(scope="module")
def config(recipe: Recipe) -> Eth1ChainConfig:
    return read_chain_config(recipe.genesis)


@pytest.fixture(scope="module")
def blocks(recipe: Recipe) -> Tuple[bytes, ...]:
    db = AtomicDB()
    build_chain(recipe, db)
    return tuple(iterate_blocks(db, 1, 40))


def test_same_recipe_gives_the_same_blocks(recipe: Recipe, blocks: Tuple[bytes, ...]) -> None:
    db = AtomicDB()
    chain = build_chain(recipe, db, blocks=15)
    assert chain.get_canonical_head().block_number == 15
    assert tuple(iterate_blocks(db, 1, 15)) == blocks[:15]
    # Going on later makes no difference, another seed does.
    build_chain(recipe, db)
    assert tuple(iterate_blocks(db, 1, 40)) == blocks
    other = AtomicDB()
    build_chain(recipe._replace(seed=1), other, blocks=15)
    assert tuple(iterate_blocks(other, 1, 15)) != blocks[:15]


def test_chain_is_what_the_recipe_says(recipe: Recipe) -> None:
    db = AtomicDB()
    chain = build_chain(recipe, db)
    genesis = chain.get_canonical_block_header_by_number(BlockNumber(0))
    scheme = parse_scheme(recipe.scheme).bind(genesis)
    check_scheme(db, scheme, lambda number, head: None)
    built: List[BlockAPI] = [chain.get_canonical_block_by_number(BlockNumber(n)) for n in range(41)]
    for block in built[1:]:
        expected = recipe.transfers if block.number % recipe.transfer_every == 0 else 0
        assert len(block.transactions) == expected
    # 40 blocks with 0.3 of the slots skipped: 57 views are expected, with a deviation of 5.
    assert 45 < scheme.view_of(built[40].header) < 75
    assert built[40].header.timestamp < time.time()
    transfer = built[recipe.transfer_every].transactions[0]
    assert transfer.sender == recipe.sender_key.public_key.to_canonical_address()
    # Protected against replay, as those of other clients are.
    assert cast(Any, transfer).v > 28


def test_whole_demo_chain_lies_in_the_past(recipe: Recipe, config: Eth1ChainConfig) -> None:
    blocks = read_recipe(RECIPE).blocks
    slots = blocks / (1 - recipe.skip_probability) * 2
    assert config.genesis_params.timestamp + slots * recipe.slot_seconds < time.time()


def test_progress_is_told(recipe: Recipe) -> None:
    seen = []
    build_chain(recipe, AtomicDB(), 120, lambda number, last: seen.append((number, last)))
    assert seen == [(50, 120), (100, 120), (120, 120)]


def test_bad_recipes(tmp_path: Path) -> None:
    text = RECIPE.read_text()
    path = tmp_path / "chain.toml"
    for field in ("skip_probability = 0.3", "slot_seconds = 12", "transfer_every = 5"):
        assert field in text
        name = field.split()[0]
        bad = "1.0" if name == "skip_probability" else "0"
        path.write_text(text.replace(field, f"{name} = {bad}"))
        with pytest.raises(ValueError, match=name):
            read_recipe(path)
        path.write_text(text.replace(field, ""))
        with pytest.raises(KeyError, match=name):
            read_recipe(path)


def test_trinity_accepts_the_data_dir(recipe: Recipe, tmp_path: Path) -> None:
    data_dir = tmp_path / "deep" / "node"
    head_hash = build_data_dir(recipe, data_dir, blocks=10)
    trinity_config = TrinityConfig(
        recipe.network_id,
        app_identifier=APP_IDENTIFIER_ETH1,
        genesis_config={},
        data_dir=data_dir,
    )
    assert is_data_dir_initialized(trinity_config)
    db = LevelDB(Eth1AppConfig(trinity_config, "none").database_dir)
    try:
        assert is_database_initialized(ChainDB(db))
        head = ChainDB(db).get_canonical_head()
        assert (head.block_number, head.hash) == (10, head_hash)
        assert head.state_root in db
    finally:
        db.db.close()
    # It can be opened again, to go on.
    assert build_data_dir(recipe, data_dir, blocks=11) != head_hash


def test_import_and_store_give_the_same_blocks(
    config: Eth1ChainConfig, blocks: Tuple[bytes, ...]
) -> None:
    imported, stored = AtomicDB(), AtomicDB()
    head = import_chain(imported, config, blocks)
    store_chain(stored, config, blocks)
    assert head.number == 40
    for db in (imported, stored):
        assert ChainDB(db).get_canonical_head().hash == head.hash
        assert ChainDB(db).get_chain_gaps() == ((), 41)
        assert tuple(iterate_blocks(db, 1, 40)) == blocks


def test_bad_block_is_neither_imported_nor_stored(
    config: Eth1ChainConfig, blocks: Tuple[bytes, ...]
) -> None:
    chain = config.full_chain_class
    block = rlp.decode(blocks[4], sedes=chain.get_vm_class_for_block_number(5).get_block_class())
    bad = (*blocks[:4], rlp.encode(block.copy(transactions=())))
    for load in (import_chain, store_chain):
        db = AtomicDB()
        with pytest.raises(ValidationError):
            load(db, config, bad)
        assert ChainDB(db).get_canonical_head().block_number < 5


def test_file_of_blocks(tmp_path: Path, blocks: Tuple[bytes, ...]) -> None:
    path = tmp_path / "chain.rlp"
    path.write_bytes(b"".join(blocks))
    assert tuple(read_blocks(path)) == blocks


GethChain = Tuple[Eth1ChainConfig, Tuple[bytes, ...]]


@pytest.fixture
def geth_chain() -> GethChain:
    folder = CHAINS / "geth-2020"
    if not folder.is_dir():
        pytest.skip(f"go-ethereum's chain is not in {folder}; BLOCKIO_CHAINS says where it is")
    blocks = tuple(read_blocks(folder / "chain.rlp"))
    return read_chain_config(folder / "genesis.json"), blocks


def test_chain_of_go_ethereum_is_served_as_it_is(geth_chain: GethChain, tmp_path: Path) -> None:
    config, blocks = geth_chain
    db = LevelDB(tmp_path / "chain")
    store_chain(db, config, blocks)
    genesis = ChainDB(db).get_canonical_block_header_by_number(BlockNumber(0))
    scheme = parse_scheme("slot:30").bind(genesis)
    reader = ChainReader(db, scheme)
    assert reader.fetch_head()[:2] == (4_501_500, 3000)
    assert reader.fetch_head().hash.startswith(GETH_HEAD)
    served: List[bytes] = []
    start, answers = 1, 0
    while start <= 4_501_500:
        answer = reader.fetch_blocks(GetBlocksByView(1, start, 10 ** 7, 512))
        served += answer.blocks
        start = answer.next_view or answer.covered.stop
        answers += 1
    db.db.close()
    assert tuple(served) == blocks
    assert answers == 6


@pytest.mark.parametrize("scheme", ["number", "slot:30"])
def test_chain_of_go_ethereum_is_imported(
    geth_chain: GethChain, scheme: str, tmp_path: Path
) -> None:
    """Its first blocks; the whole of it takes too long here."""
    config, blocks = geth_chain
    db = LevelDB(tmp_path / "chain")
    initialize_chain(db, config)
    genesis = ChainDB(db).get_canonical_block_header_by_number(BlockNumber(0))
    assert genesis.hash.hex().startswith("d6f7972e854d4d78")
    importer = BlockImporter(db, config.full_chain_class, parse_scheme(scheme).bind(genesis))
    result = importer.import_blocks(blocks[:300]).result
    db.db.close()
    assert result.failure is None
    assert result.head[:2] == (300 if scheme == "number" else 45_150, 300)
