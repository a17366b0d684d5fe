"""Tells every peer what we can answer for: when it connects, on change, and at random intervals."""
import asyncio
import logging
import random
from typing import Optional, Set

from async_service import Service

from blockio_plugin.rules.messages import Availability
from blockio_plugin.services.abc import PeerID, WireAPI
from blockio_plugin.services.waiting import wait_at_most

MIN_ADVERT_INTERVAL = 1.0
"""Seconds between two adverts of a change, least (wire protocol)."""

ADVERT_INTERVAL_BOUNDS = (5.0, 15.0)
"""Seconds to the next unprompted advert, drawn uniformly; the mean is 10 s. Random, so that nodes
that started together do not advertise together; short, so that a lost advert does not matter."""


class Advertiser(Service):
    """Sends adverts. It is told of peers and of what the chain covers."""

    logger = logging.getLogger("blockio_plugin.services.Advertiser")

    def __init__(self, wire: WireAPI, chance: random.Random) -> None:
        self._wire = wire
        self._chance = chance
        self._peers: Set[PeerID] = set()
        self._advert: Optional[Availability] = None
        self._changed = asyncio.Event()

    def join(self, peer: PeerID) -> None:
        """Advertise to a new peer at once."""
        self._peers.add(peer)
        if self._advert is not None:
            self._wire.send_availability(peer, self._advert)

    def leave(self, peer: PeerID) -> None:
        """Forget a peer."""
        self._peers.discard(peer)

    def update(self, advert: Availability) -> None:
        """Advertise this from now on; peers hear of a change within a second."""
        if advert != self._advert:
            self._advert = advert
            self._changed.set()

    def repeat(self) -> None:
        """Advertise once more: the blocks are others now, though the views may be the same."""
        self._changed.set()

    async def run(self) -> None:
        while self.manager.is_running:
            await wait_at_most(
                self._chance.uniform(*ADVERT_INTERVAL_BOUNDS), self._changed.wait()
            )
            self._changed.clear()
            if self._advert is not None:
                for peer in self._peers:
                    self._wire.send_availability(peer, self._advert)
            await asyncio.sleep(MIN_ADVERT_INTERVAL)
