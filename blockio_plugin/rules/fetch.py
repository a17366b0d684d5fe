"""
A fetch: every block from a front up to a target, from whoever covers it, in order.

Sans-I/O: what happens comes in by method calls with the time in seconds, what to do comes out as
values. The scheduler service drives it against real peers, the simulator against modelled ones.
"""
from random import Random
from typing import List, Optional, Sequence, Tuple

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.density import Density
from blockio_plugin.rules.judging import judge
from blockio_plugin.rules.lateness import compute_deadline, expire_requests
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.limits import Front, Limits, Receipt
from blockio_plugin.rules.links import Links
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.planner import Demand, Proposal, plan
from blockio_plugin.rules.refusal import refuse
from blockio_plugin.rules.requests import OpenRequest, PeerID, Request
from blockio_plugin.rules.scoring import FIRST_REQUESTS
from blockio_plugin.rules.status import FetchStatus
from blockio_plugin.rules.survey import Survey
from blockio_plugin.rules.telling import tell_idle_reason, tell_peers, tell_unserviceable
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, ViewRanges

FIRST_BLOCK_BYTES = 4096
"""Bytes that a block is taken to have before any arrived."""

SIZE_DECAY = 0.9
"""Weight that the mean size of blocks keeps when the next answer comes in."""

LONG_TIME = 1.0
"""Seconds of service of one request from which on it changes the ranking at once."""

IDLE_TIME = 0.05
"""Seconds after which to plan again while a peer has nothing to do and others are waited for."""

STALL_TIME = 1.0
"""Seconds between two looks at a front that does not move."""

FRONT_BLOCKS = 64
"""Blocks that may be asked for in spite of a full cache: those that import waits for."""


