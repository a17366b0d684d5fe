"""
A range fetch: every block of one view range, from whoever covers it, given away as it comes.

It plans and receives as the chain's own fetch does and shares the peers with it, so what one of
them asked for is left out by the others, and an answer goes to all that want it. What differs:

1. Blocks leave at once, each once, and only their links stay behind. Where a block turns out to be
   of another branch and a different one comes for its view, that one leaves too.
2. There is no front to link to. The lowest block of the range is believed once a block above it
   names it; the views below it were answered empty and stay unproven, like those above the last.
3. Views that the local chain covers are left out of what peers are asked for, and supplied from it.
4. Where nothing comes for long, what is still open is missing, and the fetch goes on above it.
"""
from random import Random
from typing import Dict, List, Optional, Sequence, Tuple

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import FRONT_BLOCKS, STALL_TIME, Fetch, Front, Limits, Receipt
from blockio_plugin.rules.lateness import MAX_LATE_TIME
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.links import Links
from blockio_plugin.rules.outlet import Outlet
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import OpenRequest, PeerID, Request
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange, ViewRanges, clip

WAIT_TIME = 10.0
"""Seconds without any progress, and with nothing asked, after which views are missing."""

ASK_AGAIN_TIME = 1.5
"""Seconds in which what timed out may be asked of others before it is missing: more than lies
between two looks, less than after which the one that was late is asked again."""

TAIL_OPINIONS = 3
"""Peers that must call the end of a range empty before it counts so, where as many cover it."""

RESOLVE_BLOCKS = 512
"""Blocks whose links are followed at a time."""

UNKNOWN_HASH = b""
"""Stands for the hash of the block below a range, which is not known."""


class Outcome:
    """What came of the views that gave no block: lists of ranges, in no order."""

    def __init__(self) -> None:
        self.empty: List[ViewRange] = []
        """Proven by a link."""
        self.unproven: List[ViewRange] = []
        """Answered empty, which no link proves."""
        self.missing: List[ViewRange] = []
        """Nobody gave them."""


class RangeLinks(Links):
    """Links of a range whose lower neighbour is not known."""

    def __init__(
        self, ledger: Ledger, cache: BlockCache, peers: PeerBook, own_views: ViewSet
    ) -> None:
        super().__init__(ledger, cache, peers)
        self._own_views = own_views

    def _dispute(self, gap: ViewRange, now: float) -> None:
        # Nothing is known of what the lowest block should link to.
        if gap.start > self._ledger.front or self.front_hash != UNKNOWN_HASH:
            super()._dispute(gap, now)

    def recheck_tail(self, now: float) -> bool:
        highest = self._cache.highest()
        start = self._ledger.front if highest is None else max(highest + 1, self._ledger.front)
        tail = ViewRange(start, self._ledger.target)
        claimants = self.claims.claimants(tail)
        if len(claimants) >= TAIL_OPINIONS or self._own_views.covers(*tail):
            return False
        return super().recheck_tail(now)


