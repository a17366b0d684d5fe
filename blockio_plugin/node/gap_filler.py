"""
Stores blocks below others that are held, without executing them.

A block's hash is the one that its held child names, so the whole of it is what the chain consists
of: header, transactions and uncles. Its receipts and its state are not made; like a node that
synced its history in another way, we do not have them.

py-evm stores chains upward. Downward it is told that the block's parent is where the chain begins,
and the total difficulty, which it then counts from there, is put right: that of the child less the
child's own.
"""
from typing import Iterable

from eth.abc import AtomicDatabaseAPI, BlockAPI, BlockHeaderAPI
from eth.chains.base import Chain
from eth.db.chain import ChainDB, TransactionKey
from eth.db.chain_gaps import fill_gap, reopen_gap
from eth.db.schema import SchemaV1
from eth.db.trie import make_trie_root_and_nodes
from eth.exceptions import HeaderNotFound
from eth.rlp.sedes import chain_gaps
from eth.typing import ChainGaps
from eth_typing import BlockNumber
import rlp

from blockio_plugin.node.block_importer import split_header
from blockio_plugin.node.overlay import OverlayDB
from blockio_plugin.node.scheme_check import describe_breach
from blockio_plugin.node.stored_blocks import StoredBlocks
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.services.abc import BackfillResult

GENESIS_NUMBER = BlockNumber(0)
"""The number of genesis, which every chain holds."""


class GapRefused(Exception):
    """A block belongs to the chain, yet the chain as it is held cannot take it. Says why."""


class GapFiller:
    """
    Writes to the chain of ``base_db`` below its head.

    :param chain: its virtual machines say how blocks are encoded
    """

    def __init__(self, base_db: AtomicDatabaseAPI, chain: Chain, scheme: ViewScheme) -> None:
        self._overlay = OverlayDB(base_db)
        self._chaindb = ChainDB(self._overlay)
        self._stored = StoredBlocks(self._overlay)
        self._chain = chain
        self._scheme = scheme

    def fill(self, blocks: Iterable[bytes]) -> BackfillResult:
        """
        Store blocks (RLP), descending, the first at the top of the highest gap, up to one that is
        not the parent of the block above it. What went in is in the database when this returns.

        :raise OSError: the database cannot be reached
        """
        filled = 0
        refusal = None
        # The importer has written to the database meanwhile.
        self._overlay.discard()
        try:
            for block_rlp in blocks:
                if not self._fill_one(block_rlp):
                    break
                filled += 1
        except GapRefused as err:
            refusal = str(err)
        self._overlay.commit()
        return BackfillResult(filled, refusal)

    def _fill_one(self, block_rlp: bytes) -> bool:
        header = split_header(block_rlp)
        gaps, _ = self._chaindb.get_chain_gaps()
        if not gaps or header.block_number != gaps[-1][1]:
            return False
        child = self._stored.fetch_canonical_header(header.block_number + 1)
        if child.parent_hash != header.hash:
            return False
        breach = describe_breach(header, child, self._scheme)
        if breach is not None:
            raise GapRefused(breach)
        vm_class = self._chain.get_vm_class_for_block_number(BlockNumber(header.block_number))
        block = rlp.decode(block_rlp, sedes=vm_class.get_block_class())
        with self._overlay.atomic_batch():
            if not self._is_canonical(block.header):
                self._store_header(block.header)
            self._store_body(block)
            if header.block_number == gaps[-1][0]:
                self._join(block.header)
        return True

    def _is_canonical(self, header: BlockHeaderAPI) -> bool:
        """Whether the header is there already, as after a sync of headers alone."""
        try:
            known = self._chaindb.get_canonical_block_hash(header.block_number)
        except HeaderNotFound:
            return False
        return known == header.hash

    def _store_header(self, header: BlockHeaderAPI) -> None:
        child_number = BlockNumber(header.block_number + 1)
        child = self._chaindb.get_canonical_block_header_by_number(child_number)
        self._chaindb.persist_header_chain((header,), genesis_parent_hash=header.parent_hash)
        score = self._chaindb.get_score(child.hash) - child.difficulty
        self._overlay[SchemaV1.make_block_hash_to_score_lookup_key(header.hash)] = rlp.encode(
            score, sedes=rlp.sedes.big_endian_int
        )

    def _store_body(self, block: BlockAPI) -> None:
        root, nodes = make_trie_root_and_nodes(block.transactions)
        if root != block.header.transaction_root:
            raise ValueError(f"the transactions of block {block.number} are not those it names")
        self._chaindb.persist_trie_data_dict(nodes)
        if block.uncles:
            # py-evm's type says one uncle; it takes any number.
            self._chaindb.persist_uncles(block.uncles)  # type: ignore[arg-type]
        for index, transaction in enumerate(block.transactions):
            key = SchemaV1.make_transaction_hash_to_block_lookup_key(transaction.hash)
            self._overlay[key] = rlp.encode(TransactionKey(block.number, index))
        _, gaps = fill_gap(block.number, self._chaindb.get_chain_gaps())
        self._set_gaps(SchemaV1.make_chain_gaps_lookup_key(), gaps)

    def _join(self, lowest: BlockHeaderAPI) -> None:
        """
        The gap is filled. Where its lowest block does not follow the block below, that one was of a
        branch which has lost: it gives way, and the gap goes on below.
        """
        number = BlockNumber(lowest.block_number - 1)
        if self._stored.fetch_canonical_hash(number) == lowest.parent_hash:
            return
        if number == GENESIS_NUMBER:
            raise GapRefused(f"block 1 (0x{lowest.hash.hex()[:8]}) does not follow our genesis")
        del self._overlay[SchemaV1.make_block_number_to_hash_lookup_key(number)]
        self._set_gaps(
            SchemaV1.make_chain_gaps_lookup_key(),
            reopen_gap(number, self._chaindb.get_chain_gaps()),
        )
        self._set_gaps(
            SchemaV1.make_header_chain_gaps_lookup_key(),
            reopen_gap(number, self._chaindb.get_header_chain_gaps()),
        )

    def _set_gaps(self, key: bytes, gaps: ChainGaps) -> None:
        self._overlay[key] = rlp.encode(gaps, sedes=chain_gaps)
