"""
Imports blocks, as bytes, through py-evm with full validation, many to one write of the database.

Synchronous: it runs in a process of its own. Nothing of a block that fails reaches the database,
and everything before it does.
"""
import time
from typing import Callable, Iterable, NamedTuple, Optional, Type

from eth.abc import AtomicDatabaseAPI, BlockAPI, BlockImportResult
from eth.chains.base import Chain
from eth.vm.interrupt import EVMMissingData
from eth_hash.auto import keccak
from eth_typing import BlockNumber
from eth_utils import ValidationError
import rlp
from trie.exceptions import MissingTrieNode

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
from blockio_plugin.rules.rlp_items import read_document, read_item
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.services.abc import ChainHead, ImportFailure, ImportResult

COMMIT_BLOCKS = 64
"""Blocks in one write of the database, most. One block at a time takes up to half as long again;
at this many, writing is under a hundredth of the work, so more would gain nothing."""

COMMIT_SIZE = 16 * 1024 * 1024
"""Bytes that blocks have written, most, before they go to the database."""

COMMIT_INTERVAL = 1.0
"""Seconds of work that a kill may lose, most (and the block under way)."""

MAX_REASON_LENGTH = 300
"""Characters of the reason for a failure, most: it goes to the log and over the bus."""

DATABASE_ERRORS = (OSError, EVMMissingData, MissingTrieNode, MemoryError)
"""What is not the fault of a block: a database that is gone, or that lacks what it should hold."""


class Imported(NamedTuple):
    """What an import did, and the block that it made the head; None where the head is the same."""

    result: ImportResult
    new_head: Optional[BlockAPI]


class BlockImporter:
    """
    Writes to the chain of ``base_db``, and is the only one that does.

    :param chain_class: the chain of the network, with its virtual machines and consensus
    :param clock: seconds, monotonic
    """

    def __init__(
        self,
        base_db: AtomicDatabaseAPI,
        chain_class: Type[Chain],
        scheme: ViewScheme,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._overlay = OverlayDB(base_db)
        self._chain = make_lean(chain_class)(self._overlay)
        self._stored = StoredBlocks(self._overlay)
        self._scheme = scheme
        self._checked = CheckedChain(self._overlay, scheme)
        self._clock = clock
        self._uncommitted = 0
        self._committed_at = 0.0
        self._head_number = 0

    def fetch_head(self) -> ChainHead:
        """The highest canonical block that is held."""
        return fetch_chain_head(self._stored.chaindb, self._scheme)

    def import_blocks(self, blocks: Iterable[bytes]) -> Imported:
        """
        Import blocks (RLP), each a child of a block that is held, in order, until one fails. Those
        that are held already are passed over. When this returns everything is in the database.

        :raise OSError: the database cannot be reached
        :raise EVMMissingData: the database lacks the state that a block builds on
        """
        failure: Optional[ImportFailure] = None
        imported = 0
        new_head: Optional[BlockAPI] = None
        # Others, who fill gaps, may have written to the database since we read of it last.
        self._overlay.discard()
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
                _raise_database_error(err)
                # Strangers choose these bytes: whatever py-evm stumbles over is the block's fault.
                failure = ImportFailure(block_hash, _describe_error(err))
                break
            imported += 1
            if done.new_canonical_blocks:
                new_head = done.new_canonical_blocks[-1]
                self._head_number = new_head.number
            self._uncommitted += 1
            if self._is_commit_due():
                self._commit()
        self._commit()
        return Imported(ImportResult(self.fetch_head(), imported, failure), new_head)

    def _import(self, header: StoredHeader, block_rlp: bytes) -> BlockImportResult:
        try:
            parent = self._stored.fetch_header(header.parent_hash)
        except NotStored:
            raise ValidationError(f"its parent 0x{header.parent_hash.hex()} is not held") from None
        breach = describe_breach(parent, header, self._scheme)
        if breach is not None:
            raise ValidationError(breach)
        vm_class = self._chain.get_vm_class_for_block_number(BlockNumber(header.block_number))
        block = rlp.decode(block_rlp, sedes=vm_class.get_block_class())
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
            or self._overlay.size >= COMMIT_SIZE
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

    :raise Exception: of whatever kind, where there is none
    """
    block = read_document(block_rlp)
    header = read_item(block_rlp, block.start, block.stop)
    header_rlp = block_rlp[block.start:header.stop]
    return decode_header(keccak(header_rlp), header_rlp)


def _raise_database_error(err: BaseException) -> None:
    """Raise what went wrong with the database, if it did. py-evm may fail again on top of it."""
    cause: Optional[BaseException] = err
    while cause is not None:
        if isinstance(cause, DATABASE_ERRORS):
            raise cause
        cause = cause.__cause__ or cause.__context__


def _describe_error(err: Exception) -> str:
    """One line. Complaints of py-evm say what is wrong; other errors need their type to do so."""
    text = " ".join(str(err).split())[:MAX_REASON_LENGTH]
    return text if isinstance(err, ValidationError) else f"{type(err).__name__}: {text}"
