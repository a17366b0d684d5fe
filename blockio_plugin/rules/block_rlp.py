"""
From the bytes that a peer sent to a block, or to an offence.

Everything that a peer could lie about without doing any work is checked here: the shape, the sizes
of all fields, and that the header commits to these transactions and uncles. What remains, the seal
and the execution, is checked when the block is imported. Transactions and uncles stay bytes.
"""
from typing import Container, List, NamedTuple, Sequence

from eth_hash.auto import keccak

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.rlp_items import (
    Item,
    check_nesting,
    read_document,
    read_fields,
    read_list,
    read_uint,
)
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.rules.transaction_root import compute_transaction_root
from blockio_plugin.rules.views import VIEW_LIMIT

MAX_TRANSACTIONS = 65536
"""Transactions in a block, most. Each needs 21,000 gas (yellow paper), so it is 1.3 billion gas."""

MAX_UNCLES = 2
"""Uncles of a block, most (yellow paper)."""

ACCESS_LIST_TYPE = 1
"""The one type of typed transactions that py-evm 0.4 decodes (EIP-2930)."""

ACCESS_LIST_DEPTH = 4
"""Lists within lists in such a transaction: itself, access list, entry, storage keys (EIP-2930)."""

_ANY = range(2 ** 32)
_WORD = range(33)
_COUNT = range(9)
_NO_UNCLES = b"\xc0"
_NO_UNCLES_HASH = keccak(_NO_UNCLES)


class _Field(NamedTuple):
    """A string in a fixed place: the sizes in bytes that it may have."""

    name: str
    sizes: Container[int]
    is_integer: bool = False


# The sizes are those that py-evm accepts in a header (eth.rlp.headers) and the widths of Ethereum's
# integers: words of 32 bytes; numbers, gas and times of 8, beyond any chain.
_HEADER = (
    _Field("parent hash", {32}),
    _Field("uncles hash", {32}),
    _Field("coinbase", {0, 20}),
    _Field("state root", {0, 32}),
    _Field("transaction root", {0, 32}),
    _Field("receipt root", {0, 32}),
    _Field("bloom", {256}),
    _Field("difficulty", _WORD, is_integer=True),
    _Field("number", _COUNT, is_integer=True),
    _Field("gas limit", _COUNT, is_integer=True),
    _Field("gas used", _COUNT, is_integer=True),
    _Field("timestamp", _COUNT, is_integer=True),
    _Field("extra data", _ANY),
    _Field("mix hash", _WORD),
    _Field("nonce", {0, 8}),
)
_PARENT, _UNCLES_HASH, _ROOT, _NUMBER, _TIMESTAMP, _EXTRA_DATA = 0, 1, 4, 8, 11, 12

_LEGACY_TRANSACTION = (
    _Field("nonce", _WORD, is_integer=True),
    _Field("gas price", _WORD, is_integer=True),
    _Field("gas", _WORD, is_integer=True),
    _Field("recipient", {0, 20}),
    _Field("value", _WORD, is_integer=True),
    _Field("data", _ANY),
    _Field("v", _WORD, is_integer=True),
    _Field("r", _WORD, is_integer=True),
    _Field("s", _WORD, is_integer=True),
)


class _HeaderFields(NamedTuple):
    """What a view scheme may look at."""

    block_number: int
    timestamp: int
    extra_data: bytes


def decode_block(rlp: bytes, scheme: ViewScheme) -> Block:
    """
    The block that ``rlp`` encodes as ``[header, transactions, uncles]``, at its view by ``scheme``.

    :raise Offence: whatever is wrong with it. Nothing else is raised, whatever the bytes.
    """
    document = read_document(rlp)
    header, transactions, uncles = read_fields(rlp, document, 3)
    fields = _check_fields(rlp, header, _HEADER, "header")
    _check_transactions(rlp, transactions, _payload(rlp, fields[_ROOT]))
    _check_uncles(rlp, transactions.stop, uncles, _payload(rlp, fields[_UNCLES_HASH]))
    number = read_uint(rlp, fields[_NUMBER], 8)
    timestamp = read_uint(rlp, fields[_TIMESTAMP], 8)
    extra_data = _payload(rlp, fields[_EXTRA_DATA])
    view = scheme.view_of(_HeaderFields(number, timestamp, extra_data))
    if not 0 <= view < VIEW_LIMIT:
        raise Offence(f"block {number} at view {view}")
    if (view == 0) != (number == 0):
        raise Offence(f"block {number} at view {view}, but view 0 is that of genesis")
    # The encoding is canonical, so the hash of a header is that of its own bytes here.
    block_hash = keccak(rlp[document.start:header.stop])
    return Block(view, number, block_hash, _payload(rlp, fields[_PARENT]), rlp)


def _payload(rlp: bytes, item: Item) -> bytes:
    return rlp[item.start:item.stop]


def _check_fields(rlp: bytes, item: Item, fields: Sequence[_Field], what: str) -> List[Item]:
    items = read_fields(rlp, item, len(fields))
    for (is_list, start, stop), (name, sizes, is_integer) in zip(items, fields):
        if is_list:
            raise Offence(f"{what}: the {name} is a list")
        if stop - start not in sizes:
            raise Offence(f"{what}: the {name} has {stop - start} bytes")
        if is_integer and start < stop and rlp[start] == 0:
            raise Offence(f"{what}: the {name} has leading zeros")
    return items


def _check_transactions(rlp: bytes, transactions: Item, root: bytes) -> None:
    encoded = []
    position = transactions.start
    for item in read_list(rlp, transactions, MAX_TRANSACTIONS):
        if item.is_list:
            _check_fields(rlp, item, _LEGACY_TRANSACTION, "transaction")
            encoded.append(rlp[position:item.stop])
        else:
            transaction = _payload(rlp, item)
            _check_typed(transaction)
            encoded.append(transaction)
        position = item.stop
    if compute_transaction_root(encoded) != root:
        raise Offence("the transactions do not match the header")


def _check_typed(transaction: bytes) -> None:
    """py-evm decodes the inside by recursion, so what it will decode must not nest too deep."""
    if not transaction:
        raise Offence("empty transaction")
    if transaction[0] == ACCESS_LIST_TYPE:
        inside = transaction[1:]
        check_nesting(inside, read_document(inside), ACCESS_LIST_DEPTH)


def _check_uncles(rlp: bytes, begin: int, uncles: Item, uncles_hash: bytes) -> None:
    """``begin`` is where the list itself begins, before its prefix."""
    for uncle in read_list(rlp, uncles, MAX_UNCLES):
        _check_fields(rlp, uncle, _HEADER, "uncle")
    encoded = rlp[begin:uncles.stop]
    computed = _NO_UNCLES_HASH if encoded == _NO_UNCLES else keccak(encoded)
    if computed != uncles_hash:
        raise Offence("the uncles do not match the header")
