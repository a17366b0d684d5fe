from typing import Any, Callable, List, Tuple

from eth.db.atomic import AtomicDB
from eth.db.backends.level import LevelDB
from eth.db.chain import ChainDB
import pytest
from trinity.config import Eth1ChainConfig

from blockio_plugin.node import scheme_check
from blockio_plugin.node.scheme_check import (
    CheckedBlock,
    SchemeBroken,
    check_scheme,
    load_record,
    store_record,
)
from blockio_plugin.rules.schemes import NumberScheme, ViewScheme, parse_scheme
from blockio_plugin.rules.views import VIEW_LIMIT
from blockio_plugin.tools.chain_builder import Recipe, build_chain
from blockio_plugin.tools.chain_files import initialize_chain

# Fixtures and their types are in conftest.py.


class CountingDB(AtomicDB):
    """Reads through to a real database, counting; writes stay here."""

    def __init__(self, base: LevelDB) -> None:
        super().__init__()
        self.base = base
        self.reads = 0

    def __getitem__(self, key: bytes) -> bytes:
        self.reads += 1
        try:
            return super().__getitem__(key)
        except KeyError:
            return self.base[key]


def ignore(number: int, head: int) -> None:
    pass


def bind(text: str, built: Any) -> ViewScheme:
    return parse_scheme(text).bind(built.chain.get_canonical_block_header_by_number(0))


def header_of(built: Any, number: int) -> Any:
    return built.chain.get_canonical_block_header_by_number(number)


def test_chain_that_keeps_to_the_scheme(built: Any) -> None:
    db = CountingDB(built.db)
    check_scheme(db, built.scheme, ignore)
    assert load_record(db) == CheckedBlock("slot:12", 60, header_of(built, 60).hash)


def test_two_blocks_in_one_view(built: Any) -> None:
    scheme = bind("slot:120", built)
    views = [scheme.view_of(header_of(built, number)) for number in range(61)]
    second = next(number for number in range(1, 61) if views[number] == views[number - 1])
    with pytest.raises(SchemeBroken) as caught:
        check_scheme(CountingDB(built.db), scheme, ignore)
    first_hash, second_hash = (header_of(built, n).hash.hex()[:8] for n in (second - 1, second))
    assert str(caught.value) == (
        f"blocks {second - 1} (0x{first_hash}) and {second} (0x{second_hash}) are both in view "
        f"{views[second]} of slot:120"
    )


def test_number_looks_at_nothing(built: Any) -> None:
    db = CountingDB(built.db)
    check_scheme(db, NumberScheme(), ignore)
    assert db.reads == 0
    assert load_record(db) is None


def test_next_check_goes_on_where_the_last_one_ended(
    recipe: Recipe, built: Any, open_db: Any
) -> None:
    chain_db = open_db("chain")
    build_chain(recipe, chain_db, blocks=40)
    db = CountingDB(chain_db)
    check_scheme(db, built.scheme, ignore)
    full, db.reads = db.reads, 0
    check_scheme(db, built.scheme, ignore)
    assert db.reads < 10 < full
    build_chain(recipe, chain_db, blocks=45)
    db.reads = 0
    check_scheme(db, built.scheme, ignore)
    assert db.reads < 10 + 5 * 2
    record = load_record(db)
    assert record is not None and record.number == 45


def test_other_scheme_starts_over(built: Any) -> None:
    db = CountingDB(built.db)
    check_scheme(db, built.scheme, ignore)
    with pytest.raises(SchemeBroken):
        check_scheme(db, bind("slot:120", built), ignore)
    record = load_record(db)
    assert record is not None and record.scheme == "slot:12"


def test_record_on_a_branch_that_was_left(built: Any, fork: Callable[..., Any]) -> None:
    """What lies below both branches is not looked at again, the rest of the new one is."""
    other = fork(50, 5, 70)
    db = CountingDB(other.db)
    for number in range(51, 61):
        ChainDB(db).persist_header(header_of(built, number))
    store_record(db, CheckedBlock("slot:12", 60, header_of(built, 60).hash))
    db.reads = 0
    check_scheme(db, built.scheme, ignore)
    assert load_record(db) == CheckedBlock("slot:12", 70, header_of(other, 70).hash)
    assert db.reads < 2 * (10 + 20) + 10


def test_record_of_an_unknown_block_is_not_trusted(built: Any) -> None:
    db = CountingDB(built.db)
    store_record(db, CheckedBlock("slot:120", 60, b"\1" * 32))
    with pytest.raises(SchemeBroken):
        check_scheme(db, bind("slot:120", built), ignore)


def test_long_check_reports_and_survives_an_end(
    built: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheme_check, "PROGRESS_INTERVAL", 10)
    db = CountingDB(built.db)

    def interrupt(number: int, head: int) -> None:
        if number == 40:
            raise KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        check_scheme(db, built.scheme, interrupt)
    seen: List[Tuple[int, int]] = []
    check_scheme(db, built.scheme, lambda number, head: seen.append((number, head)))
    assert seen == [(40, 60), (50, 60), (60, 60)]


def test_gap_in_the_headers_is_looked_at_when_it_is_filled(
    built: Any, config: Eth1ChainConfig
) -> None:
    db = AtomicDB()
    chain = config.initialize_chain(db)
    headers = [header_of(built, number) for number in range(61)]
    chain.chaindb.persist_checkpoint_header(headers[30], 10 ** 9)
    chain.chaindb.persist_header_chain(headers[31:61])
    check_scheme(db, built.scheme, ignore)
    record = load_record(db)
    assert record is not None and record.number == 0
    chain.chaindb.persist_header_chain(headers[1:30])
    check_scheme(db, built.scheme, ignore)
    record = load_record(db)
    assert record is not None and record.number == 60


def test_breach_across_a_gap(built: Any, config: Eth1ChainConfig) -> None:
    db = AtomicDB()
    chain = config.initialize_chain(db)
    chain.chaindb.persist_checkpoint_header(header_of(built, 30), 10 ** 9)
    seconds = header_of(built, 30).timestamp
    with pytest.raises(SchemeBroken, match=r"blocks 0 .* and 30 "):
        check_scheme(db, bind(f"slot:{seconds}", built), ignore)


def test_view_past_the_limit_breaks_every_scheme(built: Any, config: Eth1ChainConfig) -> None:
    db = AtomicDB()
    chain = config.initialize_chain(db)
    genesis = header_of(built, 0)
    chain.chaindb.persist_header(
        header_of(built, 1).copy(timestamp=genesis.timestamp + VIEW_LIMIT)
    )
    with pytest.raises(SchemeBroken, match="block 1 "):
        check_scheme(db, bind("slot:1", built), ignore)


def test_empty_database_is_left_alone(built: Any) -> None:
    db = AtomicDB()
    check_scheme(db, built.scheme, ignore)
    assert load_record(db) is None


def test_fresh_chain(config: Eth1ChainConfig, built: Any) -> None:
    db = AtomicDB()
    initialize_chain(db, config)
    check_scheme(db, built.scheme, ignore)
    assert load_record(db) == CheckedBlock("slot:12", 0, header_of(built, 0).hash)
