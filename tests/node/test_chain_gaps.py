from typing import Any, List, Sequence, Set, Tuple

from eth.abc import BlockAPI
from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
from eth.db.schema import SchemaV1
from eth.exceptions import HeaderNotFound
from eth.rlp.sedes import chain_gaps
from eth_typing import BlockNumber
from hypothesis import given
from hypothesis import strategies as st
import pytest
import rlp
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.chain_gaps import BLOCK_GAPS, HEADER_GAPS, TrueGapsDB, mend_gaps
from blockio_plugin.node.lean_chain import make_lean
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.block_tree import BlockTree

# Fixtures and their types are in conftest.py.

TREE = BlockTree()

OURS = TREE.add_line(TREE.genesis, *[10] * 4)
"""The heavier branch."""

LONGER = TREE.add_line(TREE.genesis, *[1] * 7)
"""The longer one."""


def new_db() -> AtomicDB:
    db = AtomicDB()
    TREE.begin_chain(db)
    return db


def encode(blocks: Sequence[BlockAPI]) -> List[bytes]:
    return [rlp.encode(block) for block in blocks]


def read_gaps(db: AtomicDB) -> Tuple[Any, ...]:
    return ChainDB(db).get_header_chain_gaps(), ChainDB(db).get_chain_gaps()


def set_gaps(db: AtomicDB, *gaps: Tuple[Any, ...]) -> None:
    for key, value in zip((HEADER_GAPS, BLOCK_GAPS), gaps):
        db[key] = rlp.encode(value, sedes=chain_gaps)


def test_py_evm_still_needs_this() -> None:
    """It has stored a longer branch that lost, and then refuses each block that follows ours."""
    chain = TREE.chain_class(new_db())
    for block in (*OURS, *LONGER):
        chain.import_block(block)
    with pytest.raises(HeaderNotFound, match="No canonical header for block number #5"):
        chain.import_block(TREE.add(OURS[-1].header, 10))


def test_a_longer_branch_that_lost_counts_for_nothing() -> None:
    db = new_db()
    chain = make_lean(TREE.chain_class)(db)
    for block in (*OURS, *LONGER):
        chain.import_block(block)
    assert read_gaps(db) == (((), 5), ((), 5))
    # It may win yet, be longer than ours again, and lose again.
    for block in TREE.add_line(LONGER[-1].header, 100, 1):
        chain.import_block(block)
    assert read_gaps(db) == (((), 10), ((), 10))
    chain.import_block(TREE.add(OURS[-1].header, 1000))
    assert read_gaps(db) == (((), 6), ((), 6))


def test_a_database_is_mended_by_who_imports_next() -> None:
    db = new_db()
    chain = TREE.chain_class(db)
    for block in (*OURS, *LONGER):
        chain.import_block(block)
    assert read_gaps(db) == (((), 8), ((), 8))
    importer = BlockImporter(db, TREE.chain_class, NumberScheme())
    assert read_gaps(db) == (((), 5), ((), 5))
    result = importer.import_blocks(encode([TREE.add(OURS[-1].header, 10)])).result
    assert (result.failure, result.imported) == (None, 1)


def test_a_branch_that_stole_into_a_gap_gives_way() -> None:
    """
    What py-evm takes for a gap in our chain it fills with the next block of that number, which it
    makes canonical with its ancestors; ours are not any more, though our head is the head.
    """
    db, length = new_db(), 40
    ours = TREE.add_line(TREE.genesis, *[10] * length)
    other = TREE.add_line(TREE.genesis, *[1] * (length - 1))
    for blocks in (ours, other):
        ChainDB(db).persist_header_chain([block.header for block in blocks])
    set_gaps(db, (((length - 1, length - 1),), length + 1), ((), length + 1))
    ChainDB(db).persist_header_chain([other[-1].header])
    canonical = ChainDB(db).get_canonical_block_hash
    assert canonical(BlockNumber(length - 1)) == other[-1].hash
    assert ChainDB(db).get_canonical_head() == ours[-1].header
    assert mend_gaps(db)
    hashes = [canonical(BlockNumber(number)) for number in range(1, length + 1)]
    assert hashes == [block.hash for block in ours]
    assert read_gaps(db) == (((), length + 1), ((), length + 1))


