from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple

from eth.abc import BlockAPI
from eth.chains.base import Chain
from eth.db.atomic import AtomicDB
from eth.db.backends.level import LevelDB
from eth.db.backends.memory import MemoryDB
from eth.db.chain import ChainDB
from eth.db.journal import JournalDB
from eth.exceptions import HeaderNotFound
from eth.typing import JournalDBCheckpoint
from eth_hash.auto import keccak
from eth_typing import BlockNumber
from eth_utils import ValidationError
import pytest
import rlp
from trie.exceptions import MissingTrieNode
from trinity.config import Eth1ChainConfig
from trinity.db.manager import DBClient, DBManager

from blockio_plugin.node import block_importer
from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.scheme_check import CheckedBlock, check_scheme, load_record
from blockio_plugin.rules.limits import MemoryBudget
from blockio_plugin.rules.schemes import NumberScheme, ViewScheme, parse_scheme
from blockio_plugin.tools.chain_builder import Recipe

# Fixtures and their types are in conftest.py.


@pytest.fixture
def make_importer(
    config: Eth1ChainConfig, open_db: Callable[..., Any]
) -> Callable[..., BlockImporter]:
    """Makes an importer on a new database with nothing but the genesis, or on one that is given."""
    made: List[LevelDB] = []

    def make(scheme: ViewScheme = NumberScheme(), db: Optional[LevelDB] = None) -> BlockImporter:
        if db is None:
            db = open_db(f"import-{len(made)}")
            made.append(db)
            config.initialize_chain(db)
        importer = BlockImporter(db, config.full_chain_class, scheme)
        importer.db = db  # type: ignore[attr-defined]
        return importer

    return make


def stored_head(importer: BlockImporter) -> Tuple[int, bytes]:
    """The head in the database itself, whatever the importer has in memory."""
    head = ChainDB(importer.db).get_canonical_head()  # type: ignore[attr-defined]
    return head.block_number, head.hash


@pytest.mark.parametrize("step", [1, 7, 60])
def test_imports_in_order(built: Any, make_importer: Callable[..., Any], step: int) -> None:
    importer = make_importer(built.scheme)
    for start in range(1, 61, step):
        result, new_head = importer.import_blocks(built.blocks[start:start + step])
        assert result.failure is None
        assert result.imported == len(built.blocks[start:start + step])
        assert stored_head(importer) == result.head[1:]
        assert new_head.hash == result.head.hash
    head = built.chain.get_canonical_head()
    assert result.head == (built.views[60], 60, head.hash)
    assert head.state_root in importer.db
    for number in (10, 59, 60):
        block = built.chain.get_canonical_block_by_number(number)
        chaindb = ChainDB(importer.db)
        assert chaindb.get_canonical_block_hash(BlockNumber(number)) == block.hash
        for transaction in block.transactions:
            assert chaindb.get_transaction_index(transaction.hash)[0] == number


def test_held_blocks_are_passed_over(built: Any, make_importer: Callable[..., Any]) -> None:
    importer = make_importer()
    importer.import_blocks(built.blocks[1:31])
    again = make_importer(db=importer.db)
    result, new_head = again.import_blocks(built.blocks[1:31])
    assert (result.imported, result.failure, new_head) == (0, None, None)
    assert result.head.number == 30
    assert again.import_blocks(built.blocks[:41]).result.imported == 10


def test_nothing_to_import(make_importer: Callable[..., Any]) -> None:
    result, new_head = make_importer().import_blocks(())
    assert (result.head.number, result.imported, result.failure, new_head) == (0, 0, None, None)


def corrupt(block_rlp: bytes, block_class: Any, **fields: Any) -> bytes:
    block = rlp.decode(block_rlp, sedes=block_class)
    return rlp.encode(block.copy(header=block.header.copy(**fields)))