class Fetch:
    """
    Wants the views ``[front, target)``, asks for them, and hands the blocks out in order.

    Its parts, ``peers``, ``ledger``, ``cache`` and ``links``, are there to be looked at only.
    """

    def __init__(
        self, *, front: Front, limits: Limits, random: Random, peers: Optional[PeerBook] = None
    ) -> None:
        self.limits = limits
        self._random = random
        self.peers = PeerBook() if peers is None else peers
        self._clock_index = random.randrange(2 ** 16)
        self._block_bytes = float(FIRST_BLOCK_BYTES)
        self._density = Density()
        self._reach = front.view
        self._begin(front)
        self.peers.fetches.append(self)

    def _begin(self, front: Front) -> None:
        self.front = front
        self.ledger = Ledger(front.view)
        self.cache = BlockCache(front.view, front.hash)
        self.links = Links(self.ledger, self.cache, self.peers)
        self.links.front_hash = front.hash
        self._survey = Survey(self.peers)
        self._is_idle = False
        self._copied_at = -IDLE_TIME
        self._looked_at = 0.0
        self._contested: Optional[int] = None

    def join(self, peer: PeerID, now: float) -> None:
        """A peer connected."""
        self.peers.join(peer)

    def leave(self, peer: PeerID, now: float) -> Tuple[Request, ...]:
        """A peer is gone: what was open of it, now wanted again, is returned."""
        lost = self.peers.leave(peer)
        for entry in lost:
            self._return_views(entry)
        return tuple(entry.request for entry in lost)

    def advertise(self, peer: PeerID, head_view: int, ranges: ViewRanges, now: float) -> None:
        """A peer advertised; the newer advert takes the place of the older."""
        self.peers.availability.advertise(peer, head_view, ranges)
        if self._contested is not None:
            # It may know the branch that our front is on, or the one that it is not on.
            self.ledger.reopen(ViewRange(self.front.view, self._contested))
            self._contested = None

    def set_target(self, stop: int) -> None:
        """Want every view from the front up to, without, ``stop``."""
        self.ledger.set_target(min(stop, VIEW_LIMIT))

    # Asking

    def plan(self, now: float) -> Tuple[Request, ...]:
        """Decide what to ask of whom, and count it as asked."""
        ledger, tracker = self.ledger, self.peers.tracker
        self._is_idle = False
        ledger.extend()
        if len(tracker) >= self.limits.open_requests:
            return ()
        if not ledger.wanted and ledger.front < ledger.target:
            if now < self._copied_at + IDLE_TIME and len(tracker):
                self._is_idle = True
                return ()
            self.links.recheck_tail(now)
        if not (ledger.wanted or len(tracker)):
            return ()
        demand = self._demand(now)
        self._clock_index += 1
        planned = plan(
            demand,
            self.peers.availability,
            tracker,
            self.peers.scores,
            self._clock_index,
            now,
        )
        self._is_idle = planned.is_idle and len(tracker) > 0
        return tuple(self._issue(proposal, now) for proposal in planned.proposals)

    def _demand(self, now: float) -> Demand:
        ledger = self.ledger
        density = self._density.value
        room = self._room()
        stop = ledger.horizon
        if self.limits.window:
            stop = min(stop, self.front.view + self.limits.window)
        lowest = ledger.lowest_open()
        if lowest is not None:
            # Blocks further up would fill the cache before those that import waits for are here.
            blocks = max(self.limits.cache_bytes / self._block_bytes, FRONT_BLOCKS)
            stop = min(stop, lowest + int(blocks / density))
        self._reach = stop
        if room < 1:
            room = self._room_at_front()
            above = self.cache.held.next_at(self.cache.tip[0] + 1)
            stop = stop if above is None else min(stop, above)
        partition, ranking = self._survey.look(ledger, density, now)
        may_copy = now >= self._copied_at + IDLE_TIME
        if may_copy:
            self._copied_at = now
        link_time = self.peers.link_time
        return Demand(
            ledger.wanted, partition, ranking, stop, density, room, link_time, may_copy
        )

    def _room(self) -> float:
        """Blocks that may still be asked for."""
        space = self.limits.cache_bytes - self.cache.bytes
        return space / self._block_bytes - self.own_blocks_in_flight

    def _room_at_front(self) -> float:
        """Blocks to ask for in spite of a full cache: none while import has something to do."""
        if self.cache.handed_out or self.cache.has_ready:
            return 0.0
        return max(0.0, FRONT_BLOCKS - self.own_blocks_in_flight)

    def _issue(self, proposal: Proposal, now: float) -> Request:
        peer, views = proposal.peer, proposal.views
        entry = self.peers.tracker.issue(
            peer,
            views,
            proposal.max_blocks,
            proposal.blocks,
            proposal.copy_of is not None,
            now,
            compute_deadline(self.peers, peer, proposal.blocks, now),
        )
        entry.owner = self
        if proposal.copy_of is not None:
            proposal.copy_of.copied_to = views.stop
        for fetch in self.peers.fetches:
            fetch.note_issued(views)
        if self.peers.scores[peer].service_time(proposal.blocks) > LONG_TIME:
            self._survey.forget_ranking()
        return entry.request

    def undelivered(self, request_id: int, now: float) -> None:
        """A request could not be sent: its views are wanted again, and nobody is to blame."""
        entry = self.peers.tracker.find(request_id)
        if entry is not None:
            self.peers.tracker.close(entry)
            self._return_views(entry)
            self.peers.scores[entry.request.peer].undelivered(now)

    def _return_views(self, entry: OpenRequest) -> None:
        for fetch in self.peers.fetches:
            fetch.note_returned(entry)

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

    def _land(self, entry: OpenRequest) -> None:
        tracker = self.peers.tracker
        views = entry.request.views
        others: List[OpenRequest] = tracker.overlapping(views) if self._is_shared(entry) else []
        self.ledger.land(views, [other.request.views for other in others])

    def _is_shared(self, entry: OpenRequest) -> bool:
        return entry.is_copy or self.peers.tracker.copies > 0

    # Receiving

    def receive(
        self,
        peer: PeerID,
        request_id: int,
        covered: ViewRange,
        next_view: int,
        blocks: Sequence[Block],
        now: float,
    ) -> Receipt:
        """
        Take the answer to a request; ``check_answer`` has passed it. ``covered`` empty: declined.

        :raise Offence: where this peer was not asked, or answered already
        """
        entry = self.peers.tracker.get(peer, request_id)
        self.peers.tracker.close(entry)
        judge(self.peers, entry, covered, covered.stop < next_view, len(blocks), now)
        if blocks and self.peers.scores[peer].answers <= len(FIRST_REQUESTS):
            self._survey.forget_ranking()
        for fetch in self.peers.fetches:
            if fetch is not self:
                fetch.note_answered(entry, covered, next_view, blocks, now)
        return self.note_answered(entry, covered, next_view, blocks, now)

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
        fresh = self._keep(peer, blocks)
        self.links.answered(peer, covered, stop, blocks, now)
        return Receipt(tuple(fresh), len(blocks) - len(fresh), entry.is_late)

    def _can_use(self, entry: OpenRequest, covered: ViewRange, blocks: Sequence[Block]) -> bool:
        """Whether to take an answer. What others asked for must not fill the cache far up."""
        if entry.owner is self:
            return True
        is_near = self.front.view < covered.stop and covered.stop <= self._reach
        return is_near and self.cache.bytes < self.limits.cache_bytes / 2

    def _keep(self, peer: PeerID, blocks: Sequence[Block]) -> List[Block]:
        if not blocks:
            return []
        cache, ledger = self.cache, self.ledger
        fresh = cache.select_fresh(blocks)
        if fresh and (fresh[0].view < ledger.front or fresh[-1].view >= ledger.horizon):
            fresh = [block for block in fresh if ledger.front <= block.view < ledger.horizon]
        size = cache.bytes
        cache.add(fresh, peer)
        if fresh:
            mean = (cache.bytes - size) / len(fresh)
            self._block_bytes = max(
                1.0, self._block_bytes * SIZE_DECAY + mean * (1 - SIZE_DECAY)
            )
        if len(fresh) < len(blocks):
            for block in blocks:
                if cache.is_rejected(block.hash) and block.view not in cache:
                    view = ViewRange(block.view, block.view + 1)
                    self.peers.availability.exclude(peer, view, float("inf"))
                    ledger.reopen(view)
        while cache.bytes > self.limits.cache_bytes and len(cache) > 1:
            highest = cache.highest()
            if highest is None or highest <= cache.tip[0]:
                break
            cache.remove(highest)
            ledger.reopen(ViewRange(highest, highest + 1))
        return fresh

    # Time

    def expire(self, now: float) -> Tuple[Request, ...]:
        """Give up on requests that are late; look after a front that does not move."""
        late = expire_requests(self.peers, now)
        for entry in late:
            self._return_views(entry)
        if now >= self._looked_at + STALL_TIME:
            self._looked_at = now
            self._contested = self.links.doubt_front(now)
        return tuple(entry.request for entry in late)

    def wake_at(self, now: float) -> Optional[float]:
        """When to call ``expire`` and ``plan`` again at the latest; None: only when asked to."""
        deadline = self.peers.tracker.next_deadline()
        times = [] if deadline is None else [deadline]
        if self._is_idle:
            times.append(max(self._copied_at + IDLE_TIME, now))
        if self.ledger.front < self.ledger.target:
            times.append(max(self._looked_at + STALL_TIME, now + IDLE_TIME))
            if self.ledger.wanted:
                scores = self.peers.scores.values()
                times.extend([s.paused_until for s in scores if s.paused_until > now])
        return min(times) if times else None

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

    # Telling

    def status(self, now: float) -> FetchStatus:
        """What is going on; not for the path of planning."""
        is_full = self.cache.bytes >= self.limits.cache_bytes
        return FetchStatus(
            self.front.view,
            self.ledger.target,
            len(self.cache),
            self.cache.bytes,
            self.cache.handed_out,
            len(self.peers.tracker),
            round(self.peers.tracker.blocks),
            tell_peers(self.peers),
            tell_unserviceable(self.ledger, self.peers),
            tell_idle_reason(self.ledger, self.cache, self.peers, is_full, self._contested, now),
        )

    @property
    def held_blocks(self) -> int:
        """Blocks in the cache."""
        return len(self.cache)

    @property
    def blocks_in_flight(self) -> float:
        """Blocks that all open requests will likely bring."""
        return self.peers.tracker.blocks

    @property
    def own_blocks_in_flight(self) -> float:
        """The same of the requests that this fetch made."""
        tracker = self.peers.tracker
        if len(self.peers.fetches) == 1:
            return tracker.blocks
        return sum(entry.blocks for entry in tracker.open_requests() if entry.owner is self)

    @property
    def is_wanting(self) -> bool:
        """Whether there are views to ask for."""
        return bool(self.ledger.wanted)
