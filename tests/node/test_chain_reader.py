from bisect import bisect_left
from typing import Any, Callable, List, Optional, Sequence, Tuple

from eth.abc import BlockAPI
from eth.db.atomic import AtomicDB
from eth.db.backends.level import LevelDB
from eth.db.schema import SchemaV1
from eth_hash.auto import keccak
from eth_typing import BlockNumber
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
import rlp
from trinity.config import Eth1ChainConfig

from blockio_plugin.node import chain_reader
from blockio_plugin.node.chain_reader import ChainReader
from blockio_plugin.node.stored_blocks import StoredBlocks, decode_header, known_runs
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.rules.schemes import NumberScheme, ViewScheme
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange
from blockio_plugin.tools.chain_builder import Recipe, build_chain, iterate_blocks
from blockio_plugin.tools.chain_files import initialize_chain

# Fixtures and their types are in conftest.py.

ALL = VIEW_LIMIT - 1


def decode(block: bytes) -> Tuple[bytes, bytes, int]:
    """Hash, parent hash and timestamp of an encoded block."""
    header_rlp = rlp.encode(rlp.decode(block)[0])
    header = decode_header(keccak(header_rlp), header_rlp)
    return header.hash, header.parent_hash, header.timestamp


def ask(reader: ChainReader, start: int, length: int = ALL, most: int = 10_000) -> BlocksByView:
    length = min(length, VIEW_LIMIT - start)
    answer = reader.fetch_blocks(GetBlocksByView(7, start, length, most))
    assert answer.request_id == 7
    assert answer.start_view == start
    assert 0 <= answer.length <= length
    assert len(answer.blocks) <= most
    return answer


def expect(
    views: Sequence[int], blocks: Sequence[bytes], start: int, length: int, most: int
) -> BlocksByView:
    """What a full chain of these blocks has to answer."""
    first = bisect_left(views, start)
    stop = min(start + length, views[-1] + 1)
    if start >= stop:
        return BlocksByView(7, start, 0, 0, ())
    past = min(bisect_left(views, stop), first + most)
    next_view = views[past] if past < len(views) else 0
    if past < len(views):
        stop = min(stop, next_view)
    return BlocksByView(7, start, stop - start, next_view, tuple(blocks[first:past]))


def test_full_chain_covers_everything_up_to_its_head(built: Any) -> None:
    reader = ChainReader(built.db, built.scheme)
    head = built.chain.get_canonical_head()
    assert reader.fetch_head() == (built.views[-1], head.block_number, head.hash)
    availability = reader.fetch_availability()
    assert availability.scheme == "slot:12"
    assert availability.head_view == built.views[-1]
    assert availability.ranges == (ViewRange(0, built.views[-1] + 1),)
    assert len(set(range(built.views[-1])) - set(built.views)) > 10


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_answers_of_a_full_chain(built: Any, data: st.DataObject) -> None:
    by_number = data.draw(st.booleans())
    views = tuple(range(len(built.blocks))) if by_number else built.views
    reader = ChainReader(built.db, NumberScheme() if by_number else built.scheme)
    start = data.draw(st.integers(0, views[-1] + 3))
    length = data.draw(st.one_of(st.integers(1, 30), st.integers(1, ALL)))
    most = data.draw(st.integers(1, len(views) + 1))
    assert ask(reader, start, length, most) == expect(views, built.blocks, start, length, most)


def test_blocks_are_those_that_py_evm_encodes(built: Any) -> None:
    for number, block in enumerate(built.blocks):
        decoded = built.chain.get_canonical_block_by_number(number)
        assert rlp.encode(decoded) == block
    assert len(built.chain.get_canonical_block_by_number(60).transactions) == 20


@pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 257])
def test_transactions_come_in_order(recipe: Recipe, count: int) -> None:
    db = AtomicDB()
    chain = build_chain(recipe._replace(transfer_every=1, transfers=count), db, blocks=1)
    block = chain.get_canonical_block_by_number(BlockNumber(1))
    assert len(block.transactions) == count
    assert tuple(iterate_blocks(db, 1, 1)) == (rlp.encode(block),)


