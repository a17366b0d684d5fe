"""Chains in files as other clients export them: blocks in RLP in a row, and a genesis beside."""
import json
from pathlib import Path
from typing import Callable, Iterable, Iterator, List

from eth.abc import AtomicDatabaseAPI
from eth.db.trie import make_trie_root_and_nodes
from eth_typing import BlockNumber
from eth_utils import ValidationError
import rlp
from trinity.config import Eth1ChainConfig
from trinity.initialization import initialize_database

from blockio_plugin.node.block_importer import COMMIT_BLOCKS, BlockImporter, split_header
from blockio_plugin.node.overlay import OverlayDB
from blockio_plugin.rules.rlp_items import read_item
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.services.abc import ChainHead

Progress = Callable[[int, int], None]
"""Told how many blocks are done, and of how many."""


def read_chain_config(genesis: Path) -> Eth1ChainConfig:
    """The chain of an EIP-1085 genesis file, as Trinity reads it."""
    config: Eth1ChainConfig = Eth1ChainConfig.from_eip1085_genesis_config(
        json.loads(genesis.read_text())
    )
    return config


def read_blocks(path: Path) -> Iterator[bytes]:
    """
    The RLP of each block in a file of blocks.

    :raise Offence: the file is not a sequence of RLP items
    """
    data = path.read_bytes()
    position = 0
    while position < len(data):
        stop = read_item(data, position, len(data)).stop
        yield data[position:stop]
        position = stop


def import_chain(
    db: AtomicDatabaseAPI, config: Eth1ChainConfig, blocks: Iterable[bytes]
) -> ChainHead:
    """
    Import blocks with full validation onto a genesis that is written where it is missing.

    :raise ValidationError: a block is invalid
    """
    initialize_chain(db, config)
    importer = BlockImporter(db, config.full_chain_class, NumberScheme())
    for batch in _batches(blocks):
        result = importer.import_blocks(batch).result
        if result.failure is not None:
            raise ValidationError(
                f"block 0x{result.failure.block_hash.hex()}: {result.failure.reason}"
            )
    return importer.fetch_head()


def store_chain(
    db: AtomicDatabaseAPI, config: Eth1ChainConfig, blocks: Iterable[bytes]
) -> None:
    """
    Store blocks without executing them, several times as fast as an import, for nodes that only
    serve them. Skipped: execution, so that there is no state and there are no receipts, and every
    check of a header and its seal. Checked: links to the parent, and the roots of transactions and
    uncles.

    :raise ValidationError: a block does not match its header
    """
    initialize_chain(db, config)
    overlay = OverlayDB(db)
    chaindb = config.full_chain_class(overlay).chaindb
    for batch in _batches(blocks):
        for block_rlp in batch:
            number = BlockNumber(split_header(block_rlp).block_number)
            vm_class = config.full_chain_class.get_vm_class_for_block_number(number)
            block = rlp.decode(block_rlp, sedes=vm_class.get_block_class())
            root, nodes = make_trie_root_and_nodes(block.transactions)
            if root != block.header.transaction_root:
                raise ValidationError(f"{block} does not match its transaction root")
            chaindb.persist_trie_data_dict(nodes)
            chaindb.persist_block(block)
        overlay.commit()


def initialize_chain(db: AtomicDatabaseAPI, config: Eth1ChainConfig) -> None:
    """Write the genesis and its state, as Trinity does at the first start, unless it is there."""
    initialize_database(config, config.full_chain_class.get_chaindb_class()(db), db)


def _batches(blocks: Iterable[bytes]) -> Iterator[List[bytes]]:
    batch: List[bytes] = []
    for block in blocks:
        batch.append(block)
        if len(batch) == COMMIT_BLOCKS:
            yield batch
            batch = []
    if batch:
        yield batch