def test_what_was_left_above_the_head_passes_for_nothing() -> None:
    """A stock chain has left numbers there that lead to blocks of the branch that wins now."""
    db = new_db()
    chain = make_lean(TREE.chain_class)(db)
    for block in (*OURS, *LONGER):
        chain.import_block(block)
    for block in LONGER[len(OURS) :]:
        key = SchemaV1.make_block_number_to_hash_lookup_key(block.number)
        db[key] = rlp.encode(block.hash)
    winner = TREE.add(LONGER[-1].header, 1000)
    chain.import_block(winner)
    for block in (*LONGER, winner):
        assert ChainDB(db).get_canonical_block_hash(block.number) == block.hash
    assert read_gaps(db) == (((), 9), ((), 9))


def test_headers_without_their_blocks_do_not_count_as_blocks(
    built: Any, config: Eth1ChainConfig
) -> None:
    """Neither where they become canonical with a block above them, nor where stock chains did."""
    db = AtomicDB()
    config.initialize_chain(db)
    BlockImporter(db, config.full_chain_class, NumberScheme()).import_blocks(built.blocks[1:9])
    headers = [built.chain.get_canonical_block_header_by_number(n) for n in range(9, 13)]
    TrueGapsDB(db).persist_header_chain(headers)
    # Block 10 has transactions, and without any there is nothing that a header does not say.
    holes = ((10, 10),)
    assert read_gaps(db) == (((), 13), (holes, 13))
    set_gaps(db, ((), 13), ((), 11))
    assert mend_gaps(db)
    assert read_gaps(db) == (((), 13), ((), 10))


def test_whole_chains_are_left_alone(built: Any, config: Eth1ChainConfig) -> None:
    db = AtomicDB()
    config.initialize_chain(db)
    assert not mend_gaps(db)
    chain = config.full_chain_class(db)
    block_class = chain.get_vm_class_for_block_number(1).get_block_class()
    for encoded in built.blocks[1:21]:
        chain.import_block(rlp.decode(encoded, sedes=block_class))
    before = dict(db.wrapped_db.kv_store)  # type: ignore[attr-defined]
    assert not mend_gaps(db)
    assert db.wrapped_db.kv_store == before  # type: ignore[attr-defined]


class Counter(AtomicDB):
    """A database in memory that counts what is read of it."""

    reads = 0

    def __getitem__(self, key: bytes) -> bytes:
        self.reads += 1
        return super().__getitem__(key)


def test_mending_reads_no_more_of_a_longer_chain() -> None:
    counts = []
    for length in (20, 100):
        db = Counter()
        TREE.begin_chain(db)
        chain = TREE.chain_class(db)
        for block in TREE.add_line(TREE.genesis, *[1] * length):
            chain.import_block(block)
        db.reads = 0
        mend_gaps(db)
        counts.append(db.reads)
    assert counts[0] == counts[1] < 20


numbers = st.sets(st.integers(1, 12))


@given(st.integers(0, 12), numbers, st.integers(0, 3))
def test_mends_what_a_stock_chain_can_have_written(
    head_number: int, missing: Set[int], excess: int
) -> None:
    """
    Canonical headers are missing here and there below the head. The record counts numbers of the
    lower part of each gap, and some above the head; or it counts the highest of each run alone.
    """
    db = new_db()
    line = TREE.add_line(TREE.genesis, *[1] * head_number)
    if line:
        ChainDB(db).persist_header_chain([block.header for block in line])
    held = [n for n in range(head_number + 1) if n not in missing or n == head_number]
    for number in set(range(head_number)) - set(held):
        del db[SchemaV1.make_block_number_to_hash_lookup_key(BlockNumber(number))]
        del db[line[number - 1].hash]

    def record(counted: Sequence[int]) -> Tuple[Any, ...]:
        holes = [
            (below + 1, above - 1) for below, above in zip(counted, counted[1:])
            if above > below + 1
        ]
        return tuple(holes), counted[-1] + 1

    true = record(held)
    counted = {n + more for n in held for more in range(excess + 1)}
    too_many = sorted(n for n in counted if n in held or n + 1 not in held)
    set_gaps(db, record(too_many), record(too_many))
    is_wrong = true != record(too_many)
    assert mend_gaps(db) == is_wrong
    assert read_gaps(db) == (true, true)
    highest = {n for n in held if n + 1 not in held}
    set_gaps(db, record(sorted({0, *highest})), true)
    mend_gaps(db)
    assert read_gaps(db)[0] == true