@pytest.mark.parametrize(
    "fields",
    [
        {"state_root": b"\1" * 32},
        {"transaction_root": b"\1" * 32},
        {"receipt_root": b"\1" * 32},
        {"uncles_hash": b"\1" * 32},
        {"parent_hash": b"\1" * 32},
        {"gas_used": 1},
        {"gas_limit": 10 ** 12},
        {"difficulty": 1},
        {"block_number": 12},
        {"timestamp": 0},
        {"timestamp": 2 ** 70},
        {"extra_data": b"x" * 33},
        {"bloom": 1},
        # Python's hash of a block with this one is the same as without it.
        {"bloom": 2 ** 61 - 1},
        {"mix_hash": b"short", "state_root": b"\2" * 32},
    ],
    ids=lambda fields: next(iter(fields)),
)
@pytest.mark.parametrize("position", [10, 11])
def test_invalid_block(
    built: Any, make_importer: Callable[..., Any], fields: Any, position: int
) -> None:
    if fields.get("block_number") == position:
        fields = {"block_number": 13}
    importer = make_importer(built.scheme)
    block_class = built.chain.get_vm_class_for_block_number(1).get_block_class()
    bad = corrupt(built.blocks[position], block_class, **fields)
    bad_hash = rlp.decode(bad, sedes=block_class).hash
    batch = (*built.blocks[1:position], bad, *built.blocks[position + 1:20])
    result, new_head = importer.import_blocks(batch)
    assert result.failure.block_hash == bad_hash
    # One that names another parent is not what we asked for, and may be right elsewhere.
    assert result.failure.is_invalid == ("parent_hash" not in fields)
    assert result.failure.reason and "\n" not in result.failure.reason
    assert result.imported == position - 1
    assert stored_head(importer) == result.head[1:]
    assert result.head.number == new_head.number == position - 1
    assert bad_hash not in importer.db
    # Nothing of it sticks: the valid one goes in, in the same process.
    result = importer.import_blocks(built.blocks[position:]).result
    assert (result.failure, result.head.number) == (None, 60)


def test_nothing_of_an_invalid_block_is_written(
    built: Any, make_importer: Callable[..., Any]
) -> None:
    importer = make_importer()
    importer.import_blocks(built.blocks[1:10])
    before = list(importer.db.db)
    block_class = built.chain.get_vm_class_for_block_number(1).get_block_class()
    # Found out at the very end, after its transactions have run and their tries are made.
    bad = corrupt(built.blocks[10], block_class, state_root=b"\1" * 32)
    assert importer.import_blocks([bad]).result.failure is not None
    assert list(importer.db.db) == before


@pytest.mark.parametrize(
    "junk",
    [b"", b"\x80", b"\xc0", b"\xc1\x80", b"\xc1\xc0", b"junk", b"\xf8", rlp.encode([[b""] * 15])],
    ids=lambda junk: junk.hex() or "empty",
)
def test_junk_is_a_failure(built: Any, make_importer: Callable[..., Any], junk: bytes) -> None:
    importer = make_importer()
    result, _ = importer.import_blocks([built.blocks[1], junk, built.blocks[2]])
    assert result.failure is not None and result.failure.is_invalid
    assert result.head.number == 1


def test_valid_header_with_junk_behind_it(built: Any, make_importer: Callable[..., Any]) -> None:
    fields = rlp.decode(built.blocks[1])
    bodies: List[List[Any]] = [[[], [], []], [b"", b""], [[b"x"], []], [[[b""] * 9], []], []]
    for body in bodies:
        junk = rlp.encode([fields[0], *body])
        result, _ = make_importer().import_blocks([junk])
        assert result.failure.block_hash == keccak(rlp.encode(fields[0]))
        assert result.failure.is_invalid


def test_unknown_parent_is_a_failure_and_no_fault(
    built: Any, make_importer: Callable[..., Any]
) -> None:
    result, _ = make_importer().import_blocks(built.blocks[2:4])
    assert "parent" in result.failure.reason
    assert not result.failure.is_invalid
    assert result.head.number == 0


def test_block_that_breaks_the_scheme_is_a_failure(
    built: Any, make_importer: Callable[..., Any]
) -> None:
    genesis = built.chain.get_canonical_block_header_by_number(0)
    scheme = parse_scheme("slot:120").bind(genesis)
    importer = make_importer(scheme)
    result, _ = importer.import_blocks(built.blocks[1:])
    assert result.failure.is_invalid
    assert "are both in view" in result.failure.reason
    assert "slot:120" in result.failure.reason
    headers = [built.chain.get_canonical_block_header_by_number(n) for n in range(61)]
    views = [scheme.view_of(header) for header in headers]
    first = next(n for n in range(60) if views[n] == views[n + 1]) + 1
    assert result.failure.block_hash == headers[first].hash
    assert result.head.number == first - 1


