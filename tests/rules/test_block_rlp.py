import time
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from eth.chains.base import MiningChain
from eth.consensus import NoProofConsensus
from eth.constants import GENESIS_DIFFICULTY
from eth.db.atomic import AtomicDB
from eth.db.trie import _make_trie_root_and_nodes
from eth.rlp.headers import BlockHeader
from eth.vm.forks.berlin import BerlinVM
from eth_hash.auto import keccak
from eth_keys import keys
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
import rlp

from blockio_plugin.rules.block_rlp import MAX_TRANSACTIONS, decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.schemes import NumberScheme, SlotScheme

NUMBER = NumberScheme()

HOSTILE_SECONDS = 5.0
"""How long a block of 16 MiB may take: far above what it does (at most a second or so)."""


class Mined(NamedTuple):
    genesis: Any
    blocks: Tuple[Any, ...]


class Raw(NamedTuple):
    """A block as nested lists, to be damaged."""

    header: List[Any]
    transactions: List[Any]
    uncles: List[Any]

    @property
    def rlp(self) -> bytes:
        encoded: bytes = rlp.encode(list(self), infer_serializer=False)
        return encoded


@pytest.fixture(scope="module")
def mined() -> Mined:
    """Berlin blocks: one empty, one with a legacy and an access list transaction, one with 200."""
    # Typed as they are in releases of py-evm that know less than this one.
    vm: Any = BerlinVM.configure(consensus_class=NoProofConsensus)
    chain_class: Any = MiningChain.configure(vm_configuration=((0, vm),), chain_id=7)
    key = keys.PrivateKey(keccak(b"somebody"))
    sender = key.public_key.to_canonical_address()
    params = {"difficulty": GENESIS_DIFFICULTY, "gas_limit": 10_000_000, "timestamp": 1000}
    if not hasattr(vm, "create_genesis_header"):
        # Newer releases of py-evm number it themselves, and do not take a number.
        params["block_number"] = 0
    state = {sender: {"balance": 10 ** 20, "nonce": 0, "code": b"", "storage": {}}}
    chain = chain_class.from_genesis(AtomicDB(), params, state)
    genesis = chain.get_canonical_block_by_number(0)
    builder = vm.get_transaction_builder()

    def legacy(nonce: int) -> Any:
        unsigned = builder.create_unsigned_transaction(
            nonce=nonce, gas_price=1, gas=25_000, to=b"\x01" * 20, value=nonce, data=b"hello"
        )
        return unsigned.as_signed_transaction(key, chain_id=7)

    access_list = [(b"\x02" * 20, (1, 2, 3))]
    typed = builder.new_unsigned_access_list_transaction(
        7, 1, 1, 60_000, b"\x01" * 20, 5, b"", access_list
    ).as_signed_transaction(key)
    blocks = []
    for transactions, timestamp in (
        ((), 1010),
        ((legacy(0), typed), 1030),
        (tuple(legacy(nonce) for nonce in range(2, 202)), 1080),
    ):
        result, _, _ = chain.mine_all(transactions, timestamp=timestamp)
        blocks.append(result.imported_block)
    return Mined(genesis, tuple(blocks))


def raw(block: Any) -> Raw:
    return Raw(*rlp.decode(rlp.encode(block)))


def test_blocks_of_py_evm(mined: Mined) -> None:
    for block in mined.blocks:
        encoded = rlp.encode(block)
        assert decode_block(encoded, NUMBER) == Block(
            block.number, block.number, block.hash, block.header.parent_hash, encoded
        )


def test_view_follows_from_the_scheme(mined: Mined) -> None:
    scheme = SlotScheme(10, 1000)
    views = [decode_block(rlp.encode(block), scheme).view for block in mined.blocks]
    assert views == [1, 3, 8]


def test_genesis_is_view_0(mined: Mined) -> None:
    encoded = rlp.encode(mined.genesis)
    assert decode_block(encoded, NUMBER).view == 0
    assert decode_block(encoded, SlotScheme(10, 1000)).view == 0
    with pytest.raises(Offence, match="block 0 at view 1, but"):
        decode_block(encoded, SlotScheme(10, 990))


