"""
The chain's own fetch and the fetches for others, over the same peers.

Who comes first:

1. Where the chain wants something, the others together may have up to ``SHARE`` of what all peers
   may owe us in flight. They get it first, so it is theirs however busy the chain is.
2. Then the chain asks for all it wants.
3. What peers may still be asked for after that goes to the others.
4. Among the others, whoever was given least goes first: start-time fair queueing, counted in blocks
   asked for.
"""
from random import Random
from typing import List, Optional, Tuple

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import ViewRanges
from blockio_plugin.rules.views_fetch import ViewsFetch

SHARE = 0.25
"""Part of what all peers may owe us that is left to the fetches of others while the chain syncs:
the sync takes at most a third longer, and a fetch gets at least a third of the sync's pace."""

LEAST_SHARE = 8.0
"""Blocks that are left to them at least: a first request to a new peer."""

WORKING_FETCHES = 32
"""Fetches that are worked on at a time; the others wait for their turn. Each sees each answer."""

MAX_FETCHES = 512
"""Fetches at once, most, waiting ones included. Each has a task; a service may have 1,000."""


class TooManyFetches(Exception):
    """There are ``MAX_FETCHES`` fetches already."""


class FetchGroup:
    """
    All that is asked of ``peers``. The scheduler drives it in the place of the chain's fetch alone.

    What peers do is told to ``chain``, which tells the others.
    """

    def __init__(self, chain: Fetch, peers: PeerBook, random: Random) -> None:
        self._chain = chain
        self._peers = peers
        self._random = random
        self._fetches: List[ViewsFetch] = []
        self._turn = 0.0
        self._own_ranges: ViewRanges = ()

    def begin(self, ranges: ViewRanges, window: int, now: float) -> ViewsFetch:
        """
        Fetch ``ranges``, which are normal.

        :raise TooManyFetches: and nothing is changed
        """
        if len(self._fetches) >= MAX_FETCHES:
            raise TooManyFetches(f"{MAX_FETCHES} fetches are under way")
        fetch = ViewsFetch(ranges, window, self._random, self._peers)
        fetch.note_own_ranges(self._own_ranges)
        self._fetches.append(fetch)
        self.tend(now)
        return fetch

    def end(self, fetch: ViewsFetch) -> None:
        """Forget a fetch, be it complete or not."""
        fetch.end()
        if fetch in self._fetches:
            self._fetches.remove(fetch)

    @property
    def working(self) -> Tuple[ViewsFetch, ...]:
        """The fetches that are worked on."""
        return tuple(self._fetches[:WORKING_FETCHES])

    @property
    def own_ranges(self) -> ViewRanges:
        """What the local chain covers."""
        return self._own_ranges

    def note_own_ranges(self, ranges: ViewRanges) -> None:
        """The local chain covers ``ranges``."""
        if ranges != self._own_ranges:
            self._own_ranges = ranges
            for fetch in self._fetches:
                fetch.note_own_ranges(ranges)

    def tend(self, now: float) -> None:
        """Look after what does not move."""
        for fetch in self.working:
            fetch.tend(now)

    def plan(self, now: float) -> Tuple[Request, ...]:
        """Decide what to ask of whom, and count it as asked."""
        if not self._fetches:
            return self._chain.plan(now)
        requests: Tuple[Request, ...] = ()
        if self._chain.is_wanting:
            owed = sum(score.budget for score in self._peers.scores.values())
            in_flight = sum(fetch.blocks_in_flight for fetch in self.working)
            requests = self._plan_others(max(SHARE * owed, LEAST_SHARE) - in_flight, now)
        requests += self._chain.plan(now)
        return requests + self._plan_others(float("inf"), now)

    def _plan_others(self, allowance: float, now: float) -> Tuple[Request, ...]:
        requests: Tuple[Request, ...] = ()
        for fetch in sorted(self.working, key=lambda fetch: fetch.turn):
            if allowance < 1:
                break
            before = fetch.blocks_in_flight
            requests += fetch.plan(allowance, now)
            asked = fetch.blocks_in_flight - before
            allowance -= asked
            if asked > 0:
                # Who wanted nothing for a time is owed nothing for it.
                self._turn = max(self._turn, fetch.turn)
                fetch.turn = self._turn + asked
        return requests

    def expire(self, now: float) -> Tuple[Request, ...]:
        """Give up on requests that are late, and look after what does not move."""
        late = self._chain.expire(now)
        self.tend(now)
        return late

    def wake_at(self, now: float) -> Optional[float]:
        """When to call ``expire`` and ``plan`` again at the latest; None: only when asked to."""
        times = [self._chain.wake_at(now)]
        times += [fetch.wake_by(now) for fetch in self.working]
        known = [time for time in times if time is not None]
        return min(known) if known else None
