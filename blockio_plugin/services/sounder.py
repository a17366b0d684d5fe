"""Finds out which block number the target has, by asking a peer for the block there."""
import asyncio
from itertools import count
import logging
from typing import Callable, List

from async_service import Service

from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.head_number import HeadNumber, Sounding
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead, PeerID
from blockio_plugin.services.peer_requests import PeerRequests

SOUND_INTERVAL = 2.0
"""Seconds between two looks at whether somebody should be asked; one block is asked for at most."""


class Sounder(Service):
    """Asks one of those whose head is the highest, in turn. Who gives nothing is not blamed."""

    logger = logging.getLogger("blockio_plugin.services.Sounder")

    def __init__(
        self,
        numbers: HeadNumber,
        heads: Heads,
        branches: Branches,
        peers: PeerBook,
        requests: PeerRequests,
        get_head: Callable[[], ChainHead],
        clock: Callable[[], float],
    ) -> None:
        self._numbers = numbers
        self._heads = heads
        self._branches = branches
        self._peers = peers
        self._requests = requests
        self._get_head = get_head
        self._clock = clock

    async def run(self) -> None:
        for turn in count():
            await asyncio.sleep(SOUND_INTERVAL)
            head, target_view = self._get_head(), self._heads.target - 1
            own = Sounding(head.view, head.number)
            is_reached = self._heads.is_reached(head.view, self._clock())
            if not is_reached and self._numbers.is_wanted(target_view, own):
                holders = self._holders(target_view)
                if holders:
                    await self._sound(holders[turn % len(holders)], target_view)

    def _holders(self, view: int) -> List[PeerID]:
        table = self._peers.availability
        return [
            peer
            for peer in self._peers
            if self._branches.fork(peer) is None and table.covering(peer, view) is not None
        ]

    async def _sound(self, peer: PeerID, view: int) -> None:
        answer = await self._requests.fetch(peer, ViewRange(view, view + 1), 1)
        head = self._get_head()
        if answer is not None and answer.blocks:
            block = answer.blocks[0]
            sounding = Sounding(block.view, block.number)
            if not self._numbers.note(sounding, Sounding(head.view, head.number)):
                self.logger.debug("%s gave block %d at view %d", peer, block.number, block.view)
