"""Views that one peer is not asked for in spite of its advert, each range until some time."""
from bisect import bisect_left, bisect_right
from math import inf
from typing import List, Optional

from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange

MAX_EXCLUSIONS = 1024
"""Most ranges that one peer is not asked for. Past that, those nearest to each other become one: a
peer that is wrong that often is left out of a little more, and never asked again in a loop."""

MERGED_SHARE = 4
"""One in so many of the ranges is merged at a time, so that merging is rare."""


class Exclusions:
    """Disjoint ranges in ascending order, each with the time (s) at which it ends."""

    __slots__ = ("_starts", "_stops", "_until", "_views", "_views_until")

    def __init__(self) -> None:
        self._starts: List[int] = []
        self._stops: List[int] = []
        self._until: List[float] = []
        # All of them as one set, and until when it holds.
        self._views = ViewSet()
        self._views_until = -inf

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, views: ViewRange, until: float, now: float) -> None:
        """Leave out ``views`` until then; what they overlap or touch joins them in one range."""
        start, stop = views
        if start >= stop:
            return
        low = bisect_left(self._stops, start)
        high = bisect_right(self._starts, stop)
        for index in range(low, high):
            if self._until[index] > now:
                start = min(start, self._starts[index])
                stop = max(stop, self._stops[index])
                until = max(until, self._until[index])
        self._starts[low:high] = [start]
        self._stops[low:high] = [stop]
        self._until[low:high] = [until]
        self._views_until = -inf
        if len(self) > MAX_EXCLUSIONS:
            self._forget_ended(now)
        if len(self) > MAX_EXCLUSIONS:
            self._merge_nearest()

    def _forget_ended(self, now: float) -> None:
        left = [index for index, until in enumerate(self._until) if until > now]
        self._starts = [self._starts[index] for index in left]
        self._stops = [self._stops[index] for index in left]
        self._until = [self._until[index] for index in left]

    def _merge_nearest(self) -> None:
        gaps = sorted(
            range(1, len(self)), key=lambda index: self._starts[index] - self._stops[index - 1]
        )
        merged = set(gaps[: MAX_EXCLUSIONS // MERGED_SHARE])
        starts: List[int] = []
        stops: List[int] = []
        untils: List[float] = []
        for index, (start, stop, until) in enumerate(zip(self._starts, self._stops, self._until)):
            if index in merged:
                stops[-1] = stop
                untils[-1] = max(untils[-1], until)
            else:
                starts.append(start)
                stops.append(stop)
                untils.append(until)
        self._starts, self._stops, self._until = starts, stops, untils

    def views(self, base: int, now: float) -> ViewSet:
        """What is left out now of the views from ``base`` on; not to be changed."""
        if now >= self._views_until or self._views.base != base:
            self._forget_ended(now)
            self._views = ViewSet(base, zip(self._starts, self._stops))
            self._views_until = min(self._until, default=inf)
        return self._views

    def find(self, view: int, now: float) -> Optional[ViewRange]:
        """The lowest range left out now that does not lie below ``view``; None: there is none."""
        for index in range(bisect_right(self._stops, view), len(self)):
            if self._until[index] > now:
                return ViewRange(self._starts[index], self._stops[index])
        return None

    def holds(self, view: int, now: float) -> bool:
        """Whether ``view`` is left out now."""
        index = bisect_right(self._stops, view)
        return index < len(self) and self._starts[index] <= view and self._until[index] > now
