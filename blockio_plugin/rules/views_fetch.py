"""A fetch of views for somebody else: several ranges, some of them at work at a time."""
from collections import deque
from random import Random
from typing import Deque, List, NamedTuple, Optional, Sequence, Tuple

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.outlet import DEFAULT_WINDOW, Outlet
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.range_fetch import Outcome, RangeFetch
from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, ViewRanges, normalise

MAX_FETCH_RANGES = 1024
"""Ranges in one fetch, most: as many as an advert has."""

MAX_WINDOW = 65536
"""Blocks that a taker may leave unsettled, most; their bytes have a bound of their own."""

WORKING_RANGES = 8
"""Ranges of one fetch that are worked on at a time, the lowest first. While one waits for its last
answers the next ones are asked for; each costs a look at every answer."""


class InvalidRanges(ValueError):
    """What was asked for are no view ranges. The message says why."""


class DueViews(NamedTuple):
    """Views that the local chain is to supply, and the range fetch that waits for them."""

    fetch: RangeFetch
    views: ViewRange


class Completion(NamedTuple):
    """The views of a fetch that gave no block, sorted."""

    empty: ViewRanges
    unproven: ViewRanges
    missing: ViewRanges


def check_ranges(ranges: object) -> ViewRanges:
    """
    Turn what somebody sent into view ranges: sorted, those that overlap or touch made one.

    :raise InvalidRanges: it is no tuple of pairs of integers with ``0 <= start < stop <= 2**63``,
        or too many
    """
    if not isinstance(ranges, tuple):
        raise InvalidRanges(f"ranges must be a tuple, not {type(ranges).__name__}")
    if len(ranges) > MAX_FETCH_RANGES:
        raise InvalidRanges(f"{len(ranges)} ranges; {MAX_FETCH_RANGES} are the most")
    for view_range in ranges:
        if not isinstance(view_range, tuple) or len(view_range) != 2:
            raise InvalidRanges("each range must be a tuple (start, stop)")
        # bool is an int for Python, and no view for us.
        if any(type(view) is not int for view in view_range):
            raise InvalidRanges("views must be integers")
        start, stop = view_range
        if not 0 <= start < stop:
            raise InvalidRanges(f"range ({start!r}, {stop!r}) is not 0 <= start < stop"[:200])
        if stop > VIEW_LIMIT:
            raise InvalidRanges("views must lie below 2**63")
    return normalise(ranges)


def check_window(window: object) -> int:
    """
    The window that somebody asked for: 0 is the default one.

    :raise InvalidRanges: it is no integer from 0 to ``MAX_WINDOW``
    """
    if type(window) is not int or not 0 <= window <= MAX_WINDOW:
        raise InvalidRanges(f"the window must be an integer from 0 to {MAX_WINDOW}")
    return window or DEFAULT_WINDOW


class ViewsFetch:
    """
    Wants ``ranges``, which are normal, and gives blocks away through ``outlet``.

    It is complete once every range is resolved. Its outlet may hold blocks even then.
    """

    def __init__(self, ranges: ViewRanges, window: int, random: Random, peers: PeerBook) -> None:
        self.outlet = Outlet(window)
        """Where its blocks leave."""
        self.turn = 0.0
        """Where it stands in line: the fetch with the lowest turn is planned first."""
        self._waiting: Deque[ViewRange] = deque(ranges)
        self._random = random
        self._peers = peers
        self._working: List[RangeFetch] = []
        self._outcome = Outcome()
        self._own_ranges: ViewRanges = ()
        self._has_ended = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing is wanted any more: all is resolved, or it was ended."""
        return self._has_ended or not (self._working or self._waiting)

    def complete(self) -> Completion:
        """What came of the views that gave no block."""
        outcome = self._outcome
        return Completion(*map(normalise, (outcome.empty, outcome.unproven, outcome.missing)))

    def end(self) -> None:
        """Want nothing any more."""
        self._has_ended = True
        for fetch in self._working:
            fetch.end()

    def note_own_ranges(self, ranges: ViewRanges) -> None:
        """The local chain covers ``ranges``."""
        self._own_ranges = ranges
        for fetch in self._working:
            fetch.note_own_ranges(ranges)

    def tend(self, now: float) -> None:
        """Begin the next ranges, and look after those at work."""
        if self._has_ended:
            return
        is_held_up = self.outlet.room < 1
        for fetch in self._working:
            fetch.tend(is_held_up, now)
        self._working = [fetch for fetch in self._working if not fetch.is_resolved]
        while self._waiting and len(self._working) < WORKING_RANGES:
            fetch = RangeFetch(
                self._waiting.popleft(),
                self.outlet,
                self._outcome,
                self._random,
                self._peers,
                now,
            )
            fetch.note_own_ranges(self._own_ranges)
            self._working.append(fetch)

    @property
    def blocks_in_flight(self) -> float:
        """Blocks that its open requests will likely bring."""
        return sum(fetch.own_blocks_in_flight for fetch in self._working)

    def plan(self, allowance: float, now: float) -> Tuple[Request, ...]:
        """Decide what to ask of whom, for no more than about ``allowance`` blocks."""
        requests: List[Request] = []
        for fetch in self._working:
            if fetch.is_wanting or fetch.is_waiting:
                room = min(allowance, self.outlet.room - self.blocks_in_flight)
                before = fetch.own_blocks_in_flight
                requests.extend(fetch.plan_within(room, now))
                allowance -= fetch.own_blocks_in_flight - before
        return tuple(requests)

    def next_due(self) -> Optional[DueViews]:
        """The next views that the local chain is to supply, where there is room for blocks."""
        if self.outlet.room < 1:
            return None
        for fetch in self._working:
            views = fetch.next_due()
            if views is not None:
                return DueViews(fetch, views)
        return None

    def supply(
        self, due: DueViews, covered: ViewRange, blocks: Sequence[Block], now: float
    ) -> None:
        """The local chain's answer to what was due: the covered prefix; empty: it declined."""
        if not due.fetch.is_resolved:
            due.fetch.supply(due.views, covered, blocks, now)

    def wake_by(self, now: float) -> Optional[float]:
        """Seconds: when to call ``tend`` again at the latest; None: only when asked to."""
        times = [fetch.wake_by(now) for fetch in self._working]
        return min(times) if times else None
