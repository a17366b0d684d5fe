"""
Who covers what: adverts, shrunk by what was disproved, and the view line cut into segments.

A segment is a stretch of views that the same peers advertise. Segments with the same holders form a
class: what is left to fetch in a class is up to the same peers, wherever its views lie. Only the
stretch that planning looks at is cut up, and only when an advert changed.
"""
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.views import ViewRange, ViewRanges, clip, range_at

MAX_SEGMENTS = 256
"""Segments cut, most; views past the last one wait until the front has moved on."""

DECLINED_TIME = 10.0
"""Seconds for which a peer is not asked again for views that it declined."""

DECLINED_GROWTH = 4
"""A decline right after another is taken to be about this many times as many views."""

DECLINED_VIEWS = 64
"""Views that a first decline is taken to be about, at least."""

MAX_EXCLUSIONS = 256
"""Ranges that one peer is not asked for in spite of its advert, most; the oldest give way."""


class Segment(NamedTuple):
    """Views that the same peers advertise; ``holders`` in the order in which they joined."""

    start: int
    stop: int
    holders: Tuple[PeerID, ...]


class Partition(NamedTuple):
    """A stretch of the view line, cut into segments, and which of them each peer advertises."""

    views: ViewRange
    segments: Tuple[Segment, ...]
    of_peer: Dict[PeerID, Tuple[int, ...]]


class Exclusion(NamedTuple):
    """A peer is not asked for ``views`` before ``until`` (s), or before it advertises anew."""

    views: ViewRange
    until: float


class PeerAvailability:
    """What one peer advertises, and what of it is not believed."""

    __slots__ = ("head_view", "ranges", "exclusions")

    def __init__(self) -> None:
        self.head_view = 0
        self.ranges: ViewRanges = ()
        self.exclusions: List[Exclusion] = []


class AvailabilityTable:
    """The adverts of all peers."""

    def __init__(self) -> None:
        self._peers: Dict[PeerID, PeerAvailability] = {}
        self.version = 0
        """Changes whenever an advert does."""

    def join(self, peer: PeerID) -> None:
        """A peer that covers nothing yet."""
        self._peers[peer] = PeerAvailability()

    def leave(self, peer: PeerID) -> None:
        """The peer is gone."""
        if self._peers.pop(peer).ranges:
            self.version += 1

    def advertise(self, peer: PeerID, head_view: int, ranges: ViewRanges) -> None:
        """Take a newer advert in the place of the older one; what was disproved may be true now."""
        entry = self._peers[peer]
        entry.head_view = head_view
        entry.exclusions = []
        if ranges != entry.ranges:
            entry.ranges = ranges
            self.version += 1

    def exclude(self, peer: PeerID, views: ViewRange, until: float) -> None:
        """Do not ask ``peer`` for ``views`` before ``until``; unknown peers are ignored."""
        entry = self._peers.get(peer)
        if entry is not None:
            entry.exclusions.append(Exclusion(views, until))
            del entry.exclusions[:-MAX_EXCLUSIONS]

    def declined(self, peer: PeerID, views: ViewRange, declines: int, now: float) -> None:
        """
        ``peer`` declined ``views``, its ``declines``-th in a row. It may hold far less than it
        advertises: each decline in a row shrinks its advert by more, so that few are needed to come
        to views that it holds.
        """
        length = max(views.length, DECLINED_VIEWS) * DECLINED_GROWTH ** min(declines - 1, 20)
        covering = self.covering(peer, views.start)
        if covering is not None:
            stop = max(views.stop, min(views.start + length, covering.stop))
            self.exclude(peer, ViewRange(views.start, stop), now + DECLINED_TIME)

    def excluded(self, peer: PeerID) -> List[Exclusion]:
        """What ``peer`` is not asked for in spite of its advert."""
        return self._peers[peer].exclusions

    def covering(self, peer: PeerID, view: int) -> Optional[ViewRange]:
        """The advertised range of ``peer`` that holds ``view``, whatever is excluded."""
        return range_at(self._peers[peer].ranges, view)

    def head_view(self, peer: PeerID) -> int:
        """The view of the highest block that ``peer`` says it holds."""
        return self._peers[peer].head_view

    def may_ask(self, peer: PeerID, view: int, now: float) -> bool:
        """Whether ``peer`` advertises ``view`` and is not excluded from it."""
        entry = self._peers[peer]
        return range_at(entry.ranges, view) is not None and not any(
            view in exclusion.views and now < exclusion.until for exclusion in entry.exclusions
        )

    def __iter__(self) -> Iterator[PeerID]:
        return iter(self._peers)

    def partition(self, views: ViewRange) -> Partition:
        """Cut ``views`` at every end of an advertised range; cut short at ``MAX_SEGMENTS``."""
        clipped: Dict[PeerID, ViewRanges] = {}
        cuts: Set[int] = {views.start, views.stop}
        for peer, entry in self._peers.items():
            ranges = clip(entry.ranges, views)[:MAX_SEGMENTS]
            if ranges:
                clipped[peer] = ranges
                for view_range in ranges:
                    cuts.update(view_range)
        bounds = sorted(cuts)[: MAX_SEGMENTS + 1]
        index = {bound: number for number, bound in enumerate(bounds)}
        holders: List[List[PeerID]] = [[] for _ in bounds[1:]]
        of_peer: Dict[PeerID, Tuple[int, ...]] = {}
        for peer, ranges in clipped.items():
            mine: List[int] = []
            for start, stop in ranges:
                if start >= bounds[-1]:
                    break
                mine.extend(range(index[start], index.get(stop, len(bounds) - 1)))
            of_peer[peer] = tuple(mine)
            for number in mine:
                holders[number].append(peer)
        # Equal tuples are made one, so that a class is found by identity and stored once.
        unique: Dict[Tuple[PeerID, ...], Tuple[PeerID, ...]] = {}
        segments = tuple(
            Segment(start, stop, unique.setdefault(tuple(who), tuple(who)))
            for start, stop, who in zip(bounds, bounds[1:], holders)
        )
        return Partition(ViewRange(bounds[0], bounds[-1]), segments, of_peer)