class RangeFetch(Fetch):
    """
    Wants the blocks of ``views`` and puts them into ``outlet``.

    The chain's fetch is told of peers and answers, and tells this one. ``end`` ends it.
    """

    def __init__(
        self,
        views: ViewRange,
        outlet: Outlet,
        outcome: Outcome,
        random: Random,
        peers: PeerBook,
        now: float,
    ) -> None:
        self.views = views
        self._outlet = outlet
        self._outcome = outcome
        self._own_ranges: ViewRanges = ()
        self._allowance = 0.0
        self._link_room = 0.0
        self._progress_at = now
        self._asked_at = now
        self._is_resolved = False
        super().__init__(
            front=Front(views.start, UNKNOWN_HASH), limits=Limits(), random=random, peers=peers
        )
        self._adopt_open_requests()

    def _begin(self, front: Front) -> None:
        super()._begin(front)
        self._own_views = ViewSet(front.view)
        """Views that the local chain answered for."""
        self._due = ViewSet(front.view)
        """Views that the local chain is to supply."""
        self._sent: Dict[int, bytes] = {}
        """The block that was given away, by view, as long as links may show it wrong."""
        self.links = RangeLinks(self.ledger, self.cache, self.peers, self._own_views)
        self.links.front_hash = front.hash
        self._claimed_to = front.view
        self._least_unanswered = self.views.stop - front.view

    def _adopt_open_requests(self) -> None:
        self.set_target(self.views.stop)
        for entry in self.peers.tracker.open_requests():
            if not entry.is_probe:
                self.note_issued(entry.request.views)

    def end(self) -> None:
        """Want nothing any more. What was asked for may still come, for others."""
        self._is_resolved = True
        if self in self.peers.fetches:
            self.peers.fetches.remove(self)

    @property
    def is_resolved(self) -> bool:
        """Whether every view is either given away or in the outcome."""
        return self._is_resolved

    # Asking

    def plan_within(self, allowance: float, link_room: float, now: float) -> Tuple[Request, ...]:
        """
        Decide what to ask of whom, for no more than about ``allowance`` blocks.

        :param link_room: blocks that may be remembered for their links. Where there is no room for
            more, only what lies below them is asked for, which lets them go
        """
        self._allowance = allowance
        self._link_room = link_room
        return self.plan(now)

    def plan(self, now: float) -> Tuple[Request, ...]:
        self.ledger.extend()
        self._claim_own()
        if self._is_resolved or not (self.ledger.wanted or self.own_blocks_in_flight):
            return ()
        if self._allowance < 1 and not self.own_blocks_in_flight:
            # With a slow taker that is the rule, and a look at all peers is not for nothing.
            self._is_idle = False
            return ()
        return super().plan(now)

    def _room(self) -> float:
        return min(self._allowance, self._link_room)

    def _room_at_front(self) -> float:
        return min(self._allowance, FRONT_BLOCKS)

    def _stop_at_front(self) -> Optional[int]:
        lowest = self.ledger.lowest_open()
        return None if lowest is None else self.cache.held.next_at(lowest)

    # The local chain

    def note_own_ranges(self, ranges: ViewRanges) -> None:
        """The local chain covers ``ranges``."""
        self._own_ranges = ranges
        self._claimed_to = self.ledger.front
        self._claim_own()

    def _claim_own(self) -> None:
        """Leave to the local chain what it covers of the views that are wanted."""
        ledger = self.ledger
        if self._claimed_to >= ledger.horizon:
            return
        if self._due.base != ledger.wanted.base:
            self._due.rebase(ledger.wanted.base)
            self._own_views.rebase(ledger.wanted.base)
        for covered in clip(self._own_ranges, ViewRange(ledger.front, ledger.horizon)):
            for views in tuple(ledger.wanted.runs(*covered)):
                ledger.take(views)
                self._due.add(*views)
        self._claimed_to = ledger.horizon

    def next_due(self) -> Optional[ViewRange]:
        """The lowest views that the local chain is to supply; None where there are none."""
        start = self._due.next_at(self.ledger.front)
        return None if start is None else ViewRange(start, self._due.next_missing(start))

    def supply(
        self, due: ViewRange, covered: ViewRange, blocks: Sequence[Block], now: float
    ) -> bool:
        """
        The local chain's answer for ``due``: the covered prefix; empty: it has them no more.
        Whether there was room for any of it: what is not taken stays due.
        """
        ledger = self.ledger
        if covered.length > 0:
            covered, blocks = self._fit(covered, blocks, is_own=True)
            if covered.length <= 0:
                return False
        landed = covered if covered.length > 0 else due
        self._due.remove(*landed)
        overlapping = self.peers.tracker.overlapping(landed)
        ledger.land(landed, [entry.request.views for entry in overlapping])
        if covered.length <= 0:
            ledger.want_again(due)
            return True
        ledger.answer(covered)
        self._own_views.add(*covered)
        self._keep(None, blocks, now)
        self.links.answered(None, covered, covered.stop, blocks, len(blocks), now)
        self._progress_at = now
        self._resolve()
        return True

    # Receiving

    def note_answered(
        self,
        entry: OpenRequest,
        covered: ViewRange,
        next_view: int,
        blocks: Sequence[Block],
        now: float,
    ) -> Receipt:
        asked = entry.request.views
        if asked.stop <= self.ledger.front or self.ledger.horizon <= asked.start:
            return Receipt((), 0, entry.is_late)
        fitting, blocks = self._fit(covered, blocks, entry.owner is self)
        if fitting != covered:
            covered, next_view = fitting, 0
        receipt = super().note_answered(entry, covered, next_view, blocks, now)
        unanswered = self.ledger.target - self.ledger.front - len(self.ledger.answered)
        if receipt.fresh or unanswered < self._least_unanswered:
            self._progress_at = now
        # To hear once more what was heard before is no progress.
        self._least_unanswered = min(unanswered, self._least_unanswered)
        self._resolve()
        return receipt

    def _can_use(self, entry: OpenRequest, covered: ViewRange, blocks: Sequence[Block]) -> bool:
        return True

    def _fit(
        self, covered: ViewRange, blocks: Sequence[Block], is_own: bool
    ) -> Tuple[ViewRange, Sequence[Block]]:
        """As much of an answer as there is room for: a prefix of what it covers, and its blocks."""
        horizon = self.ledger.horizon
        wanted = [block for block in blocks if self.ledger.front <= block.view < horizon]
        fitting = self._outlet.fit(wanted, is_own)
        if fitting == len(wanted):
            return covered, blocks
        return ViewRange(covered.start, wanted[fitting].view), wanted[:fitting]

    def _keep(self, peer: Optional[PeerID], blocks: Sequence[Block], now: float) -> List[Block]:
        ledger = self.ledger
        fresh = [
            block
            for block in self.cache.select_fresh(blocks)
            if ledger.front <= block.view < ledger.horizon
        ]
        new = [block for block in fresh if self._sent.get(block.view) != block.hash]
        self.cache.add([block._replace(rlp=b"") for block in fresh], peer)
        if new:
            self._sent.update((block.view, block.hash) for block in new)
            self._outlet.put(peer, new)
            self._block_bytes = self._outlet.block_bytes
        return fresh

    # Resolving

    def _resolve(self) -> None:
        """Follow the links from the front, and forget what lies below."""
        if self.links.front_hash == UNKNOWN_HASH and not self._find_anchor():
            return
        while True:
            blocks = self.ready(RESOLVE_BLOCKS, 1)
            if not blocks:
                return
            for block in blocks:
                self._note_empty(self.ledger.front, block.view)
                self._sent.pop(block.view, None)
                self.confirm(block.view)

    def _find_anchor(self) -> bool:
        """Believe the lowest block, where all below it is answered and a block above names it."""
        front = self.ledger.front
        lowest = self.cache.held.next_at(front)
        block = None if lowest is None else self.cache.get(lowest)
        if block is None or not self.ledger.is_answered(front, block.view):
            return False
        above = self.cache.held.next_at(block.view + 1)
        follower = None if above is None else self.cache.get(above)
        if follower is None:
            if self.ledger.lowest_open() is not None:
                return False
        elif follower.parent_hash != block.hash:
            return False
        self._note_unlinked(front, block.view)
        self._sent.pop(block.view, None)
        self.cache.restart(block.view + 1, block.hash)
        self._advance(Front(block.view + 1, block.hash))
        return True

    def _note_empty(self, start: int, stop: int) -> None:
        if start < stop:
            self._outcome.empty.append(ViewRange(start, stop))

    def _note_unlinked(self, start: int, stop: int) -> None:
        """No link spans ``[start, stop)``: what was answered is unproven, the rest is missing."""
        at = start
        for answered in self.ledger.answered.runs(start, stop):
            self._note_missing(at, answered.start)
            self._note_answered(answered)
            at = answered.stop
        self._note_missing(at, stop)

    def _note_missing(self, start: int, stop: int) -> None:
        if start < stop:
            self._outcome.missing.append(ViewRange(start, stop))

    def _note_answered(self, views: ViewRange) -> None:
        at = views.start
        for own in self._own_views.runs(*views):
            if at < own.start:
                self._outcome.unproven.append(ViewRange(at, own.start))
            # The links of the local chain prove it.
            self._outcome.empty.append(own)
            at = own.stop
        if at < views.stop:
            self._outcome.unproven.append(ViewRange(at, views.stop))

    def tend(self, is_held_up: bool, now: float) -> None:
        """
        Look after what does not move; to be called every second or so.

        :param is_held_up: whether blocks wait for their taker, so that waiting is no one's fault
        """
        if self._is_resolved:
            return
        ledger = self.ledger
        ledger.extend()
        self._claim_own()
        self._resolve()
        if ledger.lowest_open() is None and ledger.horizon >= ledger.target:
            if not len(self.cache) and not self.links.recheck_tail(now):
                self._note_unlinked(ledger.front, ledger.target)
                self.end()
                return
        if self._looked_at is None or now >= self._looked_at + STALL_TIME:
            self._looked_at = now
            if self.links.front_hash != UNKNOWN_HASH:
                self.links.doubt_front(now)
        if is_held_up:
            self._progress_at = now
        if ledger.in_flight:
            self._asked_at = now
        if now >= self._hopes_until:
            self._give_up(now)

    @property
    def _hopes_until(self) -> float:
        if self.ledger.in_flight:
            return self._progress_at + MAX_LATE_TIME
        return max(self._progress_at + WAIT_TIME, self._asked_at + ASK_AGAIN_TIME)

    @property
    def is_waiting(self) -> bool:
        """Whether what it asked for is under way."""
        return self.own_blocks_in_flight > 0

    def wake_by(self, now: float) -> float:
        """Seconds: when to call ``tend`` and ``plan`` again at the latest."""
        # Where it has nothing to ask for it is not planned, and would say the same for ever.
        asking = self.wake_at(now) if self.is_wanting or self.is_waiting else None
        return max(now, self._hopes_until if asking is None else min(self._hopes_until, asking))

    def _give_up(self, now: float) -> None:
        """Settle what lies below the horizon as it stands; go on where somebody covers views."""
        ledger = self.ledger
        self._recall_claims()
        at, below = ledger.front, self.links.front_hash
        for views in tuple(self.cache.held.runs(ledger.front, ledger.horizon)):
            for view in range(*views):
                block = self.cache.get(view)
                assert block is not None
                if below == block.parent_hash:
                    self._note_empty(at, view)
                else:
                    self._note_unlinked(at, view)
                at, below = view + 1, block.hash
        self._note_unlinked(at, ledger.horizon)
        start = self._next_covered(ledger.horizon)
        self._note_missing(ledger.horizon, start)
        if start >= self.views.stop:
            self.end()
            return
        self._progress_at = now
        self._begin(Front(start, UNKNOWN_HASH))
        self._adopt_open_requests()

    def _recall_claims(self) -> None:
        """What is wanted again only to hear more opinions of it was answered all the same."""
        denied = self.links.claims.all_denied() - self.links.disputed
        for views in denied.runs(self.ledger.front, self.ledger.horizon):
            self.ledger.answer(views)

    def _next_covered(self, view: int) -> int:
        """The lowest view from ``view`` on that anybody covers; the end of the range if none is."""
        rest = ViewRange(view, self.views.stop)
        if rest.length <= 0:
            return rest.stop
        starts = [views.start for views in clip(self._own_ranges, rest)[:1]]
        for segment in self.peers.availability.partition(rest).segments:
            if segment.holders:
                starts.append(segment.start)
                break
        return min(starts, default=rest.stop)
