"""
Reads blocks from the chain database as the bytes that go on the wire, without building objects.

The database holds a header under its hash, uncles under the hash of their list, and transactions
in a trie. A block's encoding is spliced from these bytes.
"""
from functools import lru_cache
from typing import Any, List, NamedTuple, Tuple, Union

from eth.abc import AtomicDatabaseAPI
from eth.constants import BLANK_ROOT_HASH, EMPTY_UNCLE_HASH
from eth.db.chain import ChainDB
from eth.exceptions import HeaderNotFound
from eth.typing import ChainGaps
from eth_typing import BlockNumber, Hash32
import rlp
from rlp.codec import length_prefix
from typing_extensions import Final

from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.services.abc import ChainHead

HEADER_CACHE_SIZE = 4096
"""Headers kept, most; about 1.5 kB each. Enough for several peers that sync from us at once."""

EMPTY_LIST: Final = b"\xc0"
"""The RLP of an empty list."""

LIST_OFFSET: Final = 0xC0
"""What the first byte of a list's RLP starts at."""

BRANCH_SIZE: Final = 17
"""Items of a branch node of a trie: sixteen children and a value. Other nodes have two items."""

LEAF_FLAG: Final = 0x20
"""Set in the first byte of the path of a leaf, not in that of an extension (hex-prefix form)."""

LAST_ONE_BYTE_INDEX: Final = 0x7F
"""Transactions up to this one have, but for the first, a key of one byte in their trie."""

Node = List[Any]
"""A decoded node of a trie: bytes, and small nodes that stand in it as they are."""


class NotStored(Exception):
    """The database does not hold (any more) what a block consists of."""


class StoredHeader(NamedTuple):
    """The fields of a header that view schemes and splicing need, and its encoding."""

    hash: bytes
    parent_hash: bytes
    uncles_hash: bytes
    transaction_root: bytes
    block_number: int
    timestamp: int
    extra_data: bytes
    rlp: bytes


class NumberRun(NamedTuple):
    """The block numbers from ``first`` to ``last``, both inclusive."""

    first: int
    last: int


def decode_header(block_hash: bytes, header_rlp: bytes) -> StoredHeader:
    """Pick from an encoded header what is needed; nearly four times as fast as decoding all."""
    fields = rlp.decode(header_rlp)
    return StoredHeader(
        hash=block_hash,
        parent_hash=fields[0],
        uncles_hash=fields[1],
        transaction_root=fields[4],
        block_number=int.from_bytes(fields[8], "big"),
        timestamp=int.from_bytes(fields[11], "big"),
        extra_data=fields[12],
        rlp=header_rlp,
    )


def encode_list(payload: bytes) -> bytes:
    """The RLP of a list whose encoded items, one after the other, are ``payload``."""
    prefix: bytes = length_prefix(len(payload), LIST_OFFSET)
    return prefix + payload


def fetch_chain_head(chaindb: ChainDB, scheme: ViewScheme) -> ChainHead:
    """
    The highest canonical block that is held. After a checkpoint, or while only headers are synced,
    it lies below the head of the header chain.
    """
    head = chaindb.get_canonical_head()
    last = known_runs(chaindb.get_chain_gaps(), head.block_number)[-1].last
    while last < head.block_number:
        try:
            head = chaindb.get_canonical_block_header_by_number(BlockNumber(last))
        except HeaderNotFound:
            # The chain was reorganised between two reads, or its record of gaps is wrong.
            last -= 1
    return ChainHead(scheme.view_of(head), head.block_number, head.hash)


def known_runs(gaps: ChainGaps, head_number: int) -> Tuple[NumberRun, ...]:
    """
    What ``gaps`` leave over up to the head, ascending. The gaps of a chain reach past its head
    after a reorganisation to fewer blocks.
    """
    holes, tip_child = gaps
    runs = []
    first = 0
    for low, high in (*holes, (tip_child, tip_child)):
        last = min(low - 1, head_number)
        if first <= last:
            runs.append(NumberRun(first, last))
        first = high + 1
    return tuple(runs)


class StoredBlocks:
    """The blocks of one chain database. Each read is a round trip where another process has it."""

    def __init__(self, db: AtomicDatabaseAPI) -> None:
        self._db = db
        self.chaindb = ChainDB(db)
        # Keyed by hash, so a reorganisation does not make any of it wrong.
        self.fetch_header = lru_cache(maxsize=HEADER_CACHE_SIZE)(self._read_header)

    def fetch_canonical_hash(self, number: int) -> bytes:
        """
        The hash of the canonical block ``number``.

        :raise NotStored: where none is known
        """
        try:
            return self.chaindb.get_canonical_block_hash(BlockNumber(number))
        except HeaderNotFound as err:
            raise NotStored(str(err)) from err

    def fetch_canonical_header(self, number: int) -> StoredHeader:
        """
        The header of the canonical block ``number``.

        :raise NotStored: where none is known
        """
        return self.fetch_header(self.fetch_canonical_hash(number))

    def holds_state(self, number: int) -> bool:
        """Whether the state after the canonical block ``number`` is held, its root at least."""
        try:
            header = self.fetch_canonical_header(number)
        except NotStored:
            return False
        root: bytes = rlp.decode(header.rlp)[3]
        return root == BLANK_ROOT_HASH or self._db.exists(root)

    def fetch_block(self, header: StoredHeader) -> bytes:
        """
        The RLP of ``[header, transactions, uncles]``.

        :raise NotStored: where transactions or uncles are not held, say after pruning
        """
        transactions = EMPTY_LIST
        if header.transaction_root != BLANK_ROOT_HASH:
            transactions = encode_list(b"".join(self._read_transactions(header.transaction_root)))
        uncles = EMPTY_LIST
        if header.uncles_hash != EMPTY_UNCLE_HASH:
            uncles = self._read(header.uncles_hash)
        return encode_list(header.rlp + transactions + uncles)

    def _read(self, key: bytes) -> bytes:
        try:
            return self._db[key]
        except KeyError as err:
            raise NotStored(key.hex()) from err

    def _read_header(self, block_hash: bytes) -> StoredHeader:
        return decode_header(block_hash, self._read(Hash32(block_hash)))

    def _read_transactions(self, root: bytes) -> List[bytes]:
        """The RLP of each transaction, in order. Each node of the trie is read once."""
        transactions: List[bytes] = []
        waiting: List[Union[bytes, Node]] = [root]
        while waiting:
            below = waiting.pop()
            node: Node = rlp.decode(self._read(below)) if isinstance(below, bytes) else below
            if len(node) == BRANCH_SIZE:
                # Keys of transactions are no prefixes of each other, so a branch has no value.
                waiting.extend(child for child in reversed(node[:-1]) if child)
                continue
            path, content = node
            if path[0] & LEAF_FLAG:
                transactions.append(as_item(content))
            else:
                waiting.append(content)
        # The trie has the RLP of the index as key, so the first one (0x80) comes after 0x7f.
        first = transactions.pop(min(LAST_ONE_BYTE_INDEX, len(transactions) - 1))
        return [first, *transactions]


def as_item(transaction: bytes) -> bytes:
    """
    A transaction as an item of a block's list: a legacy one is a list already, a typed one
    (EIP-2718) goes in as a string.
    """
    if transaction[0] >= LIST_OFFSET:
        return transaction
    item: bytes = rlp.encode(transaction)
    return item
