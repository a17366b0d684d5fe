"""What follows when the importer refuses a block."""
from typing import Tuple

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.views import ViewRange


def refuse(
    ledger: Ledger, cache: BlockCache, peers: PeerBook, block_hash: bytes, now: float
) -> Tuple[PeerID, ...]:
    """
    Drop a handed-out block and what follows it, and want them again; its hash is never taken again.

    Returns the peers that sent it; they are not asked for it again.
    """
    cache.remember_rejected(block_hash)
    block = cache.find_handed_out(block_hash)
    if block is None:
        return ()
    sender = cache.supplier(block.view)
    following = cache.descendants(block)
    cache.take_back(block)
    for dropped in following:
        cache.remove(dropped.view)
    refused = ViewRange(block.view, following[-1].view + 1)
    ledger.reopen(refused)
    for held in cache.held.runs(*refused):
        ledger.answer(held)
    if sender not in peers:
        return ()
    peers.scores[sender].disproved(now)
    refused = ViewRange(block.view, block.view + 1)
    peers.availability.disprove(sender, refused, now)
    return (sender,)
