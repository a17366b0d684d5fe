"""
Requests besides: what one peer was asked for is asked of another, since the first may be slow or
silent.

1. A copy: a peer for which nothing is wanted takes over part of the open request that ends last, if
   it would be clearly quicker, and so again where that peer lets it wait as well. No peer is asked
   twice at a time for the same views.
2. A probe: a peer that was late is asked for what somebody else is asked for, to see whether it
   answers again. Nothing depends on it.
3. A sounding: a peer whose answer is overdue, though there is an excuse, is asked for one block. As
   peers answer in order, the answer tells whether what was asked before was lost.
"""
from math import ceil
from typing import List, Optional, Tuple

from blockio_plugin.rules.draft import SPARE, Draft, Proposal
from blockio_plugin.rules.ending import finish_times
from blockio_plugin.rules.requests import MAX_UNANSWERED, OpenRequest, PeerID, PeerQueue
from blockio_plugin.rules.scoring import FIRST_REQUESTS
from blockio_plugin.rules.views import ViewRange

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


class Hedging:
    """Finds copies, probes and soundings, in one run of the planner."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._demand = draft.demand
        self._table = draft.table
        self._tracker = draft.tracker
        self._scores = draft.scores
        self._now = draft.now
        self._finishes: Optional[List[Tuple[float, OpenRequest]]] = None

    def next_copy(self, peer: PeerID, blocks: float) -> Optional[Proposal]:
        """Part of the open request that ends last, if ``peer`` would be clearly quicker."""
        score = self._scores[peer]
        if self._finishes is None:
            self._finishes = self._compute_finishes()
        if self._tracker.queues[peer].late:
            return self._next_probe(peer, blocks)
        owed = self._tracker.queue(peer).blocks + self._draft.owed.get(peer, 0.0)
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
            return Proposal(peer, ViewRange(start, stop), self._draft.cap(peer, most), part, entry)
        return None

    def _is_asked(self, peer: PeerID, view: int) -> bool:
        """Whether the peer has ``view`` to answer for already, in another copy."""
        requests = self._tracker.queues[peer].unanswered.values()
        asked = self._draft.copied.get(peer, [])
        return any(view in range(*views) for views in asked) or any(
            view in range(*entry.request.views) for entry in requests
        )

    def _next_probe(self, peer: PeerID, blocks: float) -> Optional[Proposal]:
        """Part of what another was asked, to see whether a peer that was late answers again."""
        for _, entry in self._finishes or ():
            request = entry.request
            if entry.probes or request.request_id in self._draft.probed:
                continue
            start = self._draft.first_unanswered(request.views.start)
            if start >= request.views.stop:
                continue
            if request.peer == peer or not self._table.may_ask(peer, start, self._now):
                continue
            covering = self._table.covering(peer, start)
            assert covering is not None
            part = min(blocks, entry.blocks)
            length = max(1, ceil(request.views.length * part / max(entry.blocks, 1.0)))
            stop = min(start + length, request.views.stop, covering.stop)
            most = self._draft.cap(peer, min(stop - start, max(request.max_blocks, 1)))
            return Proposal(peer, ViewRange(start, stop), most, part, entry, is_probe=True)
        return None

    def _first_uncopied(self, entry: OpenRequest) -> int:
        """The lowest of its views that neither is answered nor was asked of another peer."""
        request = entry.request
        copied = entry.copied + self._draft.copied_of.get(request.request_id, [])
        first = self._draft.first_unanswered(request.views.start)
        for views in sorted(copied):
            if views.start <= first < views.stop:
                first = self._draft.first_unanswered(views.stop)
        return first

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

    def next_sounding(self) -> Optional[Proposal]:
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
        unanswered = len(queue.unanswered) + self._draft.asked.get(peer, 0)
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
            start = self._draft.first_unanswered(entry.request.views.start)
            if start < entry.request.views.stop:
                break
        else:
            start = self._draft.first_unanswered(self._demand.front)
        if not self._table.may_ask(peer, start, self._now):
            return None
        return Proposal(peer, ViewRange(start, start + 1), 1, 1.0, first, is_probe=True)
