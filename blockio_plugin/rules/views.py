"""
Views and view ranges.

A view is the number of a consensus round. A range is half-open, ``[start, stop)``. Collections of
ranges are tuples that are sorted, disjoint and not adjacent: *normal*.
"""
from bisect import bisect_right
from typing import Iterable, List, NamedTuple, Optional, Tuple

VIEW_LIMIT = 2 ** 63
"""Views are below this (the wire protocol covers no view of 2**63 or more)."""


class ViewRange(NamedTuple):
    """The views ``start <= view < stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many views lie in the range."""
        return self.stop - self.start

    def __contains__(self, view: object) -> bool:
        return isinstance(view, int) and self.start <= view < self.stop

    def __str__(self) -> str:
        return f"{self.start}-{self.stop - 1}" if self.length > 1 else str(self.start)


ViewRanges = Tuple[ViewRange, ...]
"""Normal: sorted, disjoint, not adjacent, none empty."""


def normalise(ranges: Iterable[Tuple[int, int]]) -> ViewRanges:
    """Sort ``ranges``, drop empty ones and merge those that overlap or touch."""
    merged: List[ViewRange] = []
    for start, stop in sorted(ranges):
        if start >= stop:
            continue
        if merged and start <= merged[-1].stop:
            merged[-1] = ViewRange(merged[-1].start, max(stop, merged[-1].stop))
        else:
            merged.append(ViewRange(start, stop))
    return tuple(merged)


def clip(ranges: ViewRanges, window: ViewRange, most: Optional[int] = None) -> ViewRanges:
    """The lowest ``most`` parts of the normal ``ranges`` inside ``window``; O(log n + result)."""
    clipped: List[ViewRange] = []
    # The last range that starts at or below the window may reach into it.
    index = max(0, bisect_right(ranges, (window.start, VIEW_LIMIT)) - 1)
    for start, stop in ranges[index:] if most is None else ranges[index : index + most + 1]:
        if start >= window.stop or len(clipped) == most:
            break
        low, high = max(start, window.start), min(stop, window.stop)
        if low < high:
            clipped.append(ViewRange(low, high))
    return tuple(clipped)


def range_at(ranges: ViewRanges, view: int) -> Optional[ViewRange]:
    """The range of the normal ``ranges`` that holds ``view``, or None; O(log n)."""
    index = bisect_right(ranges, (view, VIEW_LIMIT)) - 1
    if index >= 0 and ranges[index].stop > view:
        return ranges[index]
    return None
