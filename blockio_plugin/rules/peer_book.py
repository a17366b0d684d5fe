"""What is known of the peers: adverts, scores, open requests. Several fetches may share it."""
from typing import Dict, Iterator, List, Sequence, Tuple

from typing_extensions import Protocol

from blockio_plugin.rules.arrival_rate import ArrivalRate
from blockio_plugin.rules.availability import AvailabilityTable
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.requests import OpenRequest, PeerID, RequestTracker
from blockio_plugin.rules.scoring import Score
from blockio_plugin.rules.views import ViewRange

QUIET_FACTOR = 2.5
"""A link counts as full until nothing arrives for this many times what its oldest answer takes."""

QUIET_TIME = 1.0
"""Seconds, on top of that."""


class SharingFetch(Protocol):
    """A fetch as the others that share its peers see it: each is told what any of them does."""

    def note_issued(self, views: ViewRange) -> None:
        """``views`` were asked for."""

    def note_returned(self, entry: OpenRequest) -> None:
        """A request will bring nothing."""

    def note_left(self, peer: PeerID) -> None:
        """A peer is gone."""

    def note_answered(
        self,
        entry: OpenRequest,
        covered: ViewRange,
        next_view: int,
        blocks: Sequence[Block],
        now: float,
    ) -> object:
        """A request was answered."""


class PeerBook:
    """All connected peers, in the order in which they joined."""

    def __init__(self) -> None:
        self.availability = AvailabilityTable()
        self.tracker = RequestTracker()
        self.arrivals = ArrivalRate()
        self.scores: Dict[PeerID, Score] = {}
        self.fetches: List[SharingFetch] = []
        """All fetches that ask these peers."""

    def join(self, peer: PeerID) -> None:
        """A peer connected; it covers nothing until it advertises."""
        self.availability.join(peer)
        self.tracker.join(peer)
        self.scores[peer] = Score()

    def leave(self, peer: PeerID) -> Tuple[OpenRequest, ...]:
        """A peer is gone; its open requests are returned."""
        self.availability.leave(peer)
        del self.scores[peer]
        return self.tracker.leave(peer)

    def compute_link_time(self, now: float) -> float:
        """Seconds that our link needs for all blocks in flight, where it is full; else 0."""
        block_time = self.arrivals.link_block_time
        if not block_time or not len(self.tracker):
            return 0.0
        # A full link is never quiet for much longer than one answer takes.
        longest = QUIET_FACTOR * block_time * next(self.tracker.open_requests()).blocks
        if self.arrivals.is_quiet(QUIET_TIME + longest, now):
            return 0.0
        return self.tracker.blocks * block_time

    def __contains__(self, peer: object) -> bool:
        return peer in self.scores

    def __iter__(self) -> Iterator[PeerID]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)
