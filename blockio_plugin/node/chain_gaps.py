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
from typing import Callable, Sequence

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
        headers, blocks = _read(db, HEADER_GAPS), _read(db, BLOCK_GAPS)
        for header in new:
            _, headers = fill_gap(header.block_number, headers)
            if _holds_body(db, header):
                _, blocks = fill_gap(header.block_number, blocks)
            else:
                blocks = reopen_gap(header.block_number, blocks)
        _write(db, HEADER_GAPS, _end_at(head.block_number, headers))
        _write(db, BLOCK_GAPS, _end_at(head.block_number, blocks))

    @classmethod
    def note_canonical_block(cls, db: DatabaseAPI, block: BlockAPI) -> None:
        _, gaps = fill_gap(block.number, _read(db, BLOCK_GAPS))
        _write(db, BLOCK_GAPS, gaps)


def mend_gaps(db: AtomicDatabaseAPI) -> bool:
    """
    Put right what a stock chain has written to the records. Whether there was anything.

    A number that counts as held and is not is the last one before a gap, or before another such
    number. A header that is held and does not count is the last one of a gap, or follows another
    such header down. So this reads little more than one entry for each gap and one for each wrong
    number, however long the chain is.
    """
    chaindb = ChainDB(db)

    def has_header(number: int) -> bool:
        try:
            chaindb.get_canonical_block_hash(BlockNumber(number))
        except HeaderNotFound:
            return False
        return True

    def has_block(number: int) -> bool:
        return has_header(number) and _holds_body(
            db, chaindb.get_canonical_block_header_by_number(BlockNumber(number))
        )

    head_number = chaindb.get_canonical_head().block_number
    headers = _drop_wrong(known_runs(_read(db, HEADER_GAPS), head_number), has_header)
    blocks = _drop_wrong(known_runs(_read(db, BLOCK_GAPS), head_number), has_block)
    headers = _add_missing([*headers, NumberRun(head_number, head_number)], has_header)
    is_mended = _write(db, HEADER_GAPS, _gaps_between(headers))
    return _write(db, BLOCK_GAPS, _gaps_between(blocks)) or is_mended


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


def _write(db: DatabaseAPI, key: bytes, gaps: ChainGaps) -> bool:
    """Write a record, and whether it is another one than before."""
    if gaps == _read(db, key):
        return False
    db[key] = rlp.encode(gaps, sedes=chain_gaps)
    return True
