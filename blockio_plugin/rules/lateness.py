"""
When an answer is late: against its peer's own estimate, and against the others.

A peer answers in order, so with one request all that it was asked after it is late too. Where our
own link is slow, or everybody is, nobody is late.
"""
from typing import List

from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import OpenRequest, PeerID

LATE_TIME = 1.0
"""Least seconds by which an answer is late, past the peer's own estimate."""

UNKNOWN_LATE_TIME = 8.0
"""Seconds after which the answer of a peer that was never measured is late."""

LATE_FACTOR = 2.5
"""An answer is not late before this many times the time that all blocks in flight take to arrive,
or that it would take if its peer were late by as much as others are."""

MAX_LATE_TIME = 90.0
"""Most seconds that an answer is waited for because the other peers are slow as well."""

QUIET_TIME = 3.0
"""Seconds that an answer is waited for where nobody better can be asked."""

SILENT_LINK_TIME = 30.0
"""Most seconds that an answer is waited for while nobody has answered anything yet: then it may be
our own link, and to ask again would only fill it more."""


def compute_deadline(peers: PeerBook, peer: PeerID, blocks: float, now: float) -> float:
    """When (s) a request to ``peer`` for ``blocks`` blocks, issued now, is to be answered."""
    score, queue = peers.scores[peer], peers.tracker.queue(peer)
    if not score.known:
        return now + UNKNOWN_LATE_TIME
    expected = score.round_trip + score.overhead * len(queue.unanswered)
    expected += score.service_time(queue.blocks + blocks)
    return now + expected + max(LATE_TIME, expected)


def expire_requests(peers: PeerBook, now: float) -> List[OpenRequest]:
    """Mark as late what is, and hold it against its peer. Others' deadlines are put off."""
    late: List[OpenRequest] = []
    for entry in peers.tracker.overdue(now):
        if entry.is_late:
            continue
        peer = entry.request.peer
        front = peers.tracker.queue(peer).front
        if front is not entry and front.deadline > now:
            # It has to answer that one first.
            peers.tracker.extend(entry, front.deadline)
            continue
        if _is_excused(peers, entry, now):
            peers.tracker.extend(entry, now + LATE_TIME)
            continue
        peers.scores[peer].timed_out(now)
        for behind in tuple(peers.tracker.queue(peer).unanswered.values()):
            if not behind.is_late:
                peers.tracker.mark_late(behind)
                late.append(behind)
    return late


def _is_excused(peers: PeerBook, entry: OpenRequest, now: float) -> bool:
    """Whether to go on waiting, since our link or everybody is slow, or nobody better is there."""
    waited = now - entry.request.issued_at
    if not peers.arrivals.total and not _is_overtaken(peers, entry, entry.request.issued_at):
        return waited < SILENT_LINK_TIME
    if waited < LATE_FACTOR * peers.compute_link_time(now):
        # Unless what others were asked after this should have been here came through the link.
        if not _is_overtaken(peers, entry, entry.request.deadline):
            return True
    if waited > MAX_LATE_TIME:
        return False
    if not _is_another_better(peers, entry, waited, now):
        pace = peers.arrivals.block_time * peers.tracker.blocks
        return waited < max(LATE_FACTOR * pace, QUIET_TIME)
    # By how much those were late who have answered meanwhile. Where they came in time, it is no
    # excuse that they are slow.
    lateness = [
        score.lateness
        for peer, score in peers.scores.items()
        if peer != entry.request.peer and score.known and score.last_arrival >= now - waited / 2
    ]
    slowed = max(lateness, default=0.0)
    allowed = entry.request.deadline - entry.request.issued_at
    if slowed < 1 or waited >= LATE_FACTOR * slowed * allowed:
        return False
    is_known = peers.scores[entry.request.peer].known
    return is_known or not _is_overtaken(peers, entry, entry.request.deadline)


def _is_overtaken(peers: PeerBook, entry: OpenRequest, since: float) -> bool:
    """Whether another peer has answered, be it without a block, what it was asked after then."""
    return any(
        score.answered_to > since
        for peer, score in peers.scores.items()
        if peer != entry.request.peer
    )


def _is_another_better(
    peers: PeerBook, entry: OpenRequest, waited: float, now: float
) -> bool:
    """Whether a peer that is idle, or has just answered, may be asked for the same views."""
    for peer, score in peers.scores.items():
        queue = peers.tracker.queue(peer)
        if (
            peer != entry.request.peer
            and score.known
            and not queue.late
            and score.paused_until <= now
            and (not queue.unanswered or score.last_arrival >= now - waited / 2)
            and peers.availability.may_ask(peer, entry.request.views.start, now)
        ):
            return True
    return False