@pytest.mark.parametrize("at, length", [(50, 70), (30, 70), (0, 70), (55, 58)])
def test_reorganisation(
    built: Any,
    fork: Callable[..., Any],
    make_importer: Callable[..., Any],
    config: Eth1ChainConfig,
    at: int,
    length: int,
) -> None:
    """A to B, and back to a longer A, as one process that only calls py-evm sees it."""
    other = fork(at, 5, length)
    longer = fork(60, 6, 85)
    branches = [built.blocks[1:], other.blocks[at + 1:], longer.blocks[61:]]
    reference = config.initialize_chain(AtomicDB())
    block_class = reference.get_vm_class_for_block_number(1).get_block_class()
    importer = make_importer(built.scheme)
    for blocks in branches:
        before = reference.get_canonical_head()
        for block in blocks:
            reference.import_block(rlp.decode(block, sedes=block_class))
        head = reference.get_canonical_head()
        result, new_head = importer.import_blocks(blocks)
        assert (result.failure, result.imported) == (None, len(blocks))
        assert result.head[1:] == (head.block_number, head.hash)
        assert stored_head(importer) == (head.block_number, head.hash)
        assert (new_head is None) == (head == before)
        if new_head is not None:
            assert new_head.hash == head.hash
        assert load_record(importer.db) == CheckedBlock("slot:12", head.block_number, head.hash)
    assert head.block_number == 85


def test_reorganised_chain_is_whole(
    built: Any, fork: Callable[..., Any], make_importer: Callable[..., Any]
) -> None:
    other = fork(30, 5, 70)
    importer = make_importer(built.scheme)
    importer.import_blocks(built.blocks[1:])
    importer.import_blocks(other.blocks[31:])
    chaindb = ChainDB(importer.db)
    for number in range(71):
        expected = other.chain.get_canonical_block_by_number(number)
        assert chaindb.get_canonical_block_hash(BlockNumber(number)) == expected.hash
    assert chaindb.get_chain_gaps() == ((), 71)


class Batches(AtomicDB):
    """A database in memory that counts its batches."""

    count = 0

    def atomic_batch(self):  # type: ignore[no-untyped-def]
        self.count += 1
        return super().atomic_batch()


def count_batches(
    blocks: Sequence[bytes],
    config: Eth1ChainConfig,
    clock: Callable[[], float] = lambda: 0.0,
    memory: int = MemoryBudget.divide().writes,
) -> int:
    db = Batches()
    config.initialize_chain(db)
    importer = BlockImporter(db, config.full_chain_class, NumberScheme(), clock, memory)
    db.count = 0
    assert importer.import_blocks(blocks).result.failure is None
    return db.count


