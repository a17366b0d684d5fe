"""Takes what comes from peers, in order, and gives each thing to the service it concerns."""
import asyncio
import logging
from typing import Callable, List

from async_service import Service

from blockio_plugin.rules.answers import check_answer
from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.messages import BlocksByView, Offence
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import (
    AdvertReceived,
    AnswerReceived,
    HeadAnnounced,
    InboxAPI,
    PeerEvent,
    PeerJoined,
    PeerLeft,
    RequestReceived,
    RequestVoided,
    WireAPI,
)
from blockio_plugin.services.advertiser import Advertiser
from blockio_plugin.services.collector import AvailabilityCollector
from blockio_plugin.services.peer_requests import PeerRequests
from blockio_plugin.services.server import Server

DECODE_SLICE = 32
"""Blocks that are decoded before other tasks of the process get their turn: some 5 ms of work."""


class Receiver(Service):
    """Checks what strangers send before anything believes it; a breach ends the connection."""

    logger = logging.getLogger("blockio_plugin.services.Receiver")

    def __init__(
        self,
        inbox: InboxAPI,
        fetch: Fetch,
        peers: PeerBook,
        branches: Branches,
        requests: PeerRequests,
        scheme: ViewScheme,
        wire: WireAPI,
        advertiser: Advertiser,
        collector: AvailabilityCollector,
        server: Server,
        on_progress: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._inbox = inbox
        self._fetch = fetch
        self._peers = peers
        self._branches = branches
        self._requests = requests
        self._scheme = scheme
        self._wire = wire
        self._advertiser = advertiser
        self._collector = collector
        self._server = server
        self._on_progress = on_progress
        self._clock = clock

    async def run(self) -> None:
        async for event in self._inbox.stream():
            try:
                await self._route(event)
            except Offence as offence:
                self._wire.drop(event.peer, str(offence))

    async def _route(self, event: PeerEvent) -> None:
        if isinstance(event, AnswerReceived):
            await self._take_answer(event)
            self._on_progress()
        elif isinstance(event, RequestVoided):
            self._requests.void(event.peer, event.request_id)
            self._fetch.void(event.peer, event.request_id, self._clock())
            self._on_progress()
        elif isinstance(event, RequestReceived):
            if self._collector.is_foreign(event.peer):
                self._server.decline(event.peer, event.request)
            else:
                self._server.submit(event.peer, event.request)
        elif isinstance(event, AdvertReceived):
            if self._collector.collect(event.peer, event.advert):
                self._on_progress()
        elif isinstance(event, HeadAnnounced):
            if self._collector.announce(event.peer, event.view):
                self._on_progress()
        elif isinstance(event, PeerJoined):
            self._collector.join(event.peer)
            self._requests.join(event.peer)
            self._advertiser.join(event.peer)
        elif isinstance(event, PeerLeft):
            self._advertiser.leave(event.peer)
            self._server.leave(event.peer)
            self._requests.leave(event.peer)
            self._collector.leave(event.peer)
            self._on_progress()

    async def _take_answer(self, event: AnswerReceived) -> None:
        peer, answer, arrived_at = event
        if self._requests.is_own(answer):
            self._requests.take(peer, answer, await self._decode(answer))
            return
        entry = self._peers.tracker.get(peer, answer.request_id)
        if entry is None:
            return
        blocks = await self._decode(answer)
        check_answer(entry.request, answer, blocks)
        fork = self._branches.fork(peer)
        if fork is not None and answer.covered.stop > fork.view + 1:
            # It was asked before it was known to be on another branch: of no use, and no offence.
            nothing = ViewRange(answer.start_view, answer.start_view)
            self._fetch.receive(peer, answer.request_id, nothing, 0, (), arrived_at)
            return
        self._fetch.receive(
            peer, answer.request_id, answer.covered, answer.next_view, blocks, arrived_at
        )

    async def _decode(self, answer: BlocksByView) -> List[Block]:
        """
        The blocks of an answer.

        :raise Offence: one of them is none
        """
        blocks: List[Block] = []
        for index, encoded in enumerate(answer.blocks, start=1):
            blocks.append(decode_block(encoded, self._scheme))
            if index % DECODE_SLICE == 0:
                await asyncio.sleep(0)
        return blocks
