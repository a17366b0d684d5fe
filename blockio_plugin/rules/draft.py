"""
What a run of the planner has proposed so far, beside what it looks at.

The draft is the only thing that changes in such a run. What is passed in stays as it is.
"""
from typing import Dict, List, Mapping, NamedTuple, Optional, Set

from blockio_plugin.rules.availability import AvailabilityTable, Partition
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS
from blockio_plugin.rules.ranking import Ranking
from blockio_plugin.rules.requests import OpenRequest, PeerID, RequestTracker
from blockio_plugin.rules.scoring import PROBE_EVERY, Score
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange

SPARE = 1.5
"""Blocks allowed over blocks expected, where views are only likely to hold one."""


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


class Draft:
    """The proposals of one run, and what is asked and owed with them."""

    def __init__(
        self,
        demand: Demand,
        table: AvailabilityTable,
        tracker: RequestTracker,
        scores: Mapping[PeerID, Score],
        clock_index: int,
        now: float,
    ) -> None:
        self.demand = demand
        self.table = table
        self.tracker = tracker
        self.scores = scores
        self.clock_index = clock_index
        self.now = now
        self.room = demand.room
        """Blocks that may still be asked for."""
        self.owed: Dict[PeerID, float] = {}
        """Blocks that the proposals so far will likely bring, by peer."""
        self.asked: Dict[PeerID, int] = {}
        """How many proposals there are, by peer."""
        self.copied: Dict[PeerID, List[ViewRange]] = {}
        """The views of proposed copies, by peer."""
        self.copied_of: Dict[int, List[ViewRange]] = {}
        """The same by the id of the request that they are copies of."""
        self.probed: Set[int] = set()
        """The ids of the requests for whose views a probe is proposed."""

    def note(self, proposal: Proposal) -> Proposal:
        """Count ``proposal`` as asked."""
        peer = proposal.peer
        self.owed[peer] = self.owed.get(peer, 0.0) + proposal.blocks
        self.asked[peer] = self.asked.get(peer, 0) + 1
        if proposal.copy_of is None:
            self.room -= proposal.blocks
        elif proposal.is_probe:
            self.probed.add(proposal.copy_of.request.request_id)
        else:
            copied = self.copied_of.setdefault(proposal.copy_of.request.request_id, [])
            copied.append(proposal.views)
            self.copied.setdefault(peer, []).append(proposal.views)
        return proposal

    def count_turns(self, peer: PeerID) -> int:
        """Where the peer stands between two probes."""
        return (self.tracker.queues[peer].issued + self.asked.get(peer, 0)) % PROBE_EVERY

    def cap(self, peer: PeerID, blocks: int) -> int:
        """``blocks``, within what the peer and the protocol allow in one answer."""
        return max(1, min(blocks, int(self.scores[peer].answer_limit), MAX_ANSWER_BLOCKS))

    def first_unanswered(self, view: int) -> int:
        """The lowest view from ``view`` on, and not resolved, that nobody answered for."""
        return self.demand.answered.next_missing(max(view, self.demand.front))
