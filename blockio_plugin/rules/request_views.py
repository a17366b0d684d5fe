"""
Which views a peer is asked for next.

A peer is asked for the scarcest views it covers: those in the class of segments that takes longest
with the peers that hold it. Within a class the lowest views come first. Views in flight are not in
``wanted``, and views that a peer was found wrong about are passed over.
"""
from math import ceil
from typing import Dict, List, Optional

from blockio_plugin.rules.draft import SPARE, Draft, Proposal
from blockio_plugin.rules.request_sizes import RequestSizes
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.scoring import Score
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange

GOLDEN_RATIO = 0.618033988749895
"""Multiples of it, their whole parts dropped, spread evenly over what they are to cover."""


class RequestViews:
    """Finds views to ask for, in one run of the planner."""

    def __init__(self, draft: Draft, sizes: RequestSizes) -> None:
        self._draft = draft
        self._demand = draft.demand
        self._table = draft.table
        self._tracker = draft.tracker
        self._scores = draft.scores
        self._now = draft.now
        self._sizes = sizes
        # Per segment the view from which on to look; proposals that left some views behind.
        self._cursors: Dict[int, int] = {}
        self._detached: List[ViewRange] = []
        self._picked: List[ViewRange] = []
        self._askable: Dict[PeerID, ViewSet] = {}
        self._trusted: Optional[List[PeerID]] = None

    def next_request(self, peer: PeerID, blocks: float) -> Optional[Proposal]:
        """What ``peer`` is asked for next of what is wanted; None where it has nothing of it."""
        demand, score = self._demand, self._scores[peer]
        order = demand.ranking.order.get(peer, ())
        if score.strays and order:
            turn = self._draft.clock_index % len(order)
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
            size = self._sizes.fit(peer, blocks, start, segment.holders, standing)
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
            return Proposal(peer, found, self._draft.cap(peer, most), likely, None)
        return None

    def _begin_at(self, score: Score, start: int, stop: int) -> int:
        """Where to begin to look for wanted views: elsewhere, where the peer lacks the lowest."""
        place = start
        if score.anchor is not None:
            place = score.anchor
        elif score.strays:
            place += int((stop - start) * (self._draft.clock_index * GOLDEN_RATIO % 1.0))
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
        if self._sizes.is_to_be_probed(peer):
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
