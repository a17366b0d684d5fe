"""Real encoded blocks, as small as they can be, for tests of what decodes them."""
from typing import List, Sequence

from eth.rlp.headers import BlockHeader
from eth_typing import Address, BlockNumber
import rlp

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.schemes import SlotScheme

SLOT = SlotScheme(seconds=1, genesis_timestamp=0)
"""The view is the timestamp, so that blocks can be put anywhere."""


def encode_chain(
    views: Sequence[int],
    parent_hash: bytes = bytes(32),
    genesis_timestamp: int = 0,
    extra_bytes: int = 0,
) -> List[Block]:
    """
    Empty blocks in these views, linked; the first is the child of ``parent_hash``. A view is a slot
    of a second, counted from ``genesis_timestamp``. ``extra_bytes`` makes each so much larger.
    """
    scheme = SlotScheme(seconds=1, genesis_timestamp=genesis_timestamp)
    blocks: List[Block] = []
    for number, view in enumerate(views, start=1):
        header = BlockHeader(
            difficulty=1,
            block_number=BlockNumber(number),
            gas_limit=10 ** 6,
            timestamp=genesis_timestamp + view,
            coinbase=Address(bytes(20)),
            parent_hash=parent_hash,
            extra_data=bytes(extra_bytes),
        )
        block = decode_block(rlp.encode([header, [], []]), scheme)
        blocks.append(block)
        parent_hash = block.hash
    return blocks
