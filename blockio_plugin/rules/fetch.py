"""
A fetch: every block from a front up to a target, from whoever covers it, in order.

Sans-I/O: what happens comes in by method calls with the time in seconds, what to do comes out as
values. The scheduler service drives it against real peers, the simulator against modelled ones.
"""
from random import Random
from typing import List, Optional, Sequence, Tuple

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.draft import Demand, Proposal
from blockio_plugin.rules.intake import Intake
from blockio_plugin.rules.judging import judge
from blockio_plugin.rules.lateness import compute_deadline, expire_requests
from blockio_plugin.rules.limits import Front, Limits, Receipt
from blockio_plugin.rules.neglect import Neglect
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.planner import plan
from blockio_plugin.rules.requests import OpenRequest, PeerID, Request
from blockio_plugin.rules.scoring import FIRST_REQUESTS
from blockio_plugin.rules.status import FetchStatus
from blockio_plugin.rules.survey import Survey
from blockio_plugin.rules.telling import tell_idle_reason, tell_peers, tell_unserviceable
from blockio_plugin.rules.views import ViewRange, ViewRanges

LONG_TIME = 1.0
"""Seconds of service of one request from which on it changes the ranking at once."""

IDLE_TIME = 0.05
"""Seconds after which to plan again while a peer has nothing to do and others are waited for."""

STALL_TIME = 1.0
"""Seconds between two looks at a front that does not move."""

LOOK_AGAIN_TIME = 10.0
"""Seconds without a new block or an answer for more views after which all that peers said is
forgotten and asked for again: what was true then may have changed, and a liar may have been
believed. Doubled each time nothing comes."""

MAX_LOOK_AGAIN_TIME = 60.0
"""Most seconds between two such looks."""

FAR_SHARE = 0.5
"""Share of the cache that blocks may fill wherever they are: nobody may have the lowest ones."""

FRONT_BLOCKS = 64
"""Blocks that may be asked for in spite of a full cache: those that import waits for."""