def test_commits_are_bounded(built: Any, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = built.blocks[1:61]
    assert count_batches(blocks, config) == 1
    monkeypatch.setattr(block_importer, "COMMIT_BLOCKS", 20)
    assert count_batches(blocks, config) == 3
    ticks = iter(range(10 ** 6))
    assert count_batches(blocks, config, lambda: float(next(ticks))) == 60
    monkeypatch.setattr(block_importer, "COMMIT_BLOCKS", 64)
    assert 3 < count_batches(blocks, config, memory=20_000) < 30


def test_slow_import_is_committed_now_and_then(built: Any, config: Any) -> None:
    seconds = iter(n / 10 for n in range(10 ** 6))
    assert 3 < count_batches(built.blocks[1:61], config, lambda: next(seconds)) < 30


def test_imports_through_the_database_process_and_fails_when_it_is_gone(
    built: Any, config: Eth1ChainConfig, tmp_path: Path, open_db: Callable[..., Any]
) -> None:
    ipc = tmp_path / "db.ipc"
    manager = DBManager(open_db("served"))
    with manager.run(ipc):
        client = DBClient.connect(ipc)
        config.initialize_chain(client)
        importer = BlockImporter(client, config.full_chain_class, NumberScheme())
        assert importer.import_blocks(built.blocks[1:31]).result.head.number == 30
    client.close()
    # This is not the fault of a block, so it must not be reported as one.
    with pytest.raises(OSError):
        importer.import_blocks(built.blocks[31:])
    assert ChainDB(manager.db).get_canonical_head().block_number == 30


@pytest.mark.parametrize("number", [9, 10])
def test_missing_state_is_not_the_fault_of_a_block(
    built: Any, make_importer: Callable[..., Any], number: int
) -> None:
    """Neither where transactions run into it (block 10), nor where the reward of a block does."""
    importer = make_importer()
    importer.import_blocks(built.blocks[1:number])
    root = ChainDB(importer.db).get_canonical_head().state_root
    node = importer.db[root]
    del importer.db[root]
    importer = make_importer(db=importer.db)
    for _ in range(2):
        result = importer.import_blocks(built.blocks[number:]).result
        assert result.failure is not None
        assert not result.failure.is_invalid
        assert root.hex() in result.failure.reason
        assert stored_head(importer)[0] == number - 1
    # As soon as it is there, the same process goes on.
    importer.db[root] = node
    assert importer.import_blocks(built.blocks[number:]).result.head.number == 60


class Fault(Exception):
    """Something that nobody thought of."""


def fail_at(number: int, err: Exception) -> Callable[..., Any]:
    """A chain's ``import_block`` that fails at one block, after all of it was stored."""
    real = Chain.import_block

    def import_block(chain: Chain, block: BlockAPI, perform_validation: bool = True) -> Any:
        done = real(chain, block, perform_validation)
        if block.number == number:
            raise err
        return done

    return import_block


def wrap(err: Exception, cause: Exception) -> Exception:
    """An error that came of another one."""
    err.__cause__ = cause
    return err


@pytest.mark.parametrize(
    "err",
    [
        Fault("strange"),
        HeaderNotFound("No canonical header for block number #31"),
        KeyError(b"a node"),
        # What the database holds cannot be decoded.
        rlp.exceptions.DecodingError("bad", b""),
        TypeError("takes 1 positional argument"),
        RecursionError("maximum recursion depth exceeded"),
        AssertionError(),
        wrap(ValidationError("no such state"), MissingTrieNode(b"\1" * 32, b"\2" * 32, b"key")),
    ],
    ids=lambda err: type(err).__name__,
)
def test_what_nobody_thought_of_is_no_fault(
    built: Any, make_importer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, err: Exception
) -> None:
    importer = make_importer(built.scheme)
    with monkeypatch.context() as patch:
        patch.setattr(Chain, "import_block", fail_at(15, err))
        result, new_head = importer.import_blocks(built.blocks[1:21])
    assert result.failure is not None
    assert not result.failure.is_invalid
    assert result.failure.reason.startswith(type(err.__cause__ or err).__name__)
    assert (result.imported, result.head.number, new_head.number) == (14, 14, 14)
    assert stored_head(importer) == result.head[1:]
    # Nothing is left of it in memory either: the same importer takes the same block.
    result = importer.import_blocks(built.blocks[15:]).result
    assert (result.failure, result.head.number) == (None, 60)


@pytest.mark.parametrize("cause", [OSError("gone"), ConnectionError(), MemoryError()], ids=repr)
def test_what_comes_of_a_lost_database_is_raised_as_that(
    built: Any, make_importer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, cause: Exception
) -> None:
    err = wrap(ValidationError("found nothing"), wrap(KeyError("nothing"), cause))
    monkeypatch.setattr(Chain, "import_block", fail_at(15, err))
    importer = make_importer()
    with pytest.raises(type(cause)):
        importer.import_blocks(built.blocks[1:21])


def test_a_complaint_about_what_is_stored_is_no_fault(
    built: Any, make_importer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """py-evm has one type of error for broken rules of the chain and for its own."""

    def validate_block(chain: Chain, block: BlockAPI) -> None:
        if block.number == 5:
            JournalDB(MemoryDB()).discard(JournalDBCheckpoint(-1))

    monkeypatch.setattr(Chain, "validate_block", validate_block)
    failure = make_importer().import_blocks(built.blocks[1:11]).result.failure
    assert failure is not None
    assert ("No checkpoint -1" in failure.reason, failure.is_invalid) == (True, False)


def test_next_check_has_nothing_to_look_at(built: Any, make_importer: Callable[..., Any]) -> None:
    importer = make_importer(built.scheme)
    importer.import_blocks(built.blocks[1:41])
    importer.import_blocks(built.blocks[41:])
    head: BlockAPI = built.chain.get_canonical_head()
    assert load_record(importer.db) == CheckedBlock("slot:12", 60, head.hash)
    check_scheme(importer.db, built.scheme, lambda number, head: pytest.fail("scanned"))


def test_record_stays_where_others_wrote(
    recipe: Recipe, built: Any, make_importer: Callable[..., Any]
) -> None:
    """Blocks that nobody checked lie between the record and what is imported."""
    importer = make_importer(built.scheme)
    importer.import_blocks(built.blocks[1:11])
    record = load_record(importer.db)
    assert record is not None and record.number == 10
    make_importer(NumberScheme(), importer.db).import_blocks(built.blocks[11:21])
    make_importer(built.scheme, importer.db).import_blocks(built.blocks[21:31])
    assert load_record(importer.db) == record
