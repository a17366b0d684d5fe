"""
Imports blocks, as bytes, through py-evm with full validation, many to one write of the database.

Synchronous: it runs in a process of its own. Nothing of a block that fails reaches the database,
and everything before it does.

When a block fails, one of three things was wrong:

- *the block*, where py-evm says so by one of ``FAULTS``, or ``ENCODING_FAULTS`` while it decodes
  the block. Whoever gave it is to blame.
- *the database cannot be reached or written* (``DATABASE_ERRORS``): raised to the caller, since
  nothing can go on without it.
- *anything else*: state that the database lacks, a header that it does not find, an error in
  py-evm or in ours. That is not the block's fault as far as can be seen, though strangers choose
  the bytes that py-evm stumbles over. Everything that was kept in memory is made anew, so that a
  block after this one meets nothing that it left behind, and the failure says that the block may
  be tried again. See ``services.importer`` for what follows from it.
"""
from contextlib import contextmanager
import logging
import time
import traceback
from typing import Callable, Iterable, Iterator, NamedTuple, Optional, Tuple, Type

from eth.abc import AtomicDatabaseAPI, BlockAPI, BlockImportResult
from eth.chains.base import Chain
from eth.exceptions import CheckpointsMustBeCanonical, UnrecognizedTransactionType
from eth.vm.interrupt import EVMMissingData
from eth_hash.auto import keccak
from eth_keys.exceptions import BadSignature
from eth_typing import BlockNumber
from eth_utils import ValidationError
import rlp
from trie.exceptions import MissingTrieNode

from blockio_plugin.node.chain_gaps import mend_gaps
from blockio_plugin.node.lean_chain import make_lean
from blockio_plugin.node.overlay import OverlayDB
from blockio_plugin.node.scheme_check import CheckedChain, describe_breach
from blockio_plugin.node.stored_blocks import (
    NotStored,
    StoredBlocks,
    StoredHeader,
    decode_header,
    fetch_chain_head,
    known_runs,
)
from blockio_plugin.rules.limits import MemoryBudget
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.rlp_items import read_document, read_item
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.services.abc import ChainHead, ImportFailure, ImportResult

COMMIT_BLOCKS = 64
"""Blocks in one write of the database, most. One block at a time takes up to half as long again;
at this many, writing is under a hundredth of the work, so more would gain nothing."""

COMMIT_INTERVAL = 1.0
"""Seconds of work that a kill may lose, most (and the block under way)."""

MAX_REASON_LENGTH = 300
"""Characters of the reason for a failure, most: it goes to the log and over the bus."""

DATABASE_ERRORS = (OSError, MemoryError)
"""What is raised where the database cannot be reached or written, or this process cannot go on."""

MISSING_STATE = (EVMMissingData, MissingTrieNode)
"""What is raised where the database lacks what it should hold. py-evm may complain on top of it."""

FAULTS = (
    # A rule of the chain is broken.
    ValidationError,
    # A transaction, or the seal of a header, was not signed by anybody.
    BadSignature,
    # A branch that replaces a block of which the user has said that it is canonical.
    CheckpointsMustBeCanonical,
)
"""
What py-evm 0.4.0a3 raises while it imports a block because the block is wrong. Found by reading it,
and by some 40,000 blocks with fields of all sizes and kinds; a test draws more.
"""

ENCODING_FAULTS = (
    # Of our own reader.
    Offence,
    rlp.exceptions.RLPException,
    # A field of a wrong size.
    ValidationError,
    UnrecognizedTransactionType,
    # A list in the place of a string, or a string in the place of a list.
    TypeError,
    # Fields that are not there.
    IndexError,
)
"""What is raised while a block is decoded because it is no encoding of one. Nothing else is read
then. While a block is executed the like comes from what the database holds."""

