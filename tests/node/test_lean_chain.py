"""Whether the lean chain does what py-evm's does: the same values, the same database."""
from pathlib import Path
import pickle
from typing import Any, Callable, Dict, List, Type, cast

from eth.chains.base import Chain
from eth.db.atomic import AtomicDB
from eth.rlp.accounts import Account
from eth.rlp.headers import BlockHeader
from eth_typing import BlockNumber
from hypothesis import given
from hypothesis import strategies as st
import pytest
import rlp
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.lean_chain import HEADER_FIELDS, LeanAccount, LeanHeader, make_lean
from blockio_plugin.tools.chain_files import initialize_chain, read_blocks, read_chain_config

VALUES = {"extra_data": st.binary(max_size=32), "nonce": st.binary(min_size=8, max_size=8)}
VALUES.update(dict.fromkeys(("coinbase",), st.binary(min_size=20, max_size=20)))
VALUES.update(
    (name, st.binary(min_size=32, max_size=32))
    for name in HEADER_FIELDS
    if name.endswith(("_root", "_hash"))
)
VALUES.update(
    (name, st.integers(0, 2 ** 64)) for name in HEADER_FIELDS if name not in VALUES
)

headers = st.builds(BlockHeader, **VALUES)
changes = st.sets(st.sampled_from(HEADER_FIELDS)).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)


@given(headers, changes, changes)
def test_header_copies_as_the_stock_one_does(
    header: BlockHeader, first: Dict[str, Any], second: Dict[str, Any]
) -> None:
    lean = LeanHeader.of(header)
    assert lean == header and lean.hash == header.hash
    stock = header.copy(**first).copy(**second)
    copy = lean.copy(**first).copy(**second)
    assert tuple(cast(Any, copy)) == tuple(cast(Any, stock))
    assert rlp.encode(copy) == rlp.encode(stock) and copy.hash == stock.hash
    # The one it was copied from is as it was.
    assert lean == header and lean.hash == header.hash


@given(headers, changes, changes)
def test_changesets_do_as_the_stock_ones_do(
    header: BlockHeader, first: Dict[str, Any], second: Dict[str, Any]
) -> None:
    made = []
    for original in (header, LeanHeader.of(header)):
        with original.build_changeset(**first) as changeset:
            before = tuple(changeset.build_rlp())
            for name, value in second.items():
                setattr(changeset, name, value)
            read = tuple(getattr(changeset, name) for name in HEADER_FIELDS)
            made.append((before, read, tuple(changeset.commit())))
    assert made[0] == made[1]


def test_header_refuses_what_is_no_field() -> None:
    header = LeanHeader.of(BlockHeader(difficulty=0, block_number=0, gas_limit=0, timestamp=0))
    with pytest.raises(TypeError, match="colour"):
        header.copy(colour=1)
    with header.build_changeset() as changeset:
        changeset.colour = 1
        with pytest.raises(TypeError, match="colour"):
            changeset.commit()


@given(
    st.builds(LeanAccount, st.integers(0, 2 ** 64), st.integers(0, 2 ** 256 - 1)),
    st.fixed_dictionaries({}, optional={"nonce": st.integers(0), "balance": st.integers(0)}),
)
def test_account_copies_as_the_stock_one_does(account: LeanAccount, fields: Dict[str, int]) -> None:
    stock = Account(*account).copy(**fields)
    copy = account.copy(**fields)
    assert tuple(cast(Any, copy)) == tuple(cast(Any, stock))
    assert rlp.encode(copy) == rlp.encode(stock)
    with pytest.raises(TypeError):
        account.copy(colour=1)


def import_all(config: Eth1ChainConfig, chain_class: Type[Chain], blocks: List[bytes]) -> AtomicDB:
    db = AtomicDB()
    initialize_chain(db, config)
    chain = chain_class(db)
    for encoded in blocks:
        number = int.from_bytes(rlp.decode(encoded)[0][8], "big")
        block_class = chain.get_vm_class_for_block_number(BlockNumber(number)).get_block_class()
        chain.import_block(rlp.decode(encoded, sedes=block_class))
    return db


def assert_same_database(config: Eth1ChainConfig, blocks: List[bytes]) -> None:
    stock = import_all(config, config.full_chain_class, blocks)
    lean = import_all(config, make_lean(config.full_chain_class), blocks)
    assert lean.wrapped_db.kv_store == stock.wrapped_db.kv_store  # type: ignore[attr-defined]


def test_blocks_are_stock_ones_to_other_processes(built: Any, config: Eth1ChainConfig) -> None:
    db = AtomicDB()
    initialize_chain(db, config)
    importer = BlockImporter(db, config.full_chain_class, built.scheme)
    block = importer.import_blocks(built.blocks[1:11]).new_head
    assert block is not None and block.transactions
    received = pickle.loads(pickle.dumps(block))
    assert received == block
    stock = config.full_chain_class.get_vm_class_for_block_number(10).get_block_class()
    assert (type(received), type(received.header)) == (stock, BlockHeader)


def test_database_is_the_same_after_reorganisations(
    built: Any, fork: Callable[..., Any], config: Eth1ChainConfig
) -> None:
    branches = (built, 0), (fork(30, 5, 70), 30), (fork(60, 6, 85), 60)
    assert_same_database(
        config, [block for branch, at in branches for block in branch.blocks[at + 1:]]
    )


def test_database_is_the_same_after_a_real_chain(chains: Path) -> None:
    """Contracts are called in it, with logs in their receipts."""
    directory = chains / "geth-2020"
    blocks = list(read_blocks(directory / "chain.rlp"))[:400]
    assert_same_database(read_chain_config(directory / "genesis.json"), blocks)
