"""Collects what peers advertise: who can be asked for what, and how far the chain goes."""
import logging
from typing import Callable, Dict, Optional, Set

from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.messages import Availability
from blockio_plugin.rules.views import ViewRange, clip
from blockio_plugin.services.abc import FactsAPI, PeerID
from blockio_plugin.services.facts import NO_FACTS


class AvailabilityCollector:
    """
    Feeds adverts to the fetch and keeps its target at the highest head that a peer advertises. Of a
    peer on another branch only what lies below the fork counts.

    :param follow: whether to want everything up to that head. Where another syncer drives the chain
        we know our peers but want nothing of our own accord.
    """

    logger = logging.getLogger("blockio_plugin.services.AvailabilityCollector")

    def __init__(
        self,
        fetch: Fetch,
        branches: Branches,
        heads: Heads,
        scheme_name: str,
        follow: bool,
        clock: Callable[[], float],
        facts: FactsAPI = NO_FACTS,
    ) -> None:
        self._fetch = fetch
        self._branches = branches
        self._heads = heads
        self._scheme_name = scheme_name
        self._follow = follow
        self._clock = clock
        self._facts = facts
        self._adverts: Dict[PeerID, Availability] = {}
        self._foreign: Set[PeerID] = set()

    def join(self, peer: PeerID) -> None:
        """A peer is there; what it has is not known yet."""
        self._fetch.join(peer, self._clock())

    def leave(self, peer: PeerID) -> None:
        """A peer is gone."""
        self._foreign.discard(peer)
        self._adverts.pop(peer, None)
        self._branches.leave(peer)
        self._heads.leave(peer)
        self._fetch.leave(peer, self._clock())
        self._aim()

    def collect(self, peer: PeerID, advert: Availability) -> None:
        """Take in an advert. One of another scheme is dropped, and its peer not used or served."""
        if advert.scheme != self._scheme_name:
            if peer not in self._foreign:
                self._foreign.add(peer)
                self.logger.warning(
                    "%s uses view scheme %r and we use %r: it is not used for block I/O",
                    peer,
                    advert.scheme,
                    self._scheme_name,
                )
            return
        self._take(peer, advert)

    def announce(self, peer: PeerID, view: int) -> bool:
        """
        A peer has said that it has a new block in ``view``, so its advert now goes up to there.
        False where that is no news: it has not advertised its head yet, or one at least as high.
        """
        advert = self._adverts.get(peer)
        if advert is None or view <= advert.head_view or not advert.ranges:
            return False
        top = advert.ranges[-1]
        if top.stop != advert.head_view + 1:
            return False
        ranges = (*advert.ranges[:-1], ViewRange(top.start, view + 1))
        self._take(peer, advert._replace(head_view=view, ranges=ranges))
        return True

    def _take(self, peer: PeerID, advert: Availability) -> None:
        self._adverts[peer] = advert
        self._facts.availability_updated(peer, advert.head_view, advert.ranges)
        self._branches.advertise(peer, advert.head_view)
        self._advertise(peer, advert)
        self._aim()

    def refresh(self) -> None:
        """Peers were found on another branch, or on ours: take their adverts in accordingly."""
        for peer, advert in self._adverts.items():
            self._advertise(peer, advert)
        self._aim()

    def _advertise(self, peer: PeerID, advert: Availability) -> None:
        head_view, ranges, now = advert.head_view, advert.ranges, self._clock()
        fork = self._branches.fork(peer)
        self._heads.advertise(peer, head_view if fork is None else None, now)
        if fork is not None:
            head_view = min(head_view, fork.view)
            ranges = clip(ranges, ViewRange(0, fork.view + 1))
        self._fetch.advertise(peer, head_view, ranges, now)

    def get_head_view(self, peer: PeerID) -> Optional[int]:
        """The view of the peer's head, as last advertised; None before its first advert."""
        advert = self._adverts.get(peer)
        return None if advert is None else advert.head_view

    def is_foreign(self, peer: PeerID) -> bool:
        """Whether the peer's views are not ours."""
        return peer in self._foreign

    def _aim(self) -> None:
        if self._follow and self._adverts:
            self._fetch.set_target(self._heads.target)