def test_views_out_of_bounds(mined: Mined) -> None:
    encoded = rlp.encode(mined.blocks[0])
    with pytest.raises(Offence, match="block 1 at view -1"):
        decode_block(encoded, SlotScheme(1, 1011))
    with pytest.raises(Offence, match="block 1 at view 0, but"):
        decode_block(encoded, SlotScheme(11, 1000))
    block = raw(mined.blocks[0])
    block.header[8] = (2 ** 63).to_bytes(8, "big")
    with pytest.raises(Offence, match="at view 9223372036854775808"):
        decode_block(block.rlp, NUMBER)
    block.header[8] = (2 ** 63 - 1).to_bytes(8, "big")
    assert decode_block(block.rlp, NUMBER).view == 2 ** 63 - 1


def test_transactions_that_do_not_match(mined: Mined) -> None:
    block = raw(mined.blocks[1])
    block.transactions.reverse()
    with pytest.raises(Offence, match="transactions do not match"):
        decode_block(block.rlp, NUMBER)
    block.transactions.clear()
    with pytest.raises(Offence, match="transactions do not match"):
        decode_block(block.rlp, NUMBER)


def test_uncles(mined: Mined) -> None:
    block = raw(mined.blocks[0])
    uncle = rlp.decode(rlp.encode(BlockHeader(difficulty=1, block_number=1, gas_limit=1)))
    block.uncles.append(uncle)
    with pytest.raises(Offence, match="uncles do not match"):
        decode_block(block.rlp, NUMBER)
    block.header[1] = keccak(rlp.encode(block.uncles, infer_serializer=False))
    assert decode_block(block.rlp, NUMBER).number == 1
    block.uncles.extend([uncle, uncle])
    with pytest.raises(Offence, match="more than 2"):
        decode_block(block.rlp, NUMBER)
    block.uncles[1:] = [uncle[:-1]]
    with pytest.raises(Offence, match="14 items where 15"):
        decode_block(block.rlp, NUMBER)


def test_typed_transactions_of_later_forks_are_kept_as_they_are(mined: Mined) -> None:
    block = raw(mined.blocks[0])
    block.transactions.extend([b"\x02what py-evm does not know", b"\x7f"])
    root, _ = _make_trie_root_and_nodes(tuple(block.transactions))
    block.header[4] = root
    assert decode_block(block.rlp, NUMBER).rlp == block.rlp


HEADER_DAMAGES: Dict[str, Tuple[int, Any, str]] = {
    "a short parent hash": (0, b"\x01" * 31, "parent hash has 31 bytes"),
    "a list for a hash": (1, [], "uncles hash is a list"),
    "a long coinbase": (2, b"\x01" * 21, "coinbase has 21"),
    "a short bloom": (6, b"\x01" * 255, "bloom has 255"),
    "a huge difficulty": (7, b"\x01" * 33, "difficulty has 33"),
    "a huge number": (8, b"\x01" * 9, "number has 9"),
    "leading zeros": (8, b"\x00\x01", "number has leading zeros"),
    "a huge timestamp": (11, b"\x01" * 9, "timestamp has 9"),
    "a long mix hash": (13, b"\x01" * 33, "mix hash has 33"),
    "a short nonce": (14, b"\x01" * 7, "nonce has 7"),
}


@pytest.mark.parametrize("index, value, reason", HEADER_DAMAGES.values(), ids=HEADER_DAMAGES)
def test_header_with(mined: Mined, index: int, value: Any, reason: str) -> None:
    block = raw(mined.blocks[0])
    block.header[index] = value
    with pytest.raises(Offence, match=reason):
        decode_block(block.rlp, NUMBER)


def as_list(payload: bytes) -> bytes:
    prefix: bytes = rlp.codec.length_prefix(len(payload), 0xC0)
    return prefix + payload


def nested_bomb(depth: int) -> bytes:
    data = b"\xc0"
    for _ in range(depth):
        data = as_list(data)
    return data


def access_list_of(encoded: bytes) -> bytes:
    """An access list transaction that is fine but for its access list."""
    return b"\x01" + as_list(b"\x01" * 4 + b"\x80" * 3 + encoded + b"\x01" * 3)


