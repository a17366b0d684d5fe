"""
Who covers what: adverts, shrunk by what was disproved, and the view line cut into segments.

A segment is a stretch of views that the same peers advertise. Segments with the same holders form a
class: what is left to fetch in a class is up to the same peers, wherever its views lie. Only the
stretch that planning looks at is cut up, and only when an advert changed.
"""
from bisect import bisect_right
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from blockio_plugin.rules.exclusions import Exclusions
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, ViewRanges, clip, range_at

MAX_SEGMENTS = 256
"""Most segments cut. Views past the last one wait until nothing below them is wanted any more."""

EXCLUDED_TIME = 20.0
"""Seconds for which a peer is not asked for views about which it was found wrong. It may have them
by then, and what it is asked for in vain uses up its credit."""


class Segment(NamedTuple):
    """Views that the same peers advertise; ``holders`` in the order in which they joined."""

    start: int
    stop: int
    holders: Tuple[PeerID, ...]


class Partition(NamedTuple):
    """A stretch of the view line, cut into segments."""

    views: ViewRange
    segments: Tuple[Segment, ...]


class PeerAvailability:
    """What one peer advertises, and what of it is not asked for."""

    __slots__ = ("head_view", "ranges", "disproved", "resting")

    def __init__(self) -> None:
        self.head_view = 0
        self.ranges: ViewRanges = ()
        self.disproved = Exclusions()
        """Views about which it was found wrong."""
        self.resting = Exclusions()
        """Views that others are asked for first, though it was not found wrong about them."""


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
        """Take a newer advert in the place of the older one."""
        entry = self._peers[peer]
        entry.head_view = head_view
        if ranges != entry.ranges:
            entry.ranges = ranges
            self.version += 1

    def disprove(self, peer: PeerID, views: ViewRange, now: float) -> None:
        """
        ``peer`` was found wrong about ``views``: it is not asked for them for a while. Peers that
        are gone are ignored.
        """
        entry = self._peers.get(peer)
        if entry is not None:
            entry.disproved.add(views, now + EXCLUDED_TIME, now)

    def rest(self, peer: PeerID, views: ViewRange, until: float, now: float) -> None:
        """Ask others than ``peer`` for ``views`` until then; peers that are gone are ignored."""
        entry = self._peers.get(peer)
        if entry is not None:
            entry.resting.add(views, until, now)

    def forgive(self, peer: PeerID) -> None:
        """Ask ``peer`` again for all that it advertises."""
        entry = self._peers[peer]
        entry.disproved = Exclusions()
        entry.resting = Exclusions()

    def next_excluded(self, peer: PeerID, view: int, now: float) -> Optional[ViewRange]:
        """The lowest range that ``peer`` is not asked for and that does not lie below ``view``."""
        entry = self._peers[peer]
        disproved = entry.disproved.find(view, now) if len(entry.disproved) else None
        resting = entry.resting.find(view, now) if len(entry.resting) else None
        if disproved is None or resting is None:
            return resting if disproved is None else disproved
        return min(disproved, resting)

    def excluded(self, peer: PeerID, base: int, now: float) -> Optional[ViewSet]:
        """All views from ``base`` on that ``peer`` is not asked for now; None: there are none."""
        entry = self._peers[peer]
        kinds = [kind.views(base, now) for kind in (entry.disproved, entry.resting) if len(kind)]
        if not kinds:
            return None
        return kinds[0] if len(kinds) == 1 else kinds[0] | kinds[1]

    def exclusions(self, peer: PeerID) -> int:
        """How many ranges ``peer`` is not asked for in spite of its advert."""
        entry = self._peers[peer]
        return max(len(entry.disproved), len(entry.resting))

    def covering(self, peer: PeerID, view: int) -> Optional[ViewRange]:
        """The advertised range of ``peer`` that holds ``view``, whatever is excluded."""
        return range_at(self._peers[peer].ranges, view)

    def covered(self, peer: PeerID) -> int:
        """How many views ``peer`` advertises."""
        return sum(stop - start for start, stop in self._peers[peer].ranges)

    def head_view(self, peer: PeerID) -> int:
        """The view of the highest block that ``peer`` says it holds."""
        return self._peers[peer].head_view

    def is_excluded(self, peer: PeerID, view: int, now: float) -> bool:
        """Whether ``peer`` is not asked for ``view`` in spite of its advert."""
        entry = self._peers[peer]
        return entry.disproved.holds(view, now) or entry.resting.holds(view, now)

    def is_disproved(self, peer: PeerID, view: int, now: float) -> bool:
        """Whether ``peer`` was found wrong about ``view``."""
        return self._peers[peer].disproved.holds(view, now)

    def may_ask(self, peer: PeerID, view: int, now: float) -> bool:
        """Whether ``peer`` advertises ``view`` and is not excluded from it."""
        entry = self._peers[peer]
        return range_at(entry.ranges, view) is not None and not self.is_excluded(peer, view, now)

    def __iter__(self) -> Iterator[PeerID]:
        return iter(self._peers)

    def partition(self, views: ViewRange, wanted: Optional[ViewSet] = None) -> Partition:
        """
        Cut ``views`` at every end of an advertised range; cut short at ``MAX_SEGMENTS``.

        :param wanted: ranges in which none of these views lies count as not advertised
        """
        clipped: Dict[PeerID, ViewRanges] = {}
        cuts: Set[int] = {views.start, views.stop}
        for peer, entry in self._peers.items():
            if wanted is None:
                ranges = clip(entry.ranges, views, MAX_SEGMENTS)
            else:
                ranges = _clip_to_wanted(entry.ranges, views, wanted)
            if ranges:
                clipped[peer] = ranges
                for view_range in ranges:
                    cuts.update(view_range)
        bounds = sorted(cuts)[: MAX_SEGMENTS + 1]
        index = {bound: number for number, bound in enumerate(bounds)}
        holders: List[List[PeerID]] = [[] for _ in bounds[1:]]
        for peer, ranges in clipped.items():
            mine: List[int] = []
            for start, stop in ranges:
                if start >= bounds[-1]:
                    break
                mine.extend(range(index[start], index.get(stop, len(bounds) - 1)))
            for number in mine:
                holders[number].append(peer)
        # Equal tuples are made one, so that a class is found by identity and stored once.
        unique: Dict[Tuple[PeerID, ...], Tuple[PeerID, ...]] = {}
        segments = tuple(
            Segment(start, stop, unique.setdefault(tuple(who), tuple(who)))
            for start, stop, who in zip(bounds, bounds[1:], holders)
        )
        return Partition(ViewRange(bounds[0], bounds[-1]), segments)


def _clip_to_wanted(ranges: ViewRanges, views: ViewRange, wanted: ViewSet) -> ViewRanges:
    """The lowest ``MAX_SEGMENTS`` parts of ``ranges`` in ``views`` in which anything is wanted."""
    found: List[ViewRange] = []
    at = wanted.next_at(views.start)
    while at is not None and at < views.stop and len(found) < MAX_SEGMENTS:
        index = bisect_right(ranges, (at, VIEW_LIMIT)) - 1
        if index < 0 or ranges[index].stop <= at:
            index += 1
            if index == len(ranges):
                break
            at = wanted.next_at(ranges[index].start)
        else:
            start, stop = ranges[index]
            found.append(ViewRange(max(start, views.start), min(stop, views.stop)))
            at = wanted.next_at(stop)
    return tuple(found)
