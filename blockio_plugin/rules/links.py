"""
Proof by links: what is empty, who was wrong about it, and what to ask again.

A gap between two neighbouring blocks of the cache is settled once every view in it was answered
for. If the upper block names the lower one as its parent, the gap is proven empty. If not,
something is hidden in it, or one of the two is of another branch:

- those who claimed the gap to be empty are not asked for it again, and its views are wanted again;
- whoever claimed a view to be empty at which a block turns up that links is to blame;
- a view that a peer advertises as that of its highest block is asked for in spite of claims;
- when nobody is left to ask, and the gap starts at the front, the block above the gap is doubted:
  it is asked of others than its sender. If all who cover it agree on it, the chain was reorganised.
"""
from typing import List, Optional, Sequence, Set, Tuple

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.claims import ClaimBook
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange

MAX_FOREIGN = 8
"""Blocks in a row that are taken for another branch's when their neighbours link past them."""

TAIL_TIME = 5.0
"""Seconds for which those who called the end empty are not asked for it, while others are. They
were not found wrong, and another fetch may want the same views later."""


DOUBT_TIME = 30.0
"""Seconds for which the sender of a block that nothing below it fits is not asked for it again,
while others are."""


class Links:
    """Settles gaps over one ledger and its cache."""

    def __init__(self, ledger: Ledger, cache: BlockCache, peers: PeerBook) -> None:
        self._ledger = ledger
        self._cache = cache
        self._peers = peers
        self.claims = ClaimBook(ledger.wanted.base)
        self.disputed = ViewSet(ledger.wanted.base)
        """Views claimed empty between two blocks that do not link."""
        self.front_hash = b""
        """The hash of the block below the front."""

    def answered(
        self,
        peer: PeerID,
        covered: ViewRange,
        stop: int,
        blocks: Sequence[Block],
        known: int,
        now: float,
    ) -> None:
        """
        ``peer`` answered for ``covered``, claimed what follows up to ``stop`` to be empty, and its
        ``blocks`` are in the cache as far as there was place for them.

        :param known: how many of them we had
        """
        claimed = ViewRange(covered.start, stop)
        if claimed.length > len(blocks):
            self._note_claims(peer, claimed, blocks, now)
        if self.disputed:
            self._blame(peer, blocks, now)
        if self._cache.held.count(*claimed) > len(blocks) - known:
            # Blocks that were here before lie within: each gap between them may be settled now.
            for views in tuple(self._cache.held.runs(*claimed)):
                self.settle_below(views.start, now)
            self.settle_above(stop - 1, now)
        elif blocks:
            self.settle_below(blocks[0].view, now)
            self.settle_above(blocks[-1].view, now)
        else:
            self.settle_above(covered.start - 1, now)

    def _note_claims(
        self, peer: PeerID, claimed: ViewRange, blocks: Sequence[Block], now: float
    ) -> None:
        hidden = [
            ViewRange(lower.view + 1, upper.view)
            for lower, upper in zip(blocks, blocks[1:])
            if upper.parent_hash != lower.hash and upper.view - lower.view > 1
        ]
        self.claims.add(claimed, [block.view for block in blocks], peer)
        if not hidden:
            return
        # Its own blocks disprove it, at once.
        self._peers.scores[peer].disproved(now)
        for views in hidden:
            self.claims.retract(views, peer)
            self._peers.availability.disprove(peer, views, now)
            self._reopen(views)
            self.disputed.add(*views)

    def _reopen(self, views: ViewRange) -> None:
        self._ledger.reopen(views)
        for held in self._cache.held.runs(*views):
            self._ledger.answer(held)

    def _blame(self, supplier: PeerID, blocks: Sequence[Block], now: float) -> None:
        liars: Set[PeerID] = set()
        order: List[PeerID] = []
        for block in blocks:
            if block.view not in self.disputed or not self._is_linked(block):
                continue
            self.disputed.remove(block.view, block.view + 1)
            for liar in self.claims.deniers(block.view):
                if liar != supplier and liar not in liars:
                    liars.add(liar)
                    order.append(liar)
        for liar in order:
            if liar in self._peers:
                self._peers.scores[liar].disproved(now)

    def _is_linked(self, block: Block) -> bool:
        above = self._cache.held.next_at(block.view + 1)
        upper = None if above is None else self._cache.get(above)
        if upper is not None and upper.parent_hash == block.hash:
            return True
        return self._below(block.view)[1] == block.parent_hash

    def _below(self, view: int) -> Tuple[int, bytes]:
        """View and hash of the nearest block below ``view``; the front's parent if none is held."""
        below = self._cache.held.previous(view)
        block = None if below is None else self._cache.get(below)
        if block is None:
            return self._ledger.front - 1, self.front_hash
        return block.view, block.hash

    def settle_below(self, view: int, now: float) -> None:
        """Settle the gap below the block at ``view``."""
        block = self._cache.get(view)
        if block is not None:
            self._settle(*self._below(view), block, now)

    def settle_above(self, view: int, now: float) -> None:
        """Settle the gap above the block at or below ``view``."""
        above = self._cache.held.next_at(view + 1)
        block = None if above is None else self._cache.get(above)
        if block is not None:
            self._settle(*self._below(block.view), block, now)

    def _settle(self, low: int, low_hash: bytes, upper: Block, now: float) -> None:
        if upper.parent_hash == low_hash:
            if not self._ledger.is_answered(low + 1, upper.view):
                self._ledger.skip_to(low + 1, upper.view)
        elif self._ledger.is_answered(low + 1, upper.view):
            if self._drop_foreign(low, low_hash, upper):
                self.settle_below(upper.view, now)
                self.settle_above(upper.view, now)
            else:
                self._dispute(ViewRange(low + 1, upper.view), now)

    def _drop_foreign(self, low: int, low_hash: bytes, upper: Block) -> bool:
        """Drop blocks between ``upper`` and its parent, or ``upper`` if the next one skips it."""
        held, tip = self._cache.held, self._cache.tip[0]
        following = held.next_at(upper.view + 1)
        above = None if following is None else self._cache.get(following)
        if above is not None and above.parent_hash == low_hash:
            self._cache.remove(upper.view)
            return True
        foreign: List[int] = []
        view: Optional[int] = low
        while view is not None and view > tip and len(foreign) <= MAX_FOREIGN:
            foreign.append(view)
            if self._below(view)[1] == upper.parent_hash:
                for passed in foreign:
                    self._cache.remove(passed)
                return True
            view = held.previous(view)
        return False

    def _dispute(self, gap: ViewRange, now: float) -> None:
        if gap.length <= 0:
            return
        for peer in self.claims.claimants(gap):
            for views in self.claims.denied_by(peer, gap):
                self._peers.availability.disprove(peer, views, now)
        self.disputed.add(*gap)
        self._ledger.reopen(gap)

    def doubt_front(self, now: float) -> Optional[int]:
        """
        Where the gap at the front stays open though nobody is left to ask, ask others than its
        sender for the block above it. The view of that block if all agree on it, else None.
        """
        front = self._ledger.front
        above = self._cache.held.next_at(front)
        block = None if above is None else self._cache.get(above)
        if block is None or block.parent_hash == self.front_hash or self._cache.handed_out:
            return None
        if self._ledger.is_answered(front, block.view):
            self._dispute(ViewRange(front, block.view), now)
        flying = self._ledger.in_flight.next_at(front)
        if flying is not None and flying < block.view:
            return None
        wanted = self._ledger.wanted.next_at(front)
        table = self._peers.availability
        if wanted is not None and wanted < block.view:
            if any(table.may_ask(peer, wanted, now) for peer in self._peers):
                return None
            if all(table.covering(peer, wanted) is None for peer in self._peers):
                # What hides there may come yet: nothing speaks against the block above.
                return None
        sender = self._cache.supplier(block.view)
        if not any(
            peer != sender and table.may_ask(peer, block.view, now) for peer in self._peers
        ):
            return block.view
        doubted = ViewRange(block.view, block.view + 1)
        if sender is not None:
            table.rest(sender, doubted, now + DOUBT_TIME, now)
        self.drop((block.view,))
        return None

    def drop(self, views: Sequence[int]) -> None:
        """
        Drop the blocks at ``views`` and want them again, along with the views beside them that only
        their links proved empty.
        """
        held, claimed = self._cache.held, None
        for view in views:
            below, above = held.previous(view), held.next_at(view + 1)
            start = self._ledger.front if below is None else below + 1
            stop = view + 1 if above is None else above
            self._cache.remove(view)
            self._ledger.reopen(ViewRange(view, view + 1))
            if start < view or view + 1 < stop:
                claimed = self.claims.all_denied() if claimed is None else claimed
                unclaimed = ViewSet(self._ledger.wanted.base, [(start, stop)]) - claimed
                for gap in unclaimed.runs(start, stop):
                    self._ledger.reopen(gap)

    def find_suspect(self) -> Optional[PeerID]:
        """
        Who sent the block above the front, where it does not follow the block below the front and
        everything between was answered for: then one of both is of another branch, or a lie.
        """
        front = self._ledger.front
        above = self._cache.held.next_at(front)
        block = None if above is None else self._cache.get(above)
        if block is None or block.parent_hash == self.front_hash or self._cache.handed_out:
            return None
        if not self._ledger.is_answered(front, block.view) and front not in self.disputed:
            return None
        return self._cache.supplier(block.view)

    def disown(self, peer: PeerID, view: int) -> None:
        """``peer`` is on another branch above ``view``: what it sent and claimed there is void."""
        above = max(view, self._cache.tip[0])
        self.drop([foreign for foreign in self._cache.views_of(peer) if foreign > above])
        for views in self.claims.denied_by(peer, ViewRange(above + 1, self._ledger.horizon)):
            self._reopen(views)
        self.claims.drop(peer)

    def recheck_tail(self, now: float) -> bool:
        """
        Views above the highest block cannot be proven empty. Want them again if somebody covers
        them who has not called them empty yet. Whether that was so.
        """
        highest = self._cache.highest()
        start = self._ledger.front if highest is None else max(highest + 1, self._ledger.front)
        tail = ViewRange(start, self._ledger.target)
        if tail.length <= 0 or not self._ledger.is_answered(*tail):
            return False
        table = self._peers.availability
        reach = start
        for peer in self._peers:
            covering = table.covering(peer, start)
            if covering is not None and table.may_ask(peer, start, now):
                covered = ViewRange(start, min(covering.stop, tail.stop))
                if not self.claims.denies_all(peer, covered):
                    reach = max(reach, covered.stop)
        if reach == start:
            return False
        # Those who called it empty are not asked now, so nobody would be left further up.
        tail = ViewRange(start, reach)
        for peer in self._peers:
            if self.claims.denies_all(peer, ViewRange(start, start + 1)):
                table.rest(peer, tail, now + TAIL_TIME, now)
        self._ledger.reopen(tail)
        return True

    def recheck_head(self, view: int, now: float) -> None:
        """
        A peer advertises that its highest block is at ``view``. Where others called that view empty
        it is wanted again, and they are not asked: what they hid below it shows by its link.
        """
        claimed = ViewRange(view, view + 1)
        if view in self._cache or not self._ledger.answered.covers(*claimed):
            return
        for peer in self.claims.deniers(view):
            self._peers.availability.rest(peer, claimed, now + TAIL_TIME, now)
        self._ledger.reopen(claimed)

    def forget_claims(self) -> None:
        """Want again what was answered and neither holds a block nor is proven empty."""
        self.claims.clear()
        ledger, cache = self._ledger, self._cache
        held = ViewSet(ledger.wanted.base)
        held.update(cache.held)
        for empty in tuple((ledger.answered - held).runs(ledger.front, ledger.horizon)):
            above = cache.held.next_at(empty.start)
            upper = None if above is None else cache.get(above)
            if upper is None or upper.parent_hash != self._below(upper.view)[1]:
                ledger.reopen(empty)

    def advance(self, front: int, front_hash: bytes) -> None:
        """Everything below ``front`` is imported."""
        self.front_hash = front_hash
        self.claims.advance(front)
        if self.disputed:
            self.disputed.remove(self.disputed.base, front)

    def rebase(self, base: int) -> None:
        """Move the base of all sets of views."""
        self.claims.rebase(base)
        self.disputed.rebase(base)
