from typing import Any, Callable, Iterator, List

from eth.db.chain import ChainDB
from eth.db.chain_gaps import reopen_gap
from eth.db.schema import SchemaV1
from eth.rlp.sedes import chain_gaps
from eth_typing import BlockNumber
import pytest
import rlp
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.chain_reader import ChainReader
from blockio_plugin.node.gap_filler import GapFiller
from blockio_plugin.node.stored_blocks import StoredBlocks
from blockio_plugin.rules.backfill import Gap
from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.schemes import NumberScheme, parse_scheme
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.tools.chain_builder import Recipe, build_chain, iterate_blocks
from blockio_plugin.tools.checkpoint import copy_from_checkpoint

# Fixtures and their types are in conftest.py.

CHECKPOINT, HEAD = 40, 60


@pytest.fixture
def gapped(built: Any, config: Eth1ChainConfig, open_db: Callable[..., Any]) -> Iterator[ChainDB]:
    """The chain without the blocks 1 to 40; the header of 40 is there."""
    db = open_db("gapped")
    copy_from_checkpoint(built.db, db, config, CHECKPOINT, HEAD)
    yield ChainDB(db)


def make_filler(
    chaindb: ChainDB, config: Eth1ChainConfig, scheme: Any = NumberScheme()
) -> GapFiller:
    return GapFiller(chaindb.db, config.full_chain_class(chaindb.db), scheme)


def downward(built: Any, last: int, first: int) -> List[bytes]:
    return [built.blocks[number] for number in range(last, first - 1, -1)]


def test_reads_the_gap(built: Any, gapped: ChainDB) -> None:
    assert ChainReader(gapped.db, built.scheme).fetch_gap() == Gap(
        first=1,
        last=40,
        last_hash=built.chain.get_canonical_block_header_by_number(40).hash,
        floor=1,
        ceiling=built.views[41],
    )


@pytest.mark.parametrize("step", [1, 7, 40])
def test_a_filled_chain_is_as_the_whole_one(
    built: Any, gapped: Any, config: Any, step: int
) -> None:
    filler = make_filler(gapped, config, built.scheme)
    for last in range(40, 0, -step):
        blocks = downward(built, last, max(1, last - step + 1))
        assert filler.fill(blocks) == (len(blocks), None)
    assert gapped.get_chain_gaps() == gapped.get_header_chain_gaps() == ((), HEAD + 1)
    assert gapped.get_canonical_head() == built.chain.get_canonical_head()
    assert tuple(iterate_blocks(gapped.db, 0, HEAD)) == built.blocks
    whole = built.chain.chaindb
    for number in range(HEAD + 1):
        header = gapped.get_canonical_block_header_by_number(number)
        assert gapped.get_score(header.hash) == whole.get_score(header.hash)
    for number in (10, 20, 30, 40):
        for index, transaction in enumerate(
            built.chain.get_canonical_block_by_number(number).transactions
        ):
            assert gapped.get_transaction_index(transaction.hash) == (number, index)
    reader = ChainReader(gapped.db, built.scheme)
    assert reader.fetch_gap() is None
    assert reader.fetch_availability().ranges == (ViewRange(0, built.views[HEAD] + 1),)


def test_what_is_filled_is_served_at_once(built: Any, gapped: Any, config: Any) -> None:
    make_filler(gapped, config, built.scheme).fill(downward(built, 40, 21))
    reader = ChainReader(gapped.db, built.scheme)
    assert reader.fetch_availability().ranges[-1].start == built.views[21]
    answer = reader.fetch_blocks(GetBlocksByView(1, built.views[25], 1, 1))
    assert answer.blocks == (built.blocks[25],)


def test_what_is_filled_stays_filled_while_blocks_are_imported(
    built: Any, config: Any, open_db: Callable[..., Any]
) -> None:
    db = open_db("gapped")
    copy_from_checkpoint(built.db, db, config, CHECKPOINT, HEAD - 10)
    chaindb = ChainDB(db)
    importer = BlockImporter(db, config.full_chain_class, built.scheme)
    filler = make_filler(chaindb, config, built.scheme)
    for step in range(10):
        last = CHECKPOINT - 4 * step
        assert filler.fill(downward(built, last, last - 3)) == (4, None)
        number = HEAD - 9 + step
        assert importer.import_blocks([built.blocks[number]]).result.head.number == number
        gaps = ((1, last - 4),) if last > 4 else ()
        assert chaindb.get_chain_gaps() == (gaps, number + 1)
        assert chaindb.get_header_chain_gaps() == (gaps, number + 1)
    assert tuple(iterate_blocks(db, 0, HEAD)) == built.blocks


