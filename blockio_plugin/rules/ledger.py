"""
The ledger: what is wanted, in flight or answered, of the views from the front to the horizon.

Each view there is in at least one of the three sets, and a wanted one in no other. A view can be
in flight and answered at once: when a second answer for it is still to come. Views past the horizon
are all wanted; the horizon moves on as the lowest wanted view does, so that bitmaps stay narrow.
"""
from typing import Iterable, Optional

from blockio_plugin.rules.view_set import MAX_WIDTH, ViewSet
from blockio_plugin.rules.views import ViewRange

HORIZON_VIEWS = 2 ** 24
"""Views past the lowest wanted one that bitmaps are kept for: a chain of 4,500,000 slots fits."""

REBASE_VIEWS = 2 ** 30
"""Views that the front moves between two moves of the bitmaps' base."""


class Ledger:
    """Which views of ``[front, target)`` are still to be asked for."""

    def __init__(self, front: int) -> None:
        self.front = front
        """The lowest unresolved view."""
        self.target = front
        """Every view below this is wanted."""
        self.horizon = front
        """Views from here on are not in the sets yet."""
        self.returns = 0
        """How often views came back to be wanted: what was ranked before is out of date."""
        self.wanted = ViewSet(front)
        self.in_flight = ViewSet(front)
        self.answered = ViewSet(front)

    def set_target(self, target: int) -> None:
        """Want every view below ``target``, and none from there on."""
        self.target = max(target, self.front)
        if self.target < self.horizon:
            for views in (self.wanted, self.in_flight, self.answered):
                views.remove(self.target, self.horizon)
            self.horizon = self.target
        self.extend()

    def extend(self) -> None:
        """Move the horizon on when the lowest wanted view has come near it."""
        if self.horizon >= self.target:
            return
        lowest = self.wanted.next_at(self.front)
        if lowest is None:
            lowest = self.horizon
        if self.horizon - lowest > HORIZON_VIEWS // 2:
            return
        top = min(self.target, lowest + HORIZON_VIEWS, self.wanted.base + MAX_WIDTH)
        if top > self.horizon:
            self.wanted.add(self.horizon, top)
            self.horizon = top

    def clip(self, views: ViewRange) -> ViewRange:
        """The part of ``views`` between front and horizon; its length may be 0 or less."""
        return ViewRange(max(views.start, self.front), min(views.stop, self.horizon))

    def take(self, views: ViewRange) -> None:
        """``views`` were asked for."""
        start, stop = views
        self.wanted.remove(start, stop)
        self.in_flight.add(start, stop)

    def land(self, views: ViewRange, still_open: Iterable[ViewRange]) -> None:
        """``views`` are not in flight any more, except what is open besides."""
        self.in_flight.remove(*views)
        for other in still_open:
            start, stop = self.clip(other)
            if start < stop:
                self.in_flight.add(start, stop)

    def want_again(self, views: ViewRange) -> None:
        """What of ``views`` is neither in flight nor answered is wanted."""
        start, stop = self.clip(views)
        if start >= stop:
            return
        self.returns += 1
        if self.in_flight.count(start, stop) or self.answered.count(start, stop):
            returned = ViewSet(self.wanted.base, [(start, stop)])
            self.wanted.update(returned - self.in_flight - self.answered)
        else:
            self.wanted.add(start, stop)

    def answer(self, views: ViewRange) -> None:
        """Somebody answered for ``views``; they are not wanted unless that is disproved."""
        start, stop = self.clip(views)
        if start < stop:
            self.wanted.remove(start, stop)
            self.answered.add(start, stop)

    def skip_to(self, start: int, stop: int) -> None:
        """Somebody answered for what is wanted of ``[start, stop)``; what is in flight stays so."""
        stop = min(stop, self.target, self.wanted.base + MAX_WIDTH)
        if stop > self.horizon:
            self.wanted.add(self.horizon, stop)
            self.horizon = stop
        skipped = self.wanted.count(start, stop)
        if not skipped:
            return
        if skipped == stop - start:
            self.answered.add(start, stop)
        else:
            self.answered.update(ViewSet(self.wanted.base, [(start, stop)]) & self.wanted)
        self.wanted.remove(start, stop)

    def adopt_answers(self, held: ViewSet) -> None:
        """Blocks at these views are here already."""
        for views in held.runs(self.front, self.horizon):
            self.answer(views)

    def reopen(self, views: ViewRange) -> None:
        """The answers for ``views`` did not hold."""
        start, stop = self.clip(views)
        if start < stop:
            self.answered.remove(start, stop)
            self.want_again(views)

    def count_wanted(self) -> int:
        """Views that are still to be asked for."""
        return self.wanted.count(self.front, self.horizon) + self.target - self.horizon

    def is_answered(self, start: int, stop: int) -> bool:
        """Whether every view of ``[start, stop)`` was answered for."""
        return start >= stop or self.answered.covers(start, stop)

    def advance(self, front: int) -> None:
        """Everything below ``front`` is resolved."""
        for views in (self.wanted, self.in_flight, self.answered):
            views.remove(self.front, front)
        self.front = front
        if front > self.horizon:
            self.horizon = front
            self.target = max(self.target, front)
        if front - self.wanted.base > REBASE_VIEWS:
            self.rebase(front)

    def rebase(self, base: int) -> None:
        """Move the base of the bitmaps, at most to the front."""
        for views in (self.wanted, self.in_flight, self.answered):
            views.rebase(base)

    def lowest_open(self) -> Optional[int]:
        """
        The lowest view that is wanted, or in flight and not answered by another peer yet, or None;
        the horizon is not looked past.
        """
        wanted, in_flight = self.wanted.next_at(self.front), self.in_flight.next_at(self.front)
        while in_flight is not None and in_flight in self.answered:
            in_flight = self.in_flight.next_at(self.answered.next_missing(in_flight))
        if wanted is None or in_flight is None:
            return wanted if in_flight is None else in_flight
        return min(wanted, in_flight)
