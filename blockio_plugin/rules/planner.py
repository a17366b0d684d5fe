"""
The planner: what to ask of whom, now.

A pure function of (wanted, availability, open requests, scores, clock index, now):

1. Peers that may be asked are lined up, the lowest score first; among scores alike the clock index,
   which rotates, decides who comes first. A peer that pauses, or that has let a request go by,
   waits; a new one gets small requests by right.
2. They take turns, one request at a time, as long as a peer owes less than its budget.
3. A peer is asked for the scarcest views it covers: those in the class of segments that takes
   longest with the peers that hold it. Within a class the lowest views come first. Views in flight
   are not in ``wanted``, and views that a peer was found wrong about are passed over.
4. A request asks for a fifth of a second of the peer's work, and for less near the end of a class,
   so that all its peers end together. A peer that each request costs much is asked for more, up to
   what it can give until the others end. A request asks for as many views as likely hold its
   blocks.
5. A peer for which nothing is wanted takes over part of the open request that ends last, if it
   would be clearly quicker, and so again where that peer lets it wait as well. No peer is asked
   twice at a time for the same views.
6. A peer whose answer is overdue, though there is an excuse, is sounded: it is asked for one block
   again. As peers answer in order, the answer tells whether what was asked before was lost.
"""
from math import ceil
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from blockio_plugin.rules.availability import AvailabilityTable, Partition
from blockio_plugin.rules.ending import Supply, finish_times, time_to_supply
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS
from blockio_plugin.rules.ranking import Ranking, Standing
from blockio_plugin.rules.requests import (
    MAX_UNANSWERED,
    OpenRequest,
    PeerID,
    PeerQueue,
    RequestTracker,
)
from blockio_plugin.rules.scoring import (
    FIRST_REQUESTS,
    PROBE_EVERY,
    PROBE_FACTOR,
    REQUEST_PRICE,
    REQUEST_TIME,
    STRAY_DECLINES,
    Score,
)
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange

REQUEST_SPACING = 0.0036
"""Seconds between two requests, to whomever, in the long run: with many peers each request is made
larger, since each costs us about 0.15 ms of CPU."""

END_SHARE = 0.5
"""The part of what is left of a class that one request may take, as a share of its peer's time."""

LONG_SHARE = 0.98
"""A request that costs its peer much is to end within this share of the time left for all: its
blocks all come at its end, so it had better be early than last."""

LEAST_YIELD = 0.25
"""A request that costs its peer much is worth it if its blocks take this share of its cost."""

MIN_REQUEST_TIME = 0.05
"""Seconds of service that a request asks for at least, however near the end is."""

DECLINED_UNANSWERED = 3
"""Most unanswered requests of a peer that declined the last one."""

SPARE = 1.5
"""Blocks allowed over blocks expected, where views are only likely to hold one."""

GOLDEN_RATIO = 0.618033988749895
"""Multiples of it, their whole parts dropped, spread evenly over what they are to cover."""

MAX_COPIES = 3
"""Most peers at a time that are asked for a view besides the first, probes apart."""

MAX_SMALL_COPIES = 24
"""The same for requests as small as the first ones: at the head one block is all that is wanted,
and nearly all peers may be silent."""

SOUND_TIME = 3.0
"""Seconds after which a peer whose answer is overdue is sounded, least."""

SOUND_FACTOR = 2.0
"""By how much longer it is waited for until it is sounded again."""

COPY_MARGIN = 0.05
"""Seconds by which a take-over must promise to be quicker."""

COPY_FACTOR = 1.2
"""How many times its own time to answer a take-over must promise to save, all in all."""


class Proposal(NamedTuple):
    """
    Ask ``peer`` for the lowest ``max_blocks`` blocks of ``views``, likely ``blocks``.

    ``copy_of`` is the open request for the same views, if there is one.
    """

    peer: PeerID
    views: ViewRange
    max_blocks: int
    blocks: float
    copy_of: Optional[OpenRequest]
    is_probe: bool = False


class Plan(NamedTuple):
    """What to ask, and whether a peer is left that could do more."""

    proposals: Tuple[Proposal, ...]
    is_idle: bool