def test_blocks_that_do_not_follow_do_not_go_in(built: Any, gapped: Any, config: Any) -> None:
    filler = make_filler(gapped, config)
    before = gapped.get_chain_gaps()
    assert filler.fill(downward(built, 39, 30)) == (0, None)
    other = bytearray(built.blocks[40])
    other[100] ^= 1
    assert filler.fill([bytes(other)]) == (0, None)
    assert gapped.get_chain_gaps() == before
    # Up to the one that is missing.
    assert filler.fill([*downward(built, 40, 35), built.blocks[33]]) == (6, None)
    assert gapped.get_chain_gaps() == (((1, 34),), HEAD + 1)


def test_nothing_stays_of_a_batch_that_the_database_does_not_take(
    built: Any, gapped: Any, config: Any
) -> None:
    class FullDisk(Exception):
        pass

    filler = make_filler(gapped, config)

    def fail() -> None:
        raise FullDisk

    gapped.db.atomic_batch, works = fail, gapped.db.atomic_batch
    with pytest.raises(FullDisk):
        filler.fill(downward(built, 40, 30))
    gapped.db.atomic_batch = works
    assert gapped.get_chain_gaps() == (((1, 40),), HEAD + 1)
    assert make_filler(gapped, config).fill(downward(built, 40, 1)) == (40, None)


def test_a_lower_run_of_another_branch_gives_way(
    built: Any, recipe: Recipe, config: Any, gapped: Any, open_db: Callable[..., Any]
) -> None:
    """Blocks 1 to 5 of another branch are held, left from a sync that was cut off."""
    other = open_db("other")
    build_chain(recipe._replace(seed=recipe.seed + 1), other, 5)
    chain = ChainDB(other)
    hashes = [chain.get_canonical_block_hash(BlockNumber(number)) for number in range(6)]
    for number in range(1, 6):
        for key in (
            hashes[number],
            SchemaV1.make_block_number_to_hash_lookup_key(BlockNumber(number)),
            SchemaV1.make_block_hash_to_score_lookup_key(hashes[number]),
        ):
            gapped.db[key] = other[key]
    for key, last in (
        (SchemaV1.make_chain_gaps_lookup_key(), 40),
        (SchemaV1.make_header_chain_gaps_lookup_key(), 39),
    ):
        gapped.db[key] = rlp.encode((((6, last),), HEAD + 1), sedes=chain_gaps)

    filler = make_filler(gapped, config)
    assert filler.fill(downward(built, 40, 1)) == (40, None)
    assert gapped.get_chain_gaps() == gapped.get_header_chain_gaps() == ((), HEAD + 1)
    assert tuple(iterate_blocks(gapped.db, 0, HEAD)) == built.blocks


def test_a_chain_of_another_genesis_is_refused(
    built: Any, recipe: Any, config: Any, gapped: Any
) -> None:
    key = SchemaV1.make_block_number_to_hash_lookup_key(BlockNumber(0))
    gapped.db[key] = gapped.db[SchemaV1.make_block_number_to_hash_lookup_key(BlockNumber(HEAD))]
    result = make_filler(gapped, config).fill(downward(built, 40, 1))
    assert result.filled == 39
    assert result.refusal is not None and "does not follow our genesis" in result.refusal
    assert gapped.get_chain_gaps() == (((1, 1),), HEAD + 1)


def test_a_chain_that_breaks_the_scheme_is_refused(built: Any, gapped: Any, config: Any) -> None:
    genesis = built.chain.get_canonical_block_header_by_number(0)
    coarse = parse_scheme("slot:100000").bind(genesis)
    result = make_filler(gapped, config, coarse).fill(downward(built, 40, 30))
    assert result.filled == 0
    assert result.refusal is not None and "slot:100000" in result.refusal


def test_headers_that_are_there_already_are_kept(built: Any, gapped: Any, config: Any) -> None:
    headers = [built.chain.get_canonical_block_header_by_number(n) for n in range(1, 40)]
    gapped.persist_header_chain(headers)
    assert gapped.get_header_chain_gaps() == ((), HEAD + 1)
    assert make_filler(gapped, config).fill(downward(built, 40, 1)) == (40, None)
    assert StoredBlocks(gapped.db).fetch_canonical_header(1).hash == headers[0].hash
    assert gapped.get_chain_gaps() == ((), HEAD + 1)


def test_reopened_gaps_are_filled_again(built: Any, gapped: Any, config: Any) -> None:
    filler = make_filler(gapped, config)
    filler.fill(downward(built, 40, 1))
    gaps = reopen_gap(BlockNumber(17), gapped.get_chain_gaps())
    gapped.db[SchemaV1.make_chain_gaps_lookup_key()] = rlp.encode(gaps, sedes=chain_gaps)
    assert filler.fill(downward(built, 17, 17)) == (1, None)
    assert gapped.get_chain_gaps() == ((), HEAD + 1)