NO_FAULTS = (
    # A Clique header whose time our clock has not reached. Clocks differ, and the time will come.
    "Invalid future timestamp",
    # The state is looked for after it was stored.
    "`state_root` was not found in the db",
)
"""How complaints begin that py-evm raises as a ``ValidationError`` though no block is to blame."""

NO_FAULT_MODULES = ("eth.db.", "eth.consensus.clique.snapshot_manager")
"""The modules, by how their names begin, whose own ``ValidationError`` is about what is stored."""


class MalformedBlock(ValidationError):
    """Bytes that are no encoding of a block."""


class Imported(NamedTuple):
    """What an import did, and the block that it made the head; None where the head is the same."""

    result: ImportResult
    new_head: Optional[BlockAPI]


class BlockImporter:
    """
    Writes to the chain of ``base_db``, and is the only one that does. First it puts the records of
    gaps right, which a stock chain may have written before.

    :param chain_class: the chain of the network, with its virtual machines and consensus
    :param clock: seconds, monotonic
    :param memory: bytes that blocks have written, most, before they go to the database
    """

    logger = logging.getLogger("blockio_plugin.node.BlockImporter")

    def __init__(
        self,
        base_db: AtomicDatabaseAPI,
        chain_class: Type[Chain],
        scheme: ViewScheme,
        clock: Callable[[], float] = time.monotonic,
        memory: int = MemoryBudget.divide().writes,
    ) -> None:
        self._base_db = base_db
        self._chain_class = make_lean(chain_class)
        self._scheme = scheme
        self._clock = clock
        self._memory = memory
        self._uncommitted = 0
        self._committed_at = 0.0
        self._head_number = 0
        self._begin()
        if mend_gaps(self._overlay):
            self._overlay.commit()
            self.logger.warning("The database's records of missing blocks were wrong: put right")

    def _begin(self) -> None:
        """Forget all that is kept in memory: every block so far may have left something there."""
        self._overlay = OverlayDB(self._base_db)
        self._chain = self._chain_class(self._overlay)
        self._stored = StoredBlocks(self._overlay)
        self._checked = CheckedChain(self._overlay, self._scheme)

    def fetch_head(self) -> ChainHead:
        """The highest canonical block that is held."""
        return fetch_chain_head(self._stored.chaindb, self._scheme)

    def import_blocks(self, blocks: Iterable[bytes]) -> Imported:
        """
        Import blocks (RLP), each a child of a block that is held, in order, until one fails. Those
        that are held already are passed over. When this returns everything is in the database.

        :raise OSError: the database cannot be reached or written
        """
        failure: Optional[ImportFailure] = None
        imported = 0
        new_head: Optional[BlockAPI] = None
        # Others, who fill gaps, may have written to the database since we read of it last.
        self._overlay.discard()
        self._uncommitted = 0
        self._head_number = self._stored.chaindb.get_canonical_head().block_number
        self._committed_at = self._clock()
        for block_rlp in blocks:
            block_hash = b""
            try:
                header = split_header(block_rlp)
                block_hash = header.hash
                if self._is_held(header):
                    continue
                with self._overlay.atomic_batch():
                    done = self._import(header, block_rlp)
            except Exception as err:
                failure = _judge(err, block_hash)
                if not failure.is_invalid:
                    self.logger.debug("Block 0x%s failed", block_hash.hex(), exc_info=True)
                break
            imported += 1
            if done.new_canonical_blocks:
                new_head = done.new_canonical_blocks[-1]
                self._head_number = new_head.number
            self._uncommitted += 1
            if self._is_commit_due():
                self._commit()
        self._commit()
        if failure is not None and not failure.is_invalid:
            self._begin()
        return Imported(ImportResult(self.fetch_head(), imported, failure), new_head)

    def _import(self, header: StoredHeader, block_rlp: bytes) -> BlockImportResult:
        vm_class = self._chain.get_vm_class_for_block_number(BlockNumber(header.block_number))
        with _malformed():
            block: BlockAPI = rlp.decode(block_rlp, sedes=vm_class.get_block_class())
        try:
            parent = self._stored.fetch_header(header.parent_hash)
        except NotStored:
            # We are given what follows a block that we said we hold.
            raise NotStored(f"its parent 0x{header.parent_hash.hex()} is not held") from None
        breach = describe_breach(parent, header, self._scheme)
        if breach is not None:
            raise ValidationError(breach)
        done = self._chain.import_block(block, perform_validation=True)
        if done.imported_block.hash != header.hash:
            # py-evm compares the block it made with the one it was given by Python's hash of their
            # fields, which is the same for an integer and that integer plus 2**61 - 1.
            raise ValidationError("its header does not say what came of executing it")
        self._checked.extend(
            [block.header for block in done.new_canonical_blocks],
            [block.header for block in done.old_canonical_blocks],
        )
        return done

    def _is_held(self, header: StoredHeader) -> bool:
        if header.block_number > self._head_number:
            return False
        try:
            if self._stored.fetch_canonical_hash(header.block_number) != header.hash:
                return False
        except NotStored:
            return False
        # After a checkpoint a header may be there without its block.
        runs = known_runs(self._stored.chaindb.get_chain_gaps(), header.block_number)
        return bool(runs) and runs[-1].last == header.block_number

    def _is_commit_due(self) -> bool:
        return (
            self._uncommitted >= COMMIT_BLOCKS
            or self._overlay.size >= self._memory
            or self._clock() - self._committed_at >= COMMIT_INTERVAL
        )

    def _commit(self) -> None:
        if self._uncommitted:
            self._checked.flush()
            self._overlay.commit()
            self._uncommitted = 0
        self._committed_at = self._clock()


