"""
How much a peer is asked for next.

1. Near nothing while it has to show that it answers: a newcomer, one that let requests go by, or
   one that declines.
2. A request asks for as much as is worth its cost, as long as the peer owes less than its budget.
3. Now and then a request asks for more, or follows another one: only what differs tells what is
   overhead, what is work and what only the way.
4. Near the end of a class a request asks for less, so that all its peers end together.
"""
from typing import List, Sequence

from blockio_plugin.rules.draft import Draft
from blockio_plugin.rules.ending import Supply, finish_times, time_to_supply
from blockio_plugin.rules.ranking import Standing
from blockio_plugin.rules.requests import MAX_UNANSWERED, PeerID
from blockio_plugin.rules.scoring import (
    FIRST_REQUESTS,
    PROBE_FACTOR,
    REQUEST_PRICE,
    REQUEST_TIME,
    STRAY_DECLINES,
    Score,
)

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


class RequestSizes:
    """Says how many blocks to ask for, in one run of the planner."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._table = draft.table
        self._tracker = draft.tracker
        self._scores = draft.scores
        self._now = draft.now
        self._stretch = max(1.0, len(draft.scores) * REQUEST_SPACING / REQUEST_TIME)

    def blocks_to_ask(self, peer: PeerID) -> float:
        """How many blocks the peer should be asked for next; 0 where it owes enough."""
        score, queue = self._scores[peer], self._tracker.queues[peer]
        unanswered = len(queue.unanswered) + self._draft.asked.get(peer, 0)
        if unanswered >= MAX_UNANSWERED or unanswered - queue.late >= score.window:
            return 0
        if score.earned_at + self._draft.asked.get(peer, 0) * REQUEST_PRICE > self._now:
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
        owed = queue.blocks + self._draft.owed.get(peer, 0.0)
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
        if self.is_to_be_probed(peer):
            blocks = max(blocks, score.last_blocks) * PROBE_FACTOR
        return min(blocks, score.answer_limit)

    def is_to_be_probed(self, peer: PeerID) -> bool:
        """Whether its next request should ask for more, which tells what is overhead."""
        score = self._scores[peer]
        is_new = score.answers < len(FIRST_REQUESTS)
        return score.is_vague and (is_new or self._draft.count_turns(peer) == len(FIRST_REQUESTS))

    def _is_to_be_followed(self, peer: PeerID) -> bool:
        """
        Whether its next request should follow the one that is open, whatever it owes: of two at a
        time the second tells what is work, and what only the way.
        """
        score = self._scores[peer]
        is_open = score.is_vague or score.sure_overhead > REQUEST_TIME
        return is_open and not self._draft.count_turns(peer)

    def fit(
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
        return max(1.0, min(blocks, time / score.seconds_per_block, self._draft.room))

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
            begin = self._draft.owed.get(peer, 0.0) * score.seconds_per_block
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
        owed = sum(self._draft.owed.values())
        together = time_to_supply(standing.time_left * standing.rate - owed, supplies)
        # No sooner than at their rates so far: overhead may be our own link, which all wait for.
        return max(together, standing.time_left + (self._tracker.blocks + owed) / standing.rate)
