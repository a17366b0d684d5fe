"""Chains that begin at a checkpoint: genesis, a gap, and all blocks from the checkpoint on."""
from eth.abc import AtomicDatabaseAPI
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.db.chain import ChainDB
from eth.rlp.accounts import Account
from eth_typing import BlockNumber
import rlp
from trie import HexaryTrie
from trie.iter import NodeIterator
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.chain_builder import iterate_blocks
from blockio_plugin.tools.chain_files import initialize_chain


def copy_from_checkpoint(
    source: AtomicDatabaseAPI,
    target: AtomicDatabaseAPI,
    config: Eth1ChainConfig,
    checkpoint: int,
    last: int,
) -> None:
    """
    Make the chain in ``target``, which is empty or has the genesis, what a sync from block
    ``checkpoint`` leaves: its header, its state, and the blocks above it up to ``last``.
    """
    initialize_chain(target, config)
    chaindb = ChainDB(source)
    header = chaindb.get_canonical_block_header_by_number(BlockNumber(checkpoint))
    ChainDB(target).persist_checkpoint_header(header, chaindb.get_score(header.hash))
    _copy_state(source, target, header.state_root)
    importer = BlockImporter(target, config.full_chain_class, NumberScheme())
    result = importer.import_blocks(iterate_blocks(source, checkpoint + 1, last)).result
    if result.failure is not None:
        raise ValueError(result.failure.reason)


def _copy_state(source: AtomicDatabaseAPI, target: AtomicDatabaseAPI, root: bytes) -> None:
    _copy_trie(source, target, root)
    for encoded in NodeIterator(HexaryTrie(source, root)).values():
        account = rlp.decode(encoded, sedes=Account)
        if account.storage_root != BLANK_ROOT_HASH:
            _copy_trie(source, target, account.storage_root)
        if account.code_hash != EMPTY_SHA3:
            target[account.code_hash] = source[account.code_hash]


def _copy_trie(source: AtomicDatabaseAPI, target: AtomicDatabaseAPI, root: bytes) -> None:
    trie = HexaryTrie(target)
    for key, value in NodeIterator(HexaryTrie(source, root)).items():
        trie[key] = value
    if trie.root_hash != root:
        raise ValueError(f"the trie 0x{root.hex()} is not complete")
