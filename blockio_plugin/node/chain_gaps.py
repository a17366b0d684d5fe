"""
Which blocks of the canonical chain are missing: py-evm's records of that, kept true.

py-evm keeps two records by number, one of headers and one of blocks. In the stock ones every number
counts as held at which anything was stored. So a block of another branch passes for one of ours,
above our head or in a gap. When our own block of that number comes, py-evm looks for the header
that it replaces, finds none, and fails each time: the chain has ended. And what we tell our peers
to hold is not what we hold.

Here a number counts as held where it is at or below the head and has a canonical header; and in the
record of blocks, where the transactions and uncles of that header are stored too.
"""
from typing import Callable, Optional, Sequence

from eth.abc import AtomicDatabaseAPI, BlockAPI, BlockHeaderAPI, DatabaseAPI
from eth.constants import BLANK_ROOT_HASH, EMPTY_UNCLE_HASH
from eth.db.chain import ChainDB
from eth.db.chain_gaps import GENESIS_CHAIN_GAPS, fill_gap, reopen_gap
from eth.db.schema import SchemaV1
from eth.exceptions import HeaderNotFound
from eth.rlp.sedes import chain_gaps
from eth.typing import ChainGaps
from eth_typing import BlockNumber
import rlp

from blockio_plugin.node.private import ChainDBWithOwnGaps
from blockio_plugin.node.stored_blocks import NumberRun, known_runs

HEADER_GAPS = SchemaV1.make_header_chain_gaps_lookup_key()
"""The key of the record of headers."""

BLOCK_GAPS = SchemaV1.make_chain_gaps_lookup_key()
"""The key of the record of blocks."""


class TrueGapsDB(ChainDBWithOwnGaps):
    """A chain database whose records of gaps are true, if they were before."""

    @classmethod
    def note_head(
        cls, db: DatabaseAPI, head: BlockHeaderAPI, new: Sequence[BlockHeaderAPI]
    ) -> None:
        known = headers = _read(db, HEADER_GAPS)
        for header in new:
            _, headers = fill_gap(header.block_number, headers)
        _write(db, HEADER_GAPS, known, _end_at(head.block_number, headers))
        _, tip_child = known
        if len(new) == 1 and tip_child == head.block_number:
            # It follows the head, as nearly all do: no block of its number counts as held yet.
            return
        known = blocks = _read(db, BLOCK_GAPS)
        for header in new:
            if _holds_body(db, header):
                _, blocks = fill_gap(header.block_number, blocks)
            else:
                blocks = reopen_gap(header.block_number, blocks)
        _write(db, BLOCK_GAPS, known, _end_at(head.block_number, blocks))

    @classmethod
    def note_canonical_block(
        cls, db: DatabaseAPI, block: BlockAPI, gaps: ChainGaps
    ) -> ChainGaps:
        _, filled = fill_gap(block.number, gaps)
        _write(db, BLOCK_GAPS, gaps, filled)
        return filled


def mend_gaps(db: AtomicDatabaseAPI) -> bool:
    """
    Put right what a stock chain has made of the records, and by them of the canonical chain.
    Whether there was anything.

    1. A block of another branch that came into what passed for a gap has become canonical there, in
       spite of the head. So what the head names as its ancestors is made canonical, and so is what
       the block above each gap does, as far as it is stored and is not canonical already.
    2. A number that counts as held and is not is the last one before a gap, or before another such
       number. A header that is held and does not count is the last one of a gap, or follows another
       such header down.

    So this reads little more than one entry for each gap and one for each wrong number, however
    long the chain is.
    """
    chain = _MendedChain(db)
    head = chain.chaindb.get_canonical_head()
    is_mended = chain.link(head)
    header_gaps, block_gaps = _read(db, HEADER_GAPS), _read(db, BLOCK_GAPS)
    counted = known_runs(header_gaps, head.block_number)
    for run in counted[1:]:
        is_mended |= chain.link_below(run.first)
    counted += (NumberRun(head.block_number, head.block_number),)
    headers = _add_missing(_drop_wrong(counted, chain.has_header), chain.has_header)
    blocks = _drop_wrong(known_runs(block_gaps, head.block_number), chain.has_block)
    is_mended |= _write(db, HEADER_GAPS, header_gaps, _gaps_between(headers))
    is_mended |= _write(db, BLOCK_GAPS, block_gaps, _gaps_between(blocks))
    return is_mended