def test_uncles_are_served(built: Any, config: Eth1ChainConfig) -> None:
    db = AtomicDB()
    chain = config.initialize_chain(db)
    first = built.chain.get_canonical_block_by_number(BlockNumber(1))
    uncle = first.header.copy(extra_data=b"uncle")
    header = first.header.copy(uncles_hash=keccak(rlp.encode([uncle])))
    block = first.copy(header=header, uncles=(uncle,))
    chain.chaindb.persist_block(block)
    assert ask(ChainReader(db, NumberScheme()), 1).blocks == (rlp.encode(block),)


def test_typed_transactions_are_strings_in_a_block(built: Any, config: Eth1ChainConfig) -> None:
    db = AtomicDB()
    chain = config.initialize_chain(db)
    typed = b"\x01" + rlp.encode([b"access list"] * 3)
    leaf = rlp.encode([b"\x20\x80", typed])
    header = built.chain.get_canonical_block_by_number(BlockNumber(1)).header.copy(
        transaction_root=keccak(leaf)
    )
    db[header.transaction_root] = leaf
    chain.chaindb.persist_header(header)
    stored = StoredBlocks(db)
    block = rlp.decode(stored.fetch_block(stored.fetch_canonical_header(1)))
    assert block[1] == [typed]


def test_answer_ends_at_its_bound_in_bytes(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ChainReader(built.db, built.scheme)
    # Block 10 holds twenty transfers and is larger than this alone.
    monkeypatch.setattr(chain_reader, "MAX_ANSWER_BYTES", 2000)
    assert len(built.blocks[10]) > 2000
    large = ask(reader, built.views[10])
    assert large.blocks == (built.blocks[10],)
    assert large.next_view == built.views[11] == large.covered.stop
    small = ask(reader, built.views[7])
    assert small.blocks == built.blocks[7:10]
    assert small.next_view == built.views[10] == small.covered.stop
    bound = sum(map(len, built.blocks[1:4]))
    monkeypatch.setattr(chain_reader, "MAX_ANSWER_BYTES", bound)
    assert ask(reader, 1).blocks == built.blocks[1:4]
    monkeypatch.setattr(chain_reader, "MAX_ANSWER_BYTES", bound - 1)
    assert ask(reader, 1).blocks == built.blocks[1:3]


def test_answer_ends_at_its_bound_in_blocks(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_reader, "MAX_ANSWER_BLOCKS", 5)
    answer = ask(ChainReader(built.db, built.scheme), 0)
    assert answer == expect(built.views, built.blocks, 0, ALL, 5)


def test_known_runs() -> None:
    gaps: Any = (((1, 3), (6, 6)), 9)
    none: Any = ((), 1)
    one: Any = (((0, 4),), 9)
    assert known_runs(gaps, BlockNumber(20)) == ((0, 0), (4, 5), (7, 8))
    assert known_runs(gaps, BlockNumber(7)) == ((0, 0), (4, 5), (7, 7))
    assert known_runs(gaps, BlockNumber(6)) == ((0, 0), (4, 5))
    assert known_runs(none, BlockNumber(0)) == ((0, 0),)
    assert known_runs(one, BlockNumber(6)) == ((5, 6),)


@pytest.fixture
def partial(built: Any, config: Eth1ChainConfig) -> Tuple[AtomicDB, List[BlockAPI]]:
    """All headers, and blocks 0-9, 20-29 and 40-59."""
    db = AtomicDB()
    chain = config.initialize_chain(db)
    blocks = [built.chain.get_canonical_block_by_number(n) for n in range(61)]
    chain.chaindb.persist_header_chain([block.header for block in blocks[1:]])
    for numbers in (range(1, 10), range(20, 30), range(40, 60)):
        store(db, [blocks[number] for number in numbers])
    return db, blocks


def store(db: AtomicDB, blocks: Sequence[BlockAPI]) -> None:
    """Store without executing; the first of them needs no parent."""
    from eth.db.chain import ChainDB
    from eth.db.trie import make_trie_root_and_nodes

    chaindb = ChainDB(db)
    for block in blocks:
        chaindb.persist_trie_data_dict(make_trie_root_and_nodes(block.transactions)[1])
        chaindb.persist_block(block, genesis_parent_hash=blocks[0].header.parent_hash)


def test_the_head_is_what_is_there_whatever_the_gaps_say(
    built: Any, partial: Tuple[AtomicDB, List[BlockAPI]]
) -> None:
    """As where the chain is reorganised between two reads."""
    db, _ = partial
    for number in (59, 58):
        del db[SchemaV1.make_block_number_to_hash_lookup_key(BlockNumber(number))]
    assert ChainReader(db, built.scheme).fetch_head().number == 57


def test_gaps_are_not_covered(built: Any, partial: Tuple[AtomicDB, List[BlockAPI]]) -> None:
    reader = ChainReader(partial[0], built.scheme)
    views = built.views
    # The last header has no block yet, so it is not the head that we can answer for.
    assert reader.fetch_head().number == 59
    availability = reader.fetch_availability()
    assert availability.head_view == views[59]
    ranges = (
        ViewRange(0, views[9] + 1),
        ViewRange(views[19] + 1, views[29] + 1),
        ViewRange(views[39] + 1, views[59] + 1),
    )
    assert availability.ranges == ranges
    for view in range(views[60] + 2):
        answer = ask(reader, view)
        covering = next((one for one in ranges if view in one), None)
        if covering is None:
            assert answer == BlocksByView(7, view, 0, 0, ())
        else:
            assert answer.covered.stop == covering.stop
            first, last = bisect_left(views, view), bisect_left(views, covering.stop)
            assert answer.blocks == built.blocks[first:last]
            after = {10: views[20], 30: views[40], 60: 0}
            assert answer.next_view == after[last]


def test_run_above_an_unknown_header_starts_with_its_block(built: Any, config: Any) -> None:
    db = AtomicDB()
    config.initialize_chain(db)
    store(db, [built.chain.get_canonical_block_by_number(n) for n in range(20, 30)])
    availability = ChainReader(db, built.scheme).fetch_availability()
    assert availability.ranges == (
        ViewRange(0, 1),
        ViewRange(built.views[20], built.views[29] + 1),
    )
    answer = ask(ChainReader(db, built.scheme), built.views[20])
    assert answer.blocks == built.blocks[20:30]


def test_advert_keeps_the_highest_ranges(
    built: Any, partial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = ChainReader(partial[0], built.scheme).fetch_availability()
    monkeypatch.setattr(chain_reader, "MAX_RANGES", 2)
    reader = ChainReader(partial[0], built.scheme)
    assert reader.fetch_availability().ranges == full.ranges[1:]
    # What is not advertised is not served either.
    assert ask(reader, 0).length == 0


def test_coverage_follows_the_chain(recipe: Recipe, built: Any, open_db: Any) -> None:
    db = open_db("growing")
    build_chain(recipe, db, blocks=10)
    reader = ChainReader(db, built.scheme)
    for length in (10, 11, 30):
        build_chain(recipe, db, blocks=length)
        assert reader.fetch_head().number == length
        assert reader.fetch_availability().ranges == (ViewRange(0, built.views[length] + 1),)
        assert ask(reader, 0).blocks == built.blocks[: length + 1]


def test_pruned_block_ends_the_answer(recipe: Recipe, built: Any, open_db: Any) -> None:
    db = open_db("pruned")
    build_chain(recipe, db, blocks=30)
    root = built.chain.get_canonical_block_by_number(20).header.transaction_root
    del db[root]
    reader = ChainReader(db, built.scheme)
    views = built.views
    answer = ask(reader, 0)
    assert answer.blocks == built.blocks[:20]
    assert answer.covered.stop == views[20]
    assert answer.next_view == 0
    assert ask(reader, views[20]) == BlocksByView(7, views[20], 0, 0, ())
    assert ask(reader, views[20] + 1).blocks == built.blocks[21:31]


class SwitchingDB(AtomicDB):
    """Shows one database for so many reads, then another: a reorganisation between two reads."""

    def __init__(self, before: LevelDB, after: LevelDB, reads: Optional[int]) -> None:
        super().__init__()
        self.sources = (before, after)
        self.reads = 0
        self.limit = reads

    def __getitem__(self, key: bytes) -> bytes:
        self.reads += 1
        before, after = self.sources
        if self.limit is None or self.reads <= self.limit:
            return before[key]
        # Blocks of the branch that was left are still stored; only what is canonical changes.
        if key.startswith(b"v1:") or key.startswith(b"block-number-to-hash:"):
            return after[key]
        try:
            return after[key]
        except KeyError:
            return before[key]


@pytest.mark.parametrize("length", [50, 60, 70])
@pytest.mark.parametrize("below", [27, 30, 40])
def test_reorganisation_while_reading(
    built: Any, fork: Callable[..., Any], length: int, below: int
) -> None:
    """Whenever it happens, what is answered is true of one branch or the other."""
    other = fork(30, 5, length)
    start = built.views[below] + 1
    count = SwitchingDB(built.db, other.db, None)
    ask(ChainReader(count, built.scheme), start, most=20)
    seen = set()
    for reads in range(count.reads + 1):
        reader = ChainReader(SwitchingDB(built.db, other.db, reads), built.scheme)
        answer = ask(reader, start, most=20)
        seen.add(len(answer.blocks))
        if answer.length:
            assert any(is_true(answer, chain.views, chain.blocks) for chain in (built, other))
    assert max(seen) >= 10


def is_true(answer: BlocksByView, views: Sequence[int], blocks: Sequence[bytes]) -> bool:
    """Whether the covered prefix holds exactly these blocks of the chain."""
    first = bisect_left(views, answer.covered.start)
    last = bisect_left(views, answer.covered.stop)
    return answer.blocks == tuple(blocks[first:last]) and answer.covered.stop <= views[-1] + 1


def test_reads_per_block_are_few(recipe: Recipe, built: Any, open_db: Any) -> None:
    db = SwitchingDB(built.db, built.db, None)
    reader = ChainReader(db, NumberScheme())
    reader.fetch_availability()
    db.reads = 0
    ask(reader, 11, length=8)
    # Per block its number and its header; the head, the gaps and the next header besides.
    assert db.reads <= 8 * 2 + 8
    db.reads = 0
    ask(reader, 11, length=8)
    assert db.reads <= 8 + 8


def test_views_past_the_limit_are_not_covered(built: Any, config: Eth1ChainConfig) -> None:
    class FarScheme(ViewScheme):
        name = "far"

        def view_of(self, header: Any) -> int:
            return 0 if header.block_number == 0 else VIEW_LIMIT + header.block_number - 2

    db = AtomicDB()
    config.initialize_chain(db)
    store(db, [built.chain.get_canonical_block_by_number(n) for n in (1, 2, 3)])
    reader = ChainReader(db, FarScheme())
    assert reader.fetch_availability().ranges == (ViewRange(0, VIEW_LIMIT),)
    answer = ask(reader, 1)
    assert answer.blocks == (built.blocks[1],)
    assert answer.covered.stop == VIEW_LIMIT
    assert answer.next_view == 0


def test_reader_of_a_fresh_chain(config: Eth1ChainConfig) -> None:
    db = AtomicDB()
    initialize_chain(db, config)
    reader = ChainReader(db, NumberScheme())
    assert reader.fetch_head()[:2] == (0, 0)
    assert reader.fetch_availability().ranges == (ViewRange(0, 1),)
    assert len(ask(reader, 0).blocks) == 1
    assert db[SchemaV1.make_canonical_head_hash_lookup_key()] == reader.fetch_head().hash


@pytest.mark.parametrize("by_slot", [True, False])
def test_positions(built: Any, by_slot: bool) -> None:
    reader = ChainReader(built.db, built.scheme if by_slot else NumberScheme())
    views = built.views if by_slot else tuple(range(len(built.views)))
    for number, view in enumerate(views):
        position = reader.fetch_position(view)
        assert position is not None
        assert (position.view, position.number) == (view, number)
        assert reader.fetch_position_of_block(number) == position
        assert reader.holds_state(number)
        if number + 1 < len(views):
            # Between two blocks it is the lower one.
            assert reader.fetch_position(views[number + 1] - 1) == position
    assert reader.fetch_position(views[-1] + 1000) == position
    assert position is not None and position.hash == reader.fetch_head().hash
    assert reader.fetch_position_of_block(len(views)) is None
    assert not reader.holds_state(len(views))
