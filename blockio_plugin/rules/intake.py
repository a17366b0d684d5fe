"""
The half of a fetch that takes in: what was answered, what is cached, what was handed out.

Several fetches may share their peers. Each is told what any of them asked for and got, so that no
view is asked for twice and each answer goes to all that want it.
"""
from typing import List, Optional, Sequence, Tuple

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.density import Density
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.limits import Front, Limits, Receipt
from blockio_plugin.rules.links import Links
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.refusal import refuse
from blockio_plugin.rules.requests import OpenRequest, PeerID
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange

FIRST_BLOCK_BYTES = 4096
"""Bytes that a block is taken to have before any arrived."""

SIZE_DECAY = 0.9
"""Weight that the mean size of blocks keeps when the next answer comes in."""


class Intake:
    """Keeps the books of the views ``[front, target)`` and hands their blocks out in order."""

    def __init__(self, front: Front, limits: Limits, peers: PeerBook) -> None:
        self.limits = limits
        self.peers = peers
        self._block_bytes = float(FIRST_BLOCK_BYTES)
        self._density = Density()
        self.reach = front.view
        """Views from here on were not to be asked for when it planned last."""
        self._begin(front)

    def _begin(self, front: Front) -> None:
        self.front = front
        self.ledger = Ledger(front.view)
        self.cache = BlockCache(front.view, front.hash)
        self.links = Links(self.ledger, self.cache, self.peers)
        self.links.front_hash = front.hash

    def set_target(self, stop: int) -> None:
        """Want every view from the front up to, without, ``stop``."""
        self.ledger.set_target(min(stop, VIEW_LIMIT))

    @property
    def is_wanting(self) -> bool:
        """Whether there are views to ask for."""
        return bool(self.ledger.wanted)

    @property
    def held_blocks(self) -> int:
        """Blocks in the cache."""
        return len(self.cache)

    # What any of the fetches that share the peers did

    def note_issued(self, views: ViewRange) -> None:
        """``views`` were asked for: they are in flight for all that want them."""
        start, stop = self.ledger.clip(views)
        if start < stop:
            self.ledger.take(ViewRange(start, stop))

    def note_returned(self, entry: OpenRequest) -> None:
        """A request will bring nothing: what was wanted of it is wanted again."""
        self._land(entry)
        self.ledger.want_again(entry.request.views)

    def note_left(self, peer: PeerID) -> None:
        """A peer is gone."""
        self.links.claims.leave(peer)

    def _land(self, entry: OpenRequest) -> None:
        tracker = self.peers.tracker
        views = entry.request.views
        others: List[OpenRequest] = tracker.overlapping(views) if self._is_shared(entry) else []
        self.ledger.land(views, [other.request.views for other in others])

    def _is_shared(self, entry: OpenRequest) -> bool:
        return entry.is_copy or self.peers.tracker.copies > 0

    def note_answered(
        self,
        entry: OpenRequest,
        covered: ViewRange,
        next_view: int,
        blocks: Sequence[Block],
        now: float,
    ) -> Receipt:
        """A request was answered, whichever fetch made it: take what is wanted of the answer."""
        ledger, peer, asked = self.ledger, entry.request.peer, entry.request.views
        if not entry.is_late:
            self._land(entry)
        if covered.length <= 0 or not self._can_use(entry, covered, blocks):
            ledger.want_again(asked)
            return Receipt((), 0, entry.is_late)
        self._density.seen(covered.length, len(blocks))
        ledger.answer(covered)
        if covered.stop < asked.stop and not entry.is_late:
            ledger.want_again(ViewRange(covered.stop, asked.stop))
        stop = covered.stop
        if covered.stop < next_view and not self.peers.scores[peer].faults:
            covering = self.peers.availability.covering(peer, covered.stop - 1)
            if covering is not None and next_view <= covering.stop:
                # It covers what lies before its next block, so it calls that empty too.
                stop = min(next_view, ledger.target)
                ledger.skip_to(covered.stop, stop)
        fresh = self._keep(peer, blocks, now)
        self.links.answered(peer, covered, stop, blocks, len(blocks) - len(fresh), now)
        return Receipt(tuple(fresh), len(blocks) - len(fresh), entry.is_late)

    def _can_use(self, entry: OpenRequest, covered: ViewRange, blocks: Sequence[Block]) -> bool:
        """Whether to take an answer. What others asked for must not fill the cache far up."""
        if entry.owner is self:
            return True
        is_near = self.front.view < covered.stop and covered.stop <= self.reach
        return is_near and self.cache.memory < self.limits.cache_bytes / 2

    def _keep(self, peer: PeerID, blocks: Sequence[Block], now: float) -> List[Block]:
        if not blocks:
            return []
        cache, ledger = self.cache, self.ledger
        fresh = cache.select_fresh(blocks)
        if fresh and (fresh[0].view < ledger.front or fresh[-1].view >= ledger.horizon):
            fresh = [block for block in fresh if ledger.front <= block.view < ledger.horizon]
        size = cache.memory
        cache.add(fresh, peer)
        if fresh:
            mean = (cache.memory - size) / len(fresh)
            self._block_bytes = max(
                1.0, self._block_bytes * SIZE_DECAY + mean * (1 - SIZE_DECAY)
            )
        if len(fresh) < len(blocks):
            for block in blocks:
                if cache.is_rejected(block.hash) and block.view not in cache:
                    view = ViewRange(block.view, block.view + 1)
                    self.peers.availability.disprove(peer, view, now)
                    ledger.reopen(view)
        while cache.memory > self.limits.cache_bytes and len(cache) > 1:
            highest = cache.highest()
            if highest is None or highest <= cache.tip[0]:
                break
            cache.remove(highest)
            ledger.reopen(ViewRange(highest, highest + 1))
        return fresh

    # Handing out

    def ready(self, max_blocks: int, max_bytes: int) -> Tuple[Block, ...]:
        """Blocks that link in order from the front, not handed out yet, within both bounds."""
        return self.cache.take_ready(max_blocks, max_bytes)

    def confirm(self, view: int) -> None:
        """Everything up to and with the handed-out block at ``view`` is imported."""
        last = self.cache.confirm(view)
        if last is not None:
            self._advance(Front(last.view + 1, last.hash))

    def _advance(self, front: Front) -> None:
        self.front = front
        self.ledger.advance(front.view)
        self.links.advance(front.view, front.hash)
        base = self.ledger.wanted.base
        if self.cache.held.base < base:
            self.cache.held.rebase(base)
            self.links.rebase(base)

    def reject(self, block_hash: bytes, now: float) -> Tuple[PeerID, ...]:
        """
        The importer refused a block: it and what follows it is dropped and wanted again, and its
        hash is never taken again. Returns the peers that sent it.
        """
        return refuse(self.ledger, self.cache, self.peers, block_hash, now)

    def suspect(self) -> Optional[PeerID]:
        """Who sent a block that does not follow what is imported, though nothing lies between."""
        return self.links.find_suspect()

    def disown(self, peer: PeerID, view: int) -> None:
        """
        ``peer`` is on another branch above ``view``: its blocks and claims there are dropped, what
        it was asked there and has not answered yet is asked of others when it has.
        """
        self.links.disown(peer, view)

    def rewind(self, front: Front, now: float) -> None:
        """Start over from another front; cached blocks above it stay, what was handed out goes."""
        target, kept = self.ledger.target, self.cache
        open_requests = list(self.peers.tracker.open_requests())
        kept.restart(front.view, front.hash)
        self._begin(front)
        self._adopt(kept)
        self.ledger.set_target(target)
        self.ledger.adopt_answers(kept.held)
        for entry in open_requests:
            start, stop = self.ledger.clip(entry.request.views)
            if start < stop:
                self.ledger.take(ViewRange(start, stop))

    def _adopt(self, cache: BlockCache) -> None:
        self.cache = cache
        self.links = Links(self.ledger, cache, self.peers)
        self.links.front_hash = self.front.hash