class _MendedChain:
    """The canonical chain by numbers."""

    def __init__(self, db: AtomicDatabaseAPI) -> None:
        self._db = db
        self.chaindb = ChainDB(db)

    def _find_hash(self, number: int) -> Optional[bytes]:
        try:
            return self.chaindb.get_canonical_block_hash(BlockNumber(number))
        except HeaderNotFound:
            return None

    def has_header(self, number: int) -> bool:
        """Whether there is a canonical header of this number."""
        return self._find_hash(number) is not None

    def has_block(self, number: int) -> bool:
        """The same, with all of its block."""
        return self.has_header(number) and _holds_body(
            self._db, self.chaindb.get_canonical_block_header_by_number(BlockNumber(number))
        )

    def link(self, header: BlockHeaderAPI) -> bool:
        """Make a header and its ancestors canonical, down to one that is. Whether any was not."""
        below: Optional[BlockHeaderAPI] = header
        is_changed = False
        while below is not None and self._find_hash(below.block_number) != below.hash:
            key = SchemaV1.make_block_number_to_hash_lookup_key(below.block_number)
            self._db[key] = rlp.encode(below.hash, sedes=rlp.sedes.binary)
            is_changed = True
            below = self._find_parent(below)
        return is_changed

    def link_below(self, number: int) -> bool:
        """The same for the parent of a canonical header, where both are stored."""
        if not self.has_header(number):
            return False
        header = self.chaindb.get_canonical_block_header_by_number(BlockNumber(number))
        parent = self._find_parent(header)
        return parent is not None and self.link(parent)

    def _find_parent(self, header: BlockHeaderAPI) -> Optional[BlockHeaderAPI]:
        try:
            return self.chaindb.get_block_header_by_hash(header.parent_hash)
        except HeaderNotFound:
            return None


def _drop_wrong(
    runs: Sequence[NumberRun], is_held: Callable[[int], bool]
) -> Sequence[NumberRun]:
    """The runs without what is not held at their upper ends. Genesis is always held."""
    held = []
    for first, last in runs:
        while last >= max(first, 1) and not is_held(last):
            last -= 1
        if first <= last:
            held.append(NumberRun(first, last))
    return held


def _add_missing(
    runs: Sequence[NumberRun], is_held: Callable[[int], bool]
) -> Sequence[NumberRun]:
    """The runs with what is held right below them, joined where they meet."""
    joined = [runs[0]]
    for first, last in runs[1:]:
        below = joined[-1].last
        while first > below + 1 and is_held(first - 1):
            first -= 1
        if first > below + 1:
            joined.append(NumberRun(first, last))
        else:
            joined[-1] = NumberRun(joined[-1].first, max(below, last))
    return joined


def _end_at(head_number: int, gaps: ChainGaps) -> ChainGaps:
    """The gaps up to the head: nothing above it counts as held."""
    _, tip_child = gaps
    if tip_child <= head_number + 1:
        return gaps
    return _gaps_between(known_runs(gaps, head_number))


def _gaps_between(held: Sequence[NumberRun]) -> ChainGaps:
    holes = tuple(
        (BlockNumber(below.last + 1), BlockNumber(above.first - 1))
        for below, above in zip(held, held[1:])
    )
    return holes, BlockNumber(held[-1].last + 1)


def _holds_body(db: DatabaseAPI, header: BlockHeaderAPI) -> bool:
    """Whether the transactions and uncles of a header are stored: each is written at once."""
    root, uncles_hash = header.transaction_root, header.uncles_hash
    return (root == BLANK_ROOT_HASH or root in db) and (
        uncles_hash == EMPTY_UNCLE_HASH or uncles_hash in db
    )


def _read(db: DatabaseAPI, key: bytes) -> ChainGaps:
    try:
        encoded = db[key]
    except KeyError:
        return GENESIS_CHAIN_GAPS
    gaps: ChainGaps = rlp.decode(encoded, sedes=chain_gaps)
    return gaps


def _write(db: DatabaseAPI, key: bytes, before: ChainGaps, after: ChainGaps) -> bool:
    """Write a record, where it is another one than before. Whether it is."""
    if after == before:
        return False
    db[key] = rlp.encode(after, sedes=chain_gaps)
    return True