def split_header(block_rlp: bytes) -> StoredHeader:
    """
    The header of an encoded block.

    :raise MalformedBlock: where there is none
    """
    with _malformed():
        block = read_document(block_rlp)
        header = read_item(block_rlp, block.start, block.stop)
        header_rlp = block_rlp[block.start:header.stop]
        return decode_header(keccak(header_rlp), header_rlp)


@contextmanager
def _malformed() -> Iterator[None]:
    try:
        yield
    except ENCODING_FAULTS as err:
        raise MalformedBlock(f"it is malformed: {_describe(err)}") from err


def _judge(err: Exception, block_hash: bytes) -> ImportFailure:
    """
    Whose fault it is that a block failed.

    :raise OSError: that of the database
    """
    database_error = _find_cause(err, DATABASE_ERRORS)
    if database_error is not None:
        raise database_error
    lack = _find_cause(err, MISSING_STATE)
    if lack is not None:
        return ImportFailure(block_hash, _describe(lack), is_invalid=False)
    is_fault = _is_fault(err)
    # Complaints of py-evm say what is wrong; other errors need their type to do so.
    is_clear = is_fault and isinstance(err, ValidationError)
    return ImportFailure(block_hash, _one_line(err) if is_clear else _describe(err), is_fault)


def _is_fault(err: Exception) -> bool:
    if not isinstance(err, ValidationError):
        return isinstance(err, FAULTS)
    *_, (frame, _) = traceback.walk_tb(err.__traceback__)
    module: str = frame.f_globals["__name__"]
    return not (str(err).startswith(NO_FAULTS) or module.startswith(NO_FAULT_MODULES))


def _find_cause(
    err: BaseException, kinds: Tuple[Type[BaseException], ...]
) -> Optional[BaseException]:
    """The first error of these kinds among an error and those that it came of."""
    cause: Optional[BaseException] = err
    while cause is not None and not isinstance(cause, kinds):
        cause = cause.__cause__ or cause.__context__
    return cause


def _one_line(err: BaseException) -> str:
    return " ".join(str(err).split())[:MAX_REASON_LENGTH]


def _describe(err: BaseException) -> str:
    """One line that begins with the error's type."""
    return f"{type(err).__name__}: {_one_line(err)}"
