"""Collects what peers advertise: who can be asked for what, and how far the chain goes."""
import asyncio
import logging
from typing import Callable, Dict, Optional

from async_service import Service

from blockio_plugin.rules.advert_queue import WAITING_TIME, AdvertQueue, extend
from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.messages import Availability
from blockio_plugin.rules.views import ViewRange, clip
from blockio_plugin.services.abc import FactsAPI, PeerID
from blockio_plugin.services.facts import NO_FACTS


class AvailabilityCollector(Service):
    """
    Feeds adverts to the fetch and keeps its target at the highest head that a peer advertises. Of a
    peer on another branch only what lies below the fork counts.

    Where a peer advertises more than it may cost, its head is known at once, and the rest later.

    :param follow: whether to want everything up to that head. Where another syncer drives the chain
        we know our peers but want nothing of our own accord.
    :param on_progress: is called when adverts that waited were taken in
    """

    logger = logging.getLogger("blockio_plugin.services.AvailabilityCollector")

    def __init__(
        self,
        fetch: Fetch,
        branches: Branches,
        heads: Heads,
        scheme_name: str,
        follow: bool,
        on_progress: Callable[[], None],
        clock: Callable[[], float],
        facts: FactsAPI = NO_FACTS,
    ) -> None:
        self._fetch = fetch
        self._branches = branches
        self._heads = heads
        self._scheme_name = scheme_name
        self._follow = follow
        self._on_progress = on_progress
        self._clock = clock
        self._facts = facts
        self._adverts: Dict[PeerID, Availability] = {}
        self._queue = AdvertQueue()
        self._is_waited = asyncio.Event()
        self._foreign: Dict[PeerID, str] = {}

    def join(self, peer: PeerID) -> None:
        """A peer is there; what it has is not known yet."""
        self._fetch.join(peer, self._clock())

    def leave(self, peer: PeerID) -> None:
        """A peer is gone."""
        self._foreign.pop(peer, None)
        self._queue.leave(peer)
        self._adverts.pop(peer, None)
        self._branches.leave(peer)
        self._heads.leave(peer)
        self._fetch.leave(peer, self._clock())
        self._aim()

    def collect(self, peer: PeerID, advert: Availability) -> bool:
        """
        Take in an advert, now or later; whether there is news now. One of another scheme is
        dropped, and its peer not used or served.
        """
        if advert.scheme == self._scheme_name:
            return self._admit(peer, advert)
        if peer not in self._foreign:
            self._foreign[peer] = advert.scheme
            self.logger.warning(
                "%s uses view scheme %r and we use %r: it is not used for block I/O",
                peer,
                advert.scheme,
                self._scheme_name,
            )
        return False

    def announce(self, peer: PeerID, view: int) -> bool:
        """
        A peer has said that it has a new block in ``view``, so its advert now goes up to there.
        False where that is no news, or none yet: it has not advertised its head, or one at least as
        high, or more than it may.
        """
        known = self._queue.latest(peer) or self._adverts.get(peer)
        advert = None if known is None else extend(known, view)
        return advert is not None and self._admit(peer, advert)

    def _admit(self, peer: PeerID, advert: Availability) -> bool:
        if self._queue.admit(peer, advert, self._clock()):
            self._take(peer, advert)
            return True
        self._note_head(peer, advert.head_view)
        self._is_waited.set()
        return False

    async def run(self) -> None:
        while self.manager.is_running:
            await self._is_waited.wait()
            await asyncio.sleep(WAITING_TIME)
            self._take_waiting()
            if not self._queue:
                self._is_waited.clear()

    def _take_waiting(self) -> None:
        for peer, advert, is_whole in self._queue.take_turns(self._clock()):
            if is_whole:
                self._take(peer, advert)
            elif peer in self._adverts:
                extended = extend(self._adverts[peer], advert.head_view)
                if extended is not None:
                    self._take(peer, extended)
        self._on_progress()

    def _take(self, peer: PeerID, advert: Availability) -> None:
        self._adverts[peer] = advert
        self._facts.availability_updated(peer, advert.head_view, advert.ranges)
        self._note_head(peer, advert.head_view)
        self._cover(peer, advert)

    def _note_head(self, peer: PeerID, head_view: int) -> None:
        self._branches.advertise(peer, head_view)
        fork = self._branches.fork(peer)
        self._heads.advertise(peer, head_view if fork is None else None, self._clock())
        self._aim()

    def _cover(self, peer: PeerID, advert: Availability) -> None:
        head_view, ranges = advert.head_view, advert.ranges
        fork = self._branches.fork(peer)
        if fork is not None:
            head_view = min(head_view, fork.view)
            ranges = clip(ranges, ViewRange(0, fork.view + 1))
        self._fetch.advertise(peer, head_view, ranges, self._clock())

    def refresh(self, peer: PeerID) -> None:
        """A peer was found on another branch, or on ours: take its advert in accordingly."""
        advert = self._adverts.get(peer)
        if advert is not None:
            latest = self._queue.latest(peer) or advert
            fork = self._branches.fork(peer)
            self._heads.advertise(peer, latest.head_view if fork is None else None, self._clock())
            self._cover(peer, advert)
            self._aim()

    def get_head_view(self, peer: PeerID) -> Optional[int]:
        """The view of the peer's head, as last advertised; None before its first advert."""
        return self._branches.head_view(peer)

    def is_foreign(self, peer: PeerID) -> bool:
        """Whether the peer's views are not ours."""
        return peer in self._foreign

    def get_scheme(self, peer: PeerID) -> Optional[str]:
        """The view scheme of the peer; None before its first advert."""
        return self._foreign.get(peer) or (self._scheme_name if peer in self._adverts else None)

    def _aim(self) -> None:
        if self._follow and self._adverts:
            self._fetch.set_target(self._heads.target)