class Demand(NamedTuple):
    """
    What is wanted and what is known of it.

    ``front``: views below it are resolved. ``stop``: views from here on are left alone.
    ``density``: blocks per view to expect. ``room``: blocks that may still be asked for.
    ``link_time``: seconds that all blocks in flight take at the pace at which blocks arrive from
    everybody: our own link may be the limit.
    ``may_copy``: whether to look for take-overs.
    """

    front: int
    wanted: ViewSet
    in_flight: ViewSet
    answered: ViewSet
    partition: Partition
    ranking: Ranking
    stop: int
    density: float
    room: float
    link_time: float
    may_copy: bool


def plan(
    demand: Demand,
    table: AvailabilityTable,
    tracker: RequestTracker,
    scores: Mapping[PeerID, Score],
    clock_index: int,
    now: float,
) -> Plan:
    """The requests to issue now; nothing that was passed in is changed."""
    this_round = _Round(demand, table, tracker, scores, now)
    return Plan(tuple(this_round.proposals(clock_index)), this_round.is_idle)


class _Round:
    """One run of the planner: what it has proposed so far."""

    def __init__(
        self,
        demand: Demand,
        table: AvailabilityTable,
        tracker: RequestTracker,
        scores: Mapping[PeerID, Score],
        now: float,
    ) -> None:
        self._demand = demand
        self._table = table
        self._tracker = tracker
        self._scores = scores
        self._now = now
        self._clock_index = 0
        self._room = demand.room
        self._stretch = max(1.0, len(scores) * REQUEST_SPACING / REQUEST_TIME)
        self._owed: Dict[PeerID, float] = {}
        self._asked: Dict[PeerID, int] = {}
        # Per segment the view from which on to look; proposals that left some views behind.
        self._cursors: Dict[int, int] = {}
        self._detached: List[ViewRange] = []
        self._picked: List[ViewRange] = []
        self._copied_of: Dict[int, List[ViewRange]] = {}
        self._copied: Dict[PeerID, List[ViewRange]] = {}
        self._probed: Set[int] = set()
        self._askable: Dict[PeerID, ViewSet] = {}
        self.is_idle = False
        self._trusted: Optional[List[PeerID]] = None
        self._finishes: Optional[List[Tuple[float, OpenRequest]]] = None

    def proposals(self, clock_index: int) -> Iterator[Proposal]:
        """All proposals of this round."""
        self._clock_index = clock_index
        line = self._line_up(clock_index)
        idle: List[PeerID] = []
        while line and self._room >= 1:
            served: List[PeerID] = []
            for peer in line:
                blocks = self._blocks_to_ask(peer)
                if not blocks or self._room < 1:
                    continue
                proposal = self._next_request(peer, blocks)
                if proposal is None:
                    idle.append(peer)
                else:
                    served.append(peer)
                    yield self._note(proposal)
            line = served
        for peer in idle:
            blocks = self._blocks_to_ask(peer)
            while blocks and self._demand.may_copy:
                copy = self._next_copy(peer, blocks)
                if copy is None:
                    break
                yield self._note(copy)
                blocks = self._blocks_to_ask(peer)
            self.is_idle = self.is_idle or blocks > 0
        if self._tracker.excused:
            sounding = self._next_sounding()
            if sounding is not None:
                yield self._note(sounding)

    def _next_sounding(self) -> Optional[Proposal]:
        """One at a time: it may be our own link that lets all of them wait."""
        for entry in self._tracker.open_requests():
            if entry.is_probe and not entry.is_excused:
                return None
        soundings = [self._sound(*item) for item in self._tracker.queues.items()]
        found = [sounding for sounding in soundings if sounding is not None]
        # Each its turn, so that a slow peer does not keep a lost request from being noticed.
        return min(found, key=self._count_probes) if found else None

    def _count_probes(self, sounding: Proposal) -> int:
        unanswered = self._tracker.queues[sounding.peer].unanswered.values()
        return sum(entry.is_probe for entry in unanswered)

    def _sound(self, peer: PeerID, queue: PeerQueue) -> Optional[Proposal]:
        """
        Ask for one block again of a peer whose answer should be here, though there is an excuse: by
        the order of its answers it will tell whether that request was lost.
        """
        first = next(iter(queue.unanswered.values()), None)
        if first is None or not first.is_excused or first.is_late or queue.reorders:
            return None
        unanswered = len(queue.unanswered) + self._asked.get(peer, 0)
        if unanswered >= MAX_UNANSWERED or self._scores[peer].earned_at > self._now:
            return None
        asked_at = first.request.issued_at
        for entry in queue.unanswered.values():
            if entry.is_probe:
                asked_at = entry.request.issued_at
        waited = asked_at - first.request.issued_at
        least = max(SOUND_TIME, self._demand.link_time, SOUND_FACTOR * waited)
        if self._now < first.request.issued_at + least:
            return None
        for entry in queue.unanswered.values():
            start = self._first_unanswered(entry.request.views.start)
            if start < entry.request.views.stop:
                break
        else:
            start = self._first_unanswered(self._demand.front)
        if not self._table.may_ask(peer, start, self._now):
            return None
        return Proposal(peer, ViewRange(start, start + 1), 1, 1.0, first, is_probe=True)

    def _line_up(self, clock_index: int) -> List[PeerID]:
        now = self._now
        peers = [
            peer
            for (peer, queue), score in zip(self._tracker.queues.items(), self._scores.values())
            if queue.blocks <= score.refill_below and score.paused_until <= now
        ]
        if len(peers) > 1:
            start = clock_index % len(peers)
            peers = peers[start:] + peers[:start]
            # Scores within a factor of two are alike: sorting is stable, so the clock decides.
            peers.sort(key=lambda peer: self._scores[peer].octave)
        return peers

    def _note(self, proposal: Proposal) -> Proposal:
        peer = proposal.peer
        self._owed[peer] = self._owed.get(peer, 0.0) + proposal.blocks
        self._asked[peer] = self._asked.get(peer, 0) + 1
        if proposal.copy_of is None:
            self._room -= proposal.blocks
        elif proposal.is_probe:
            self._probed.add(proposal.copy_of.request.request_id)
        else:
            copied = self._copied_of.setdefault(proposal.copy_of.request.request_id, [])
            copied.append(proposal.views)
            self._copied.setdefault(peer, []).append(proposal.views)
        return proposal

    def _blocks_to_ask(self, peer: PeerID) -> float:
        """How many blocks the peer should be asked for next; 0 where it owes enough."""
        score, queue = self._scores[peer], self._tracker.queues[peer]
        unanswered = len(queue.unanswered) + self._asked.get(peer, 0)
        if unanswered >= MAX_UNANSWERED or unanswered - queue.late >= score.window:
            return 0
        if score.earned_at + self._asked.get(peer, 0) * REQUEST_PRICE > self._now:
            return 0
        if queue.late:
            # It let requests go by: a single small one at a time, until it answers again.
            return FIRST_REQUESTS[0] if unanswered == queue.late else 0
        if score.declines:
            most = DECLINED_UNANSWERED if score.declines < STRAY_DECLINES else 1
            return score.request_blocks if unanswered < most else 0
        if not score.known:
            first = FIRST_REQUESTS[:1] if score.empty_answers else FIRST_REQUESTS
            return first[unanswered] if unanswered < len(first) else 0
        owed = queue.blocks + self._owed.get(peer, 0.0)
        if unanswered == 1 and self._is_to_be_followed(peer):
            return score.request_blocks
        if unanswered and score.sure_overhead > REQUEST_TIME:
            if score.request_blocks < score.answer_limit or owed >= score.cap:
                return 0
            # No request may bring more, so only another one fills the way.
            is_busy = unanswered * score.service_time(score.request_blocks) > score.round_trip
            return 0 if is_busy else score.request_blocks
        if unanswered and owed > score.refill_below:
            return 0
        blocks = score.request_blocks * self._stretch
        if self._is_to_be_probed(peer):
            blocks = max(blocks, score.last_blocks) * PROBE_FACTOR
        return min(blocks, score.answer_limit)

    def _is_to_be_probed(self, peer: PeerID) -> bool:
        """Whether its next request should ask for more, which tells what is overhead."""
        score = self._scores[peer]
        is_new = score.answers < len(FIRST_REQUESTS)
        return score.is_vague and (is_new or self._count_turns(peer) == len(FIRST_REQUESTS))

    def _is_to_be_followed(self, peer: PeerID) -> bool:
        """
        Whether its next request should follow the one that is open, whatever it owes: of two at a
        time the second tells what is work, and what only the way.
        """
        score = self._scores[peer]
        is_open = score.is_vague or score.sure_overhead > REQUEST_TIME
        return is_open and not self._count_turns(peer)

    def _count_turns(self, peer: PeerID) -> int:
        """Where it stands between two probes."""
        return (self._tracker.queues[peer].issued + self._asked.get(peer, 0)) % PROBE_EVERY

    def _next_request(self, peer: PeerID, blocks: float) -> Optional[Proposal]:
        demand, score = self._demand, self._scores[peer]
        order = demand.ranking.order.get(peer, ())
        if score.strays and order:
            turn = self._clock_index % len(order)
            order = order[turn:] + order[:turn]
        for number in order:
            segment = demand.partition.segments[number]
            stop = min(segment.stop, demand.stop)
            cursor = self._cursors.get(number, segment.start)
            start = demand.wanted.next_at(cursor) if cursor < stop else None
            if start is None or start >= stop:
                self._cursors[number] = VIEW_LIMIT
                continue
            standing = demand.ranking.standings[number]
            size = self._fit(peer, blocks, start, segment.holders, standing)
            if not size:
                continue
            place = self._begin_at(score, start, stop)
            found = self._find_views(peer, place, stop, size)
            if found is None and place > start:
                found = self._find_views(peer, start, stop, size)
            if found is None or self._is_left_to_others(peer, found.start):
                continue
            if found.start == start:
                for passed in range(number, len(demand.partition.segments)):
                    if demand.partition.segments[passed].start >= found.stop:
                        break
                    self._cursors[passed] = max(self._cursors.get(passed, 0), found.stop)
            else:
                self._detached.append(found)
            self._picked.append(found)
            likely = min(size, found.length * demand.density)
            most = found.length
            if demand.density < 1:
                # More than likely may be there, and a short answer costs another round trip.
                most = min(most, ceil(max(size, score.request_blocks) * SPARE))
            return Proposal(peer, found, self._cap(peer, most), likely, None)
        return None

    def _begin_at(self, score: Score, start: int, stop: int) -> int:
        """Where to begin to look for wanted views: elsewhere, where the peer lacks the lowest."""
        place = start
        if score.anchor is not None:
            place = score.anchor
        elif score.strays:
            place += int((stop - start) * (self._clock_index * GOLDEN_RATIO % 1.0))
        if not start < place < stop:
            return start
        found = self._demand.wanted.next_at(place)
        return start if found is None or found >= stop else found

    def _is_left_to_others(self, peer: PeerID, view: int) -> bool:
        """
        Whether the peer has let requests go by, and one that answers can be asked for the view:
        then nothing should depend on this one.
        """
        if not self._tracker.queues[peer].late:
            return False
        if self._trusted is None:
            self._trusted = [
                other
                for other, queue in self._tracker.queues.items()
                if not (queue.late or self._scores[other].declines) and self._scores[other].known
            ]
        return any(self._table.may_ask(other, view, self._now) for other in self._trusted)

    def _cap(self, peer: PeerID, blocks: int) -> int:
        return max(1, min(blocks, int(self._scores[peer].answer_limit), MAX_ANSWER_BLOCKS))

    def _fit(
        self,
        peer: PeerID,
        blocks: float,
        view: int,
        holders: Sequence[PeerID],
        standing: Standing,
    ) -> float:
        """
        Cut a request down near the end of a class, in which ``view`` is the lowest one wanted; 0
        where the peer would be too late.
        """
        score = self._scores[peer]
        if not score.known:
            return min(blocks, max(1.0, END_SHARE * standing.time_left / score.seconds_per_block))
        time = max(standing.time_left * END_SHARE, MIN_REQUEST_TIME)
        if score.sure_overhead > min(time, REQUEST_TIME):
            # Each request costs it much, so it gets few: what fits in till the end.
            begin = score.round_trip + score.overhead
            least = max(score.seconds_per_block, LEAST_YIELD * score.overhead)
            holders = [
                holder
                for holder in holders
                if holder == peer or not self._table.is_excluded(holder, view, self._now)
            ]
            left = self._time_to_end(score, holders, standing)
            time = left * LONG_SHARE - begin
            if time < least:
                others = [holder for holder in holders if holder != peer]
                if self._time_to_end(score, others, standing) * LONG_SHARE < begin + least:
                    return 0.0
                # The others would need longer, so it takes what they cannot bring until then.
                time = left - begin
        return max(1.0, min(blocks, time / score.seconds_per_block, self._room))

    def _time_to_end(
        self, asked: Score, holders: Sequence[PeerID], standing: Standing
    ) -> float:
        """Seconds until what is wanted of a class is likely here, if its holders end together."""
        supplies: List[Supply] = []
        for peer in holders:
            score = self._scores[peer]
            queue = self._tracker.queues[peer]
            if not score.known or queue.late or score.paused_until > self._now:
                continue
            begin = self._owed.get(peer, 0.0) * score.seconds_per_block
            for _, finish in finish_times(queue, score, self._now):
                begin = max(begin, finish - self._now)
            if score.sure_overhead > REQUEST_TIME:
                # It pays for one more request first. One answer does not tell its speed; then it
                # is taken to be as quick as the peer that is asked.
                begin += score.round_trip + score.overhead
                speed = score if score.answers > 1 else asked
                supplies.append(Supply(begin, 1.0 / speed.seconds_per_block))
            else:
                supplies.append(Supply(begin, 1.0 / score.value))
        owed = sum(self._owed.values())
        together = time_to_supply(standing.time_left * standing.rate - owed, supplies)
        # No sooner than at their rates so far: overhead may be our own link, which all wait for.
        return max(together, standing.time_left + (self._tracker.blocks + owed) / standing.rate)

    def _find_askable(self, peer: PeerID) -> ViewSet:
        """What is wanted and the peer may be asked for, as far as its exclusions go."""
        wanted = self._demand.wanted
        if peer not in self._askable:
            excluded = self._table.excluded(peer, wanted.base, self._now)
            self._askable[peer] = wanted if excluded is None else wanted - excluded
        return self._askable[peer]

    def _next_barred(self, peer: PeerID, view: int) -> Optional[ViewRange]:
        """The lowest views not below ``view`` that the peer must not be asked for in this round."""
        barred = self._table.next_excluded(peer, view, self._now)
        for views in self._detached:
            if views.stop > view and (barred is None or views.start < barred.start):
                barred = views
        return barred

    def _find_views(
        self, peer: PeerID, start: int, stop: int, blocks: float
    ) -> Optional[ViewRange]:
        """
        Wanted views from ``start`` on, in one run, that likely hold ``blocks`` blocks and of which
        none is barred.
        """
        wanted = self._demand.wanted
        length = max(1, int(blocks / self._demand.density))
        if stop - start < length // 2:
            # The scarce views are too few for a request; what follows is taken along.
            covering = self._table.covering(peer, start)
            if covering is not None:
                picked = (views.start for views in self._picked if views.start > start)
                stop = min([covering.stop, self._demand.stop, *picked])
        askable = self._find_askable(peer)
        following = askable.next_at(start)
        barred = None if following is None else self._next_barred(peer, following)
        while following is not None and barred is not None and barred.start <= following:
            following = askable.next_at(barred.stop)
            barred = None if following is None else self._next_barred(peer, following)
        if following is None or following >= stop:
            return None
        start = following
        if barred is not None:
            stop = min(stop, barred.start)
        end = min(start + length, stop)
        if not wanted.covers(start, end):
            end = self._bridge(peer, blocks, wanted.next_missing(start), end)
        return ViewRange(start, end)

    def _bridge(self, peer: PeerID, blocks: float, end: int, stop: int) -> int:
        """
        Where a request that begins with wanted views up to ``end`` should end, at ``stop`` at the
        latest: what was answered in between is asked for again where that costs the peer less time
        than another request, or where its speed has to be found out.
        """
        demand, score = self._demand, self._scores[peer]
        affordable = score.request_cost / score.seconds_per_block
        if self._is_to_be_probed(peer):
            affordable = max(affordable, blocks)
        affordable /= demand.density
        while affordable >= 1:
            following = demand.wanted.next_at(end)
            if following is None or following >= stop or following - end > affordable:
                break
            is_answered = demand.answered.covers(end, following)
            if not is_answered or demand.in_flight.count(end, following):
                break
            affordable -= following - end
            end = min(demand.wanted.next_missing(following), stop)
        return end

    def _next_copy(self, peer: PeerID, blocks: float) -> Optional[Proposal]:
        """Part of the open request that ends last, if ``peer`` would be clearly quicker."""
        score = self._scores[peer]
        if self._finishes is None:
            self._finishes = self._compute_finishes()
        if self._tracker.queues[peer].late:
            return self._next_probe(peer, blocks)
        owed = self._tracker.queue(peer).blocks + self._owed.get(peer, 0.0)
        for finish, entry in self._finishes:
            request = entry.request
            start = self._first_uncopied(entry)
            if start >= request.views.stop or request.peer == peer:
                continue
            most = MAX_COPIES if entry.blocks > FIRST_REQUESTS[0] else MAX_SMALL_COPIES
            if entry.depth >= most:
                continue
            left = entry.blocks * (request.views.stop - start) / request.views.length
            part = max(1.0, min(blocks / 2, left))
            need = score.round_trip + score.service_time(owed + part)
            if self._demand.link_time:
                # All that is in flight comes through our link, and a copy would come after it.
                finish = min(finish, self._now + self._demand.link_time)
                need = max(need, self._demand.link_time)
            if finish - self._now < need * COPY_FACTOR + COPY_MARGIN:
                return None
            covering = self._table.covering(peer, start)
            if covering is None or not self._table.may_ask(peer, start, self._now):
                continue
            if self._is_asked(peer, start):
                continue
            length = max(1, ceil(request.views.length * part / max(entry.blocks, 1.0)))
            stop = min(start + length, request.views.stop, covering.stop)
            most = min(stop - start, max(ceil(part * SPARE), FIRST_REQUESTS[0]))
            return Proposal(peer, ViewRange(start, stop), self._cap(peer, most), part, entry)
        return None

    def _is_asked(self, peer: PeerID, view: int) -> bool:
        """Whether the peer has ``view`` to answer for already, in another copy."""
        requests = self._tracker.queues[peer].unanswered.values()
        asked = self._copied.get(peer, [])
        return any(view in range(*views) for views in asked) or any(
            view in range(*entry.request.views) for entry in requests
        )

    def _next_probe(self, peer: PeerID, blocks: float) -> Optional[Proposal]:
        """Part of what another was asked, to see whether a peer that was late answers again."""
        for _, entry in self._finishes or ():
            request = entry.request
            start = self._first_unanswered(request.views.start)
            if start >= request.views.stop or entry.probes or request.request_id in self._probed:
                continue
            if request.peer == peer or not self._table.may_ask(peer, start, self._now):
                continue
            covering = self._table.covering(peer, start)
            assert covering is not None
            part = min(blocks, entry.blocks)
            length = max(1, ceil(request.views.length * part / max(entry.blocks, 1.0)))
            stop = min(start + length, request.views.stop, covering.stop)
            most = self._cap(peer, min(stop - start, max(request.max_blocks, 1)))
            return Proposal(peer, ViewRange(start, stop), most, part, entry, is_probe=True)
        return None

    def _first_uncopied(self, entry: OpenRequest) -> int:
        """The lowest of its views that neither is answered nor was asked of another peer."""
        request = entry.request
        copied = entry.copied + self._copied_of.get(request.request_id, [])
        first = self._first_unanswered(request.views.start)
        for views in sorted(copied):
            if views.start <= first < views.stop:
                first = self._first_unanswered(views.stop)
        return first

    def _first_unanswered(self, view: int) -> int:
        return self._demand.answered.next_missing(max(view, self._demand.front))

    def _compute_finishes(self) -> List[Tuple[float, OpenRequest]]:
        finishes = [
            (finish, entry)
            for peer in self._table
            for entry, finish in finish_times(
                self._tracker.queue(peer), self._scores[peer], self._now
            )
            if not entry.is_probe
        ]
        finishes.sort(key=lambda item: (-item[0], item[1].request.request_id))
        return finishes
