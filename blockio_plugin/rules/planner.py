"""
The planner: what to ask of whom, now.

A pure function of (wanted, availability, open requests, scores, clock index, now):

1. Peers that may be asked are lined up, the lowest score first; among scores alike the clock index,
   which rotates, decides who comes first. A peer that pauses, or that has let a request go by,
   waits; a new one gets small requests by right.
2. They take turns, one request at a time, as long as a peer owes less than its budget:
   ``request_sizes`` says how much each is asked for, and ``request_views`` for which views.
3. A peer for which nothing is wanted is asked for what others are slow to give: ``hedging``.
"""
from typing import List, Mapping, NamedTuple, Tuple

from blockio_plugin.rules.availability import AvailabilityTable
from blockio_plugin.rules.draft import Demand, Draft, Proposal
from blockio_plugin.rules.hedging import Hedging
from blockio_plugin.rules.request_sizes import RequestSizes
from blockio_plugin.rules.request_views import RequestViews
from blockio_plugin.rules.requests import PeerID, RequestTracker
from blockio_plugin.rules.scoring import Score


class Plan(NamedTuple):
    """What to ask, and whether a peer is left that could do more."""

    proposals: Tuple[Proposal, ...]
    is_idle: bool


def plan(
    demand: Demand,
    table: AvailabilityTable,
    tracker: RequestTracker,
    scores: Mapping[PeerID, Score],
    clock_index: int,
    now: float,
) -> Plan:
    """The requests to issue now; nothing that was passed in is changed."""
    draft = Draft(demand, table, tracker, scores, clock_index, now)
    sizes, hedging = RequestSizes(draft), Hedging(draft)
    proposals, idle = _ask(draft, sizes)
    is_idle = False
    for peer in idle:
        blocks = sizes.blocks_to_ask(peer)
        while blocks and demand.may_copy:
            copy = hedging.next_copy(peer, blocks)
            if copy is None:
                break
            proposals.append(draft.note(copy))
            blocks = sizes.blocks_to_ask(peer)
        is_idle = is_idle or blocks > 0
    if tracker.excused:
        sounding = hedging.next_sounding()
        if sounding is not None:
            proposals.append(draft.note(sounding))
    return Plan(tuple(proposals), is_idle)


def _ask(draft: Draft, sizes: RequestSizes) -> Tuple[List[Proposal], List[PeerID]]:
    """Ask for what is wanted; the peers that are left, for which nothing is, come with it."""
    views = RequestViews(draft, sizes)
    line = _line_up(draft)
    proposals: List[Proposal] = []
    idle: List[PeerID] = []
    while line and draft.room >= 1:
        served: List[PeerID] = []
        for peer in line:
            blocks = sizes.blocks_to_ask(peer)
            if not blocks or draft.room < 1:
                continue
            proposal = views.next_request(peer, blocks)
            if proposal is None:
                idle.append(peer)
            else:
                served.append(peer)
                proposals.append(draft.note(proposal))
        line = served
    return proposals, idle


def _line_up(draft: Draft) -> List[PeerID]:
    """The peers that may be asked, in the order of their turns."""
    peers = [
        peer
        for (peer, queue), score in zip(draft.tracker.queues.items(), draft.scores.values())
        if queue.blocks <= score.refill_below and score.paused_until <= draft.now
    ]
    if len(peers) > 1:
        start = draft.clock_index % len(peers)
        peers = peers[start:] + peers[:start]
        # Scores within a factor of two are alike: sorting is stable, so the clock decides.
        peers.sort(key=lambda peer: draft.scores[peer].octave)
    return peers
