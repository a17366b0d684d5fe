"""
Sets of views as offset bitmaps: a base view, and a roaring bitmap of what lies above it.

This is the one place that touches ``pyroaring``. Its traps, each met here: ``next_set_bit`` past
the last element raises and leaks memory, so one bit past all views is always set; arguments past
2**32 are dropped or wrapped without a word, so each is clamped; ``repr`` and ``deserialize`` are
not used.
"""
from itertools import islice
from typing import Iterable, Iterator, Optional, Tuple

from pyroaring import BitMap

from blockio_plugin.rules.views import ViewRange, ViewRanges

MAX_WIDTH = 2 ** 32 - 2
"""Views that one set can tell apart, from its base on (the bitmap's 32 bits, less a margin)."""

LAST_BIT = 2 ** 32 - 1
"""Set in every bitmap and stands for no view: looking for the next bit always finds one."""

RUN_SPAN = 2 ** 16
"""Views looked at first when runs are listed: one container of the bitmap."""


class ViewSet:
    """
    A set of views in ``[base, base + MAX_WIDTH)``. What lies outside is never in it.

    Ranges given to it may reach outside; they are clamped. Two sets that are combined must have
    the same base.
    """

    __slots__ = ("_base", "_bits")

    def __init__(self, base: int = 0, ranges: Iterable[Tuple[int, int]] = ()) -> None:
        self._base = base
        self._bits = BitMap([LAST_BIT])
        for start, stop in ranges:
            self.add(start, stop)

    @property
    def base(self) -> int:
        """The lowest view that can be in the set."""
        return self._base

    def _clamp(self, start: int, stop: int) -> Tuple[int, int]:
        low, high = start - self._base, stop - self._base
        if 0 <= low and high <= MAX_WIDTH:
            # Nearly always, and all that is booked comes by here. Where low is not below high,
            # the callers leave it alone.
            return low, high
        return min(max(low, 0), MAX_WIDTH), min(max(high, 0), MAX_WIDTH)

    def add(self, start: int, stop: int) -> None:
        """Put the views ``[start, stop)`` in."""
        low, high = self._clamp(start, stop)
        if low < high:
            self._bits.add_range(low, high)

    def add_views(self, views: Iterable[int]) -> None:
        """Put single views in; each must lie within the width of the set."""
        base = self._base
        self._bits.update([view - base for view in views])

    def remove_views(self, views: Iterable[int]) -> None:
        """Take single views out; those outside the width of the set are not in it anyway."""
        base = self._base
        offsets = [view - base for view in views if 0 <= view - base < MAX_WIDTH]
        self._bits.difference_update(BitMap(offsets))

    def remove(self, start: int, stop: int) -> None:
        """Take the views ``[start, stop)`` out."""
        low, high = self._clamp(start, stop)
        if low < high:
            self._bits.remove_range(low, high)

    def __contains__(self, view: int) -> bool:
        offset = view - self._base
        return 0 <= offset < MAX_WIDTH and offset in self._bits

    def __len__(self) -> int:
        return len(self._bits) - 1

    def __bool__(self) -> bool:
        return bool(self._bits.min() != LAST_BIT)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ViewSet):
            return NotImplemented
        return self._base == other._base and bool(self._bits == other._bits)

    __hash__ = None  # type: ignore[assignment]

    def next_at(self, view: int) -> Optional[int]:
        """The lowest view of the set at or above ``view``, or None."""
        offset = view - self._base
        if offset >= MAX_WIDTH:
            return None
        found: int = self._bits.next_set_bit(offset if offset > 0 else 0)
        return None if found == LAST_BIT else found + self._base

    def previous(self, view: int) -> Optional[int]:
        """The highest view of the set below ``view``, or None."""
        offset = min(view - self._base, MAX_WIDTH)
        below = self._bits.rank(offset - 1) if offset > 0 else 0
        return int(self._bits[below - 1]) + self._base if below else None

    def next_missing(self, view: int) -> int:
        """The lowest view at or above ``view`` that is missing; O(log of the run's length)."""
        bits = self._bits
        low = max(view - self._base, 0)
        if low >= MAX_WIDTH or low not in bits:
            return low + self._base
        step = 1
        while bits.contains_range(low, min(low + step, MAX_WIDTH)) and low + step < MAX_WIDTH:
            low += step
            step *= 2
        # What is missing lies in [low, low + step); low itself may be it.
        high = min(low + step, MAX_WIDTH)
        while low < high:
            middle = (low + high) // 2
            if bits.contains_range(low, middle + 1):
                low = middle + 1
            else:
                high = middle
        return low + self._base

    def covers(self, start: int, stop: int) -> bool:
        """Whether every view of ``[start, stop)`` is in the set."""
        if start < self._base or stop > self._base + MAX_WIDTH:
            return False
        return bool(self._bits.contains_range(start - self._base, stop - self._base))

    def count(self, start: int, stop: int) -> int:
        """How many views of ``[start, stop)`` are in the set."""
        low, high = self._clamp(start, stop)
        return int(self._bits.range_cardinality(low, high)) if low < high else 0

    def runs(self, start: int, stop: int) -> Iterator[ViewRange]:
        """The runs of the set inside ``[start, stop)``, ascending; found piece by piece."""
        low, limit = self._clamp(start, stop)
        span = RUN_SPAN
        pending: Optional[ViewRange] = None
        while low < limit:
            low = self._bits.next_set_bit(low)
            if low >= limit:
                break
            high = min(low + span, limit)
            # Shifted down to zero, the piece costs what it holds and not what lies below it.
            piece = (self._bits & BitMap(range(low, high))).shift(-low)
            above = piece.shift(1)
            starts: Iterable[int] = piece - above
            ends: Iterable[int] = above - piece
            for first, end in zip(starts, ends):
                run = ViewRange(first + low + self._base, end + low + self._base)
                if pending is not None and pending.stop == run.start:
                    run = ViewRange(pending.start, run.stop)
                elif pending is not None:
                    yield pending
                pending = run
            low, span = high, span * 4
        if pending is not None:
            yield pending

    def first_runs(self, start: int, stop: int, limit: int) -> ViewRanges:
        """The lowest ``limit`` runs of the set inside ``[start, stop)``."""
        return tuple(islice(self.runs(start, stop), limit))

    def _check_base(self, other: "ViewSet") -> None:
        if self._base != other._base:
            raise ValueError(f"sets based at {self._base} and {other._base} do not combine")

    def _combined(self, other: "ViewSet", bits: BitMap) -> "ViewSet":
        self._check_base(other)
        result = ViewSet(self._base)
        bits.add(LAST_BIT)
        result._bits = bits
        return result

    def __or__(self, other: "ViewSet") -> "ViewSet":
        return self._combined(other, self._bits | other._bits)

    def __and__(self, other: "ViewSet") -> "ViewSet":
        return self._combined(other, self._bits & other._bits)

    def __sub__(self, other: "ViewSet") -> "ViewSet":
        return self._combined(other, self._bits - other._bits)

    def update(self, other: "ViewSet") -> None:
        """Put all views of ``other`` in."""
        self._check_base(other)
        self._bits |= other._bits

    def rebase(self, base: int) -> None:
        """Move the base; views that then lie outside are dropped."""
        shift = self._base - base
        # The bitmap wraps or drops what a shift pushes past its 32 bits: cut it away first.
        if shift > 0:
            self._bits.remove_range(max(MAX_WIDTH - shift, 0), MAX_WIDTH)
        self._bits.remove(LAST_BIT)
        self._bits = BitMap() if abs(shift) >= MAX_WIDTH else self._bits.shift(shift)
        self._bits.add(LAST_BIT)
        self._base = base