TRANSACTION_DAMAGES: Dict[str, Tuple[Any, str]] = {
    "an empty one": (b"", "empty transaction"),
    "too few fields": ([b"\x01"] * 8, "8 items where 9"),
    "too many fields": ([b"\x01"] * 10, "more than 9"),
    "a list for a field": ([[]] + [b"\x01"] * 8, "nonce is a list"),
    "a huge value": ([b"\x01"] * 3 + [b"", b"\x01" * 33] + [b"\x01"] * 4, "value has 33"),
    "an access list type that is no RLP": (b"\x01\xc1", "past its end"),
    "an access list type with a string": (b"\x01\x80", "not a list"),
    "an access list type that nests": (b"\x01" + nested_bomb(20_000), "1 items where 11"),
    "an access list that nests": (access_list_of(nested_bomb(20_000)), "1 items where 2"),
    "an access list that is a string": (access_list_of(b"\x80"), "in the place of a list"),
    "an access list with a short account": (access_list_of(b"\xc3\xc2\x01\xc0"), "account has 1"),
    "an access list with a short key": (
        access_list_of(as_list(as_list(b"\x94" + b"\x02" * 20 + b"\xc1\x01"))),
        "storage key has 1",
    ),
}


@pytest.mark.parametrize(
    "transaction, reason", TRANSACTION_DAMAGES.values(), ids=TRANSACTION_DAMAGES
)
def test_transaction_with(mined: Mined, transaction: Any, reason: str) -> None:
    block = raw(mined.blocks[0])
    block.transactions.append(transaction)
    with pytest.raises(Offence, match=reason):
        decode_block(block.rlp, NUMBER)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "ends where"),
        (b"\x80", "not a list"),
        (b"\xc0", "0 items where 3"),
        (b"\xc4\x80\x80\x80\x80", "more than 3"),
        (nested_bomb(20_000), "1 items where 3"),
        (b"\xc3\x80\xc0\xc0", "in the place of a list"),
    ],
)
def test_no_block_at_all(data: bytes, reason: str) -> None:
    with pytest.raises(Offence, match=reason):
        decode_block(data, NUMBER)


def test_bytes_after_the_block(mined: Mined) -> None:
    with pytest.raises(Offence, match="bytes follow"):
        decode_block(rlp.encode(mined.blocks[0]) + b"\x00", NUMBER)


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(Offence):
        decode_block(data, NUMBER)


@given(data=st.data())
@settings(max_examples=500)
def test_damaged_blocks(mined: Mined, data: st.DataObject) -> None:
    block = mined.blocks[data.draw(st.integers(0, 1))]
    damaged = bytearray(rlp.encode(block))
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(damaged) - 1))
        damaged[index] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_block(bytes(damaged), NUMBER)
    except Offence:
        return
    # What passes is a block to py-evm too, and the same one.
    again = rlp.decode(bytes(damaged), sedes=type(block))
    assert again.hash == decoded.hash
    assert again.number == decoded.number
    assert again.header.parent_hash == decoded.parent_hash


HOSTILE: Dict[str, Callable[[Raw], None]] = {
    "as many transactions as fit": lambda block: block.transactions.extend(
        [b"\x02"] * (MAX_TRANSACTIONS + 1)
    ),
    "as many transactions as may be": lambda block: block.transactions.extend(
        [b"\x02"] * MAX_TRANSACTIONS
    ),
    "a huge transaction": lambda block: block.transactions.append(b"\x02" * (15 * 1024 * 1024)),
    "a huge access list": lambda block: block.transactions.append(
        access_list_of(as_list((as_list(b"\x94" + b"\x02" * 20 + b"\xc0")) * 500_000))
    ),
    "huge extra data": lambda block: block.header.__setitem__(12, b"\x02" * (15 * 1024 * 1024)),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_blocks_take_bounded_time(mined: Mined, make: Callable[[Raw], None]) -> None:
    block = raw(mined.blocks[0])
    make(block)
    block.header[1] = b"\x01" * 32
    encoded = block.rlp
    started = time.perf_counter()
    with pytest.raises(Offence):
        decode_block(encoded, NUMBER)
    assert time.perf_counter() - started < HOSTILE_SECONDS
