"""A view set as a sorted list of ranges, searched by bisection: what the bitmap is held against."""
from bisect import bisect_right
from heapq import merge
from typing import List, Optional, Sequence, Tuple


class RangeList:
    """A set of views as sorted, disjoint ranges."""

    def __init__(self, ranges: Sequence[Tuple[int, int]]) -> None:
        self._starts = [start for start, _ in ranges]
        self._stops = [stop for _, stop in ranges]

    def next_at(self, view: int) -> Optional[int]:
        """The lowest view of the set at or above ``view``."""
        index = bisect_right(self._stops, view)
        return max(view, self._starts[index]) if index < len(self._starts) else None

    def ranges(self) -> List[Tuple[int, int]]:
        """All ranges."""
        return list(zip(self._starts, self._stops))

    def first_runs(self, view: int, limit: int) -> List[Tuple[int, int]]:
        """The lowest ``limit`` ranges from ``view`` on."""
        index = bisect_right(self._stops, view)
        end = index + limit
        runs = list(
            zip(self._starts[index:end], self._stops[index:end])
        )
        if runs:
            runs[0] = (max(view, runs[0][0]), runs[0][1])
        return runs

    def __or__(self, other: "RangeList") -> "RangeList":
        result: List[Tuple[int, int]] = []
        for start, stop in merge(self.ranges(), other.ranges()):
            if result and start <= result[-1][1]:
                if stop > result[-1][1]:
                    result[-1] = (result[-1][0], stop)
            else:
                result.append((start, stop))
        return RangeList(result)

    def __and__(self, other: "RangeList") -> "RangeList":
        result: List[Tuple[int, int]] = []
        here, there = 0, 0
        while here < len(self._starts) and there < len(other._starts):
            start = max(self._starts[here], other._starts[there])
            stop = min(self._stops[here], other._stops[there])
            if start < stop:
                result.append((start, stop))
            if self._stops[here] < other._stops[there]:
                here += 1
            else:
                there += 1
        return RangeList(result)

    def __sub__(self, other: "RangeList") -> "RangeList":
        result: List[Tuple[int, int]] = []
        there = 0
        for start, stop in self.ranges():
            while there < len(other._starts) and other._stops[there] <= start:
                there += 1
            following = there
            while following < len(other._starts) and other._starts[following] < stop:
                if start < other._starts[following]:
                    result.append((start, other._starts[following]))
                start = max(start, other._stops[following])
                following += 1
            if start < stop:
                result.append((start, stop))
        return RangeList(result)
