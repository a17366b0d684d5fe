"""
From the bytes that a peer sent to a block, or to an offence.

Everything that a peer could lie about without doing any work is checked here: the shape, the sizes
of all fields, and that the header commits to these transactions and uncles. What remains, the seal
and the execution, is checked when the block is imported. Transactions and uncles stay bytes.
"""
from typing import Container, NamedTuple, Sequence

from eth_hash.auto import keccak

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.rlp_items import (
    Item,
    iterate_list,
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

_MESSAGE = (
    _Field("nonce", _WORD, is_integer=True),
    _Field("gas price", _WORD, is_integer=True),
    _Field("gas", _WORD, is_integer=True),
    _Field("recipient", {0, 20}),
    _Field("value", _WORD, is_integer=True),
    _Field("data", _ANY),
)
_SIGNATURE = (
    _Field("v", _WORD, is_integer=True),
    _Field("r", _WORD, is_integer=True),
    _Field("s", _WORD, is_integer=True),
)
_LEGACY_TRANSACTION = _MESSAGE + _SIGNATURE
# But for the access list, which is a list between data and v (EIP-2930).
_ACCESS_LIST_TRANSACTION = (
    _Field("chain id", _WORD, is_integer=True),
) + _LEGACY_TRANSACTION
_ACCESS_LIST = 7
_ACCOUNT = (_Field("account", {20}),)
_STORAGE_KEY = (_Field("storage key", {32}),)


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
    fields = read_fields(rlp, header, len(_HEADER))
    _check_fields(rlp, fields, _HEADER)
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


def _check_fields(rlp: bytes, items: Sequence[Item], fields: Sequence[_Field]) -> None:
    for (is_list, start, stop), (name, sizes, is_integer) in zip(items, fields):
        if is_list:
            raise Offence(f"the {name} is a list")
        if stop - start not in sizes:
            raise Offence(f"the {name} has {stop - start} bytes")
        if is_integer and start < stop and rlp[start] == 0:
            raise Offence(f"the {name} has leading zeros")


def _check_transactions(rlp: bytes, transactions: Item, root: bytes) -> None:
    encoded = []
    position = transactions.start
    for item in read_list(rlp, transactions, MAX_TRANSACTIONS):
        if item.is_list:
            fields = read_fields(rlp, item, len(_LEGACY_TRANSACTION))
            _check_fields(rlp, fields, _LEGACY_TRANSACTION)
            encoded.append(rlp[position:item.stop])
        else:
            transaction = _payload(rlp, item)
            _check_typed(transaction)
            encoded.append(transaction)
        position = item.stop
    if compute_transaction_root(encoded) != root:
        raise Offence("the transactions do not match the header")


def _check_typed(transaction: bytes) -> None:
    """py-evm decodes the inside by recursion, so what it will decode has to have its shape."""
    if not transaction:
        raise Offence("empty transaction")
    if transaction[0] != ACCESS_LIST_TYPE:
        return
    inside = transaction[1:]
    fields = read_fields(inside, read_document(inside), len(_ACCESS_LIST_TRANSACTION) + 1)
    access_list = fields.pop(_ACCESS_LIST)
    _check_fields(inside, fields, _ACCESS_LIST_TRANSACTION)
    for entry in iterate_list(inside, access_list):
        account, storage_keys = read_fields(inside, entry, 2)
        _check_fields(inside, (account,), _ACCOUNT)
        for storage_key in iterate_list(inside, storage_keys):
            _check_fields(inside, (storage_key,), _STORAGE_KEY)


def _check_uncles(rlp: bytes, begin: int, uncles: Item, uncles_hash: bytes) -> None:
    """``begin`` is where the list itself begins, before its prefix."""
    for uncle in read_list(rlp, uncles, MAX_UNCLES):
        _check_fields(rlp, read_fields(rlp, uncle, len(_HEADER)), _HEADER)
    encoded = rlp[begin:uncles.stop]
    computed = _NO_UNCLES_HASH if encoded == _NO_UNCLES else keccak(encoded)
    if computed != uncles_hash:
        raise Offence("the uncles do not match the header")
