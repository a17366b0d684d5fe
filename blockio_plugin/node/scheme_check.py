"""
Whether a local chain keeps to a view scheme: one block per view, views ascending.

A chain may have been synced without the plugin, or under another scheme. Each canonical header is
looked at once: a record in the chain database says up to which block that was done, and moves on
with the blocks that the importer verifies.
"""
from typing import Callable, NamedTuple, Optional, Sequence

from eth.abc import AtomicDatabaseAPI, BlockHeaderAPI, DatabaseAPI
from eth.db.chain import ChainDB
from eth.exceptions import CanonicalHeadNotFound
import rlp
from typing_extensions import Final

from blockio_plugin.node.stored_blocks import NotStored, StoredBlocks, StoredHeader, known_runs
from blockio_plugin.rules.schemes import NumberScheme, ViewScheme
from blockio_plugin.rules.views import VIEW_LIMIT

RECORD_KEY: Final = b"blockio:scheme-checked"
"""Where the record is, among Trinity's own keys, of which none starts like this."""

PROGRESS_INTERVAL = 20_000
"""Headers between two reports of progress, and between two writes of the record: about a second."""

Progress = Callable[[int, int], None]
"""Told of the block number that was looked at last, and of the head's."""


class SchemeBroken(ValueError):
    """The chain does not keep to the scheme. The message names both blocks and the scheme."""


class CheckedBlock(NamedTuple):
    """All canonical blocks up to and including this one keep to the scheme of this name."""

    scheme: str
    number: int
    hash: bytes


def load_record(db: DatabaseAPI) -> Optional[CheckedBlock]:
    """How far the chain was checked, and under which scheme; None where it never was."""
    try:
        fields = rlp.decode(db[RECORD_KEY])
    except KeyError:
        return None
    return CheckedBlock(fields[0].decode("ascii"), int.from_bytes(fields[1], "big"), fields[2])


def store_record(db: DatabaseAPI, record: CheckedBlock) -> None:
    """Remember ``record`` for the next start."""
    db[RECORD_KEY] = rlp.encode([record.scheme.encode("ascii"), record.number, record.hash])


def describe_breach(
    parent: StoredHeader, child: StoredHeader, scheme: ViewScheme
) -> Optional[str]:
    """How ``child``, the next block after ``parent``, breaks ``scheme``; None where it does not."""
    parent_view, child_view = scheme.view_of(parent), scheme.view_of(child)
    if parent_view < child_view < VIEW_LIMIT:
        return None
    first, second = _describe(parent), _describe(child)
    if parent_view == child_view:
        return f"blocks {first} and {second} are both in view {child_view} of {scheme.name}"
    return (
        f"block {second} is in view {child_view} and block {first} in view {parent_view} of "
        f"{scheme.name}: views have to ascend, below {VIEW_LIMIT}"
    )


def _describe(header: StoredHeader) -> str:
    return f"{header.block_number} (0x{header.hash[:4].hex()})"


def check_scheme(db: AtomicDatabaseAPI, scheme: ViewScheme, progress: Progress) -> None:
    """
    Look at every canonical header that no earlier check has seen.

    :raise SchemeBroken: the chain does not keep to the scheme
    """
    if isinstance(scheme, NumberScheme):
        return
    stored = StoredBlocks(db)
    try:
        head = stored.chaindb.get_canonical_head()
    except CanonicalHeadNotFound:
        return
    previous = _find_checked(stored, load_record(db), scheme)
    # After a checkpoint headers may still be filled in below others, so only what is checked
    # without a gap from genesis on counts as done.
    gapless = previous
    for first, last in known_runs(stored.chaindb.get_header_chain_gaps(), head.block_number):
        for number in range(max(first, previous.block_number + 1), last + 1):
            try:
                header = stored.fetch_canonical_header(number)
            except NotStored:
                continue
            breach = describe_breach(previous, header, scheme)
            if breach is not None:
                raise SchemeBroken(breach)
            previous = header
            if number == gapless.block_number + 1:
                gapless = header
            if number % PROGRESS_INTERVAL == 0:
                progress(number, head.block_number)
                _remember(db, gapless, scheme)
    _remember(db, gapless, scheme)


def _remember(db: DatabaseAPI, header: StoredHeader, scheme: ViewScheme) -> None:
    store_record(db, CheckedBlock(scheme.name, header.block_number, header.hash))


def _find_checked(
    stored: StoredBlocks, record: Optional[CheckedBlock], scheme: ViewScheme
) -> StoredHeader:
    """The highest canonical header that is known to be checked; genesis where none is."""
    genesis = stored.fetch_canonical_header(0)
    if record is None or record.scheme != scheme.name:
        return genesis
    try:
        header = stored.fetch_header(record.hash)
        # Its block may have left the canonical chain since; what is below both branches is checked.
        while stored.fetch_canonical_hash(header.block_number) != header.hash:
            header = stored.fetch_header(header.parent_hash)
    except NotStored:
        return genesis
    return header


class CheckedChain:
    """
    Moves the record on as blocks are imported, so that the next start has nothing to look at.

    For the process that imports; ``db`` is what it commits as one batch with the blocks.
    """

    def __init__(self, db: AtomicDatabaseAPI, scheme: ViewScheme) -> None:
        self._db = db
        self._scheme = scheme
        self._checked = self._find_start()
        self._is_changed = False

    def _find_start(self) -> Optional[CheckedBlock]:
        if isinstance(self._scheme, NumberScheme):
            return None
        record = load_record(self._db)
        if record is not None and record.scheme == self._scheme.name:
            return record
        head = ChainDB(self._db).get_canonical_head()
        if head.block_number > 0:
            return None
        # The database was made after the check at the start, which found nothing to look at.
        return CheckedBlock(self._scheme.name, 0, head.hash)

    def extend(self, new: Sequence[BlockHeaderAPI], old: Sequence[BlockHeaderAPI]) -> None:
        """
        Blocks that keep to the scheme, as do their parents, have become canonical.

        :param new: their headers, ascending
        :param old: the headers of the blocks that they replaced
        """
        if not new or self._checked is None:
            return
        # Otherwise others have written to the chain too: the next start looks at what they wrote.
        if self._checked.hash in (new[0].parent_hash, *(header.hash for header in old)):
            self._checked = CheckedBlock(self._scheme.name, new[-1].block_number, new[-1].hash)
            self._is_changed = True

    def flush(self) -> None:
        """Write the record, where it has moved."""
        if self._is_changed and self._checked is not None:
            store_record(self._db, self._checked)
            self._is_changed = False