class Fetch(Intake):
    """
    Wants the views ``[front, target)``, asks for them, and hands the blocks out in order.

    Its parts, ``peers``, ``ledger``, ``cache``, ``links``, ``neglect``, are there to be looked at
    only.
    """

    def __init__(
        self, *, front: Front, limits: Limits, random: Random, peers: Optional[PeerBook] = None
    ) -> None:
        self._random = random
        self._clock_index = random.randrange(2 ** 16)
        self._lost: List[OpenRequest] = []
        super().__init__(front, limits, PeerBook() if peers is None else peers)
        self.peers.fetches.append(self)

    def _begin(self, front: Front) -> None:
        super()._begin(front)
        self._survey = Survey(self.peers)
        self.neglect = Neglect(self.peers)
        self._is_idle = False
        self._copied_at: Optional[float] = None
        self._looked_at: Optional[float] = None
        self._moved_at: Optional[float] = None
        self._look_again_time = LOOK_AGAIN_TIME
        self._most_resolved = 0
        self._contested: Optional[int] = None

    def join(self, peer: PeerID, now: float) -> None:
        """A peer connected."""
        self.peers.join(peer)

    def leave(self, peer: PeerID, now: float) -> Tuple[Request, ...]:
        """A peer is gone: what was open of it, now wanted again, is returned."""
        lost = self.peers.leave(peer)
        for entry in lost:
            self._return_views(entry)
        for fetch in self.peers.fetches:
            fetch.note_left(peer)
        return tuple(entry.request for entry in lost)

    def advertise(self, peer: PeerID, head_view: int, ranges: ViewRanges, now: float) -> None:
        """A peer advertised; the newer advert takes the place of the older."""
        self.peers.availability.advertise(peer, head_view, ranges)
        if self._contested is not None:
            # It may know the branch that our front is on, or the one that it is not on.
            self.ledger.reopen(ViewRange(self.front.view, self._contested))
            self._contested = None
        self.links.recheck_head(head_view, now)

    # Asking

    def plan(self, now: float) -> Tuple[Request, ...]:
        """Decide what to ask of whom, and count it as asked."""
        ledger, tracker = self.ledger, self.peers.tracker
        self._is_idle = False
        ledger.extend()
        if len(tracker) >= self.limits.open_requests:
            return ()
        if not ledger.wanted and ledger.front < ledger.target:
            if len(tracker) and not self._may_copy(now):
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
        lowest = ledger.lowest_open()
        if self.limits.window:
            stop = min(stop, self._window_start(lowest) + self.limits.window)
        if lowest is not None and self.cache.memory > self.limits.cache_bytes * FAR_SHARE:
            # What is left is for the lowest views: others would fill it before those that import
            # waits for are here.
            stop = min(stop, lowest + int(max(self._space(), FRONT_BLOCKS) / density))
        self.reach = stop
        if room < 1:
            room = self._room_at_front()
            above = self._stop_at_front()
            stop = stop if above is None else min(stop, above)
        partition, ranking = self._survey.look(ledger, density, now)
        may_copy = self._may_copy(now)
        if may_copy:
            self._copied_at = now
        link_time = self.peers.compute_link_time(now)
        return Demand(
            ledger.front,
            ledger.wanted,
            ledger.in_flight,
            ledger.answered,
            partition,
            ranking,
            stop,
            density,
            room,
            link_time,
            may_copy,
        )

    def _may_copy(self, now: float) -> bool:
        return self._copied_at is None or now >= self._copied_at + IDLE_TIME

    def _window_start(self, lowest: Optional[int]) -> int:
        """
        The first unresolved view. Views that were answered empty are passed over as long as no
        block is held above them: a gap wider than the window could not be crossed otherwise.
        """
        front = self.front.view
        held = self.cache.held.next_at(front)
        return front if lowest is None or (held is not None and held < lowest) else lowest

    def _room(self) -> float:
        """Blocks that may still be asked for."""
        return self._space() - self.own_blocks_in_flight

    def _space(self) -> float:
        """Blocks for which the cache has place."""
        return (self.limits.cache_bytes - self.cache.memory) / self._block_bytes

    def _room_at_front(self) -> float:
        """Blocks to ask for in spite of a full cache: none while import has something to do."""
        if self.cache.handed_out or self.cache.has_ready:
            return 0.0
        return max(0.0, FRONT_BLOCKS - self.own_blocks_in_flight)

    def _stop_at_front(self) -> Optional[int]:
        """The view from which on nothing is asked for in spite of a full cache."""
        return self.cache.held.next_at(self.cache.tip[0] + 1)

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
            self,
        )
        self.peers.scores[peer].asked(now)
        self.neglect.note_asked(peer, views, self.ledger)
        entry.arrived_before = self.peers.arrivals.total
        if proposal.copy_of is not None:
            entry.note_copy(proposal.copy_of, proposal.is_probe)
        for fetch in self.peers.fetches:
            # Nothing depends on a probe: what it asks for stays wanted, or in flight elsewhere.
            if not entry.is_probe:
                fetch.note_issued(views)
        if self.peers.scores[peer].service_time(proposal.blocks) > LONG_TIME:
            self._survey.forget_ranking()
        return entry.request

    def void(self, peer: PeerID, request_id: int, now: float) -> None:
        """
        A request will bring nothing, and ``peer`` is not to blame: it was not sent, or we had no
        place for the answer. Its views are wanted again. One that is not known is no error.
        """
        entry = self.peers.tracker.find(peer, request_id)
        if entry is not None:
            self.peers.tracker.close(entry)
            if not entry.is_late:
                self._return_views(entry)
            self.peers.scores[peer].voided(now)

    def _return_views(self, entry: OpenRequest) -> None:
        for fetch in self.peers.fetches:
            fetch.note_returned(entry)

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
        tracker = self.peers.tracker
        entry = tracker.get(peer, request_id)
        if entry is None:
            return Receipt((), 0, True)
        lost = tracker.note_order(entry) if covered.length > 0 else ()
        tracker.close(entry)
        judge(self.peers, entry, covered, covered.stop < next_view, len(blocks), now)
        if blocks and self.peers.scores[peer].answers <= len(FIRST_REQUESTS):
            self._survey.forget_ranking()
        for passed in lost:
            self._return_views(passed)
        self._lost.extend(lost)
        if blocks:
            self._note_progress(now)
        for fetch in self.peers.fetches:
            if fetch is not self:
                fetch.note_answered(entry, covered, next_view, blocks, now)
        return self.note_answered(entry, covered, next_view, blocks, now)

    # Time

    def expire(self, now: float) -> Tuple[Request, ...]:
        """
        Give up on requests that are late; look after a front that does not move. Returns what was
        given up since the last call, so also what later answers passed over.
        """
        late = expire_requests(self.peers, now)
        for entry in late:
            self._return_views(entry)
        late = [*self._lost, *late]
        self._lost = []
        if self._looked_at is None or now >= self._looked_at + STALL_TIME:
            self._looked_at = now
            self._contested = self.links.doubt_front(now)
            self.neglect.look(self.ledger, self.cache, self.links.claims, now)
        self._watch_progress(now)
        return tuple(entry.request for entry in late)

    def _note_progress(self, now: float) -> None:
        self._moved_at, self._look_again_time = now, LOOK_AGAIN_TIME
        self.neglect.clear()

    def _watch_progress(self, now: float) -> None:
        resolved = self.ledger.front + len(self.ledger.answered)
        if resolved > self._most_resolved:
            # To hear once more what was heard before is no progress.
            self._most_resolved = resolved
            self._note_progress(now)
        if self._moved_at is None or self.ledger.front >= self.ledger.target:
            self._note_progress(now)
        elif now >= self._moved_at + self._look_again_time:
            self._moved_at = now
            self._look_again_time = min(self._look_again_time * 2, MAX_LOOK_AGAIN_TIME)
            self.links.forget_claims()
            for peer in self.peers:
                self.peers.availability.forgive(peer)

    def wake_at(self, now: float) -> Optional[float]:
        """When to call ``expire`` and ``plan`` again at the latest; None: only when asked to."""
        deadline = self.peers.tracker.next_deadline()
        times = [] if deadline is None else [deadline]
        if self._is_idle:
            times.append(now if self._copied_at is None else max(self._copied_at + IDLE_TIME, now))
        if self.ledger.front < self.ledger.target:
            looked_at = now if self._looked_at is None else self._looked_at
            times.append(max(looked_at + STALL_TIME, now + IDLE_TIME))
            if self.ledger.wanted:
                scores = self.peers.scores.values()
                times.extend([s.paused_until for s in scores if s.paused_until > now])
        return min(times) if times else None

    # Telling

    def status(self, now: float) -> FetchStatus:
        """What is going on; not for the path of planning."""
        is_full = self.cache.memory >= self.limits.cache_bytes
        return FetchStatus(
            self.front.view,
            self.ledger.target,
            len(self.cache),
            self.cache.bytes,
            self.cache.handed_out,
            len(self.peers.tracker),
            round(self.peers.tracker.blocks),
            self.ledger.count_wanted(),
            self.limits.cache_bytes,
            tell_peers(self.peers, now),
            tell_unserviceable(self.ledger, self.peers),
            tell_idle_reason(self.ledger, self.cache, self.peers, is_full, self._contested, now),
            self.neglect.tell(self.ledger, self.cache, self.limits.window, now),
        )

    @property
    def blocks_in_flight(self) -> float:
        """Blocks that all open requests will likely bring."""
        return self.peers.tracker.blocks

    @property
    def own_blocks_in_flight(self) -> float:
        """The same of the requests that this fetch made."""
        return self.peers.tracker.blocks_of(self)
