"""Answers the requests of peers: those of one peer in order, peers in turn."""
import asyncio
from collections import deque
import logging
from typing import Deque, Dict

from async_service import Service

from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.services.abc import PeerID, WireAPI
from blockio_plugin.services.chain_thread import ChainThread


class Server(Service):
    """
    Serves view ranges from the canonical chain.

    How many requests of one peer can wait here is bounded on the connection, which declines the
    rest, so a queue here needs no bound of its own. The next request is read from the database once
    the last answer has left, so this process holds one answer at a time.
    """

    logger = logging.getLogger("blockio_plugin.services.Server")

    def __init__(self, chain: ChainThread, wire: WireAPI) -> None:
        self._chain = chain
        self._wire = wire
        self._queues: Dict[PeerID, Deque[GetBlocksByView]] = {}
        self._waiting = asyncio.Event()

    def submit(self, peer: PeerID, request: GetBlocksByView) -> None:
        """Answer ``request`` when its turn comes."""
        self._queues.setdefault(peer, deque()).append(request)
        self._waiting.set()

    def decline(self, peer: PeerID, request: GetBlocksByView) -> None:
        """Answer at once that we do not answer."""
        self._wire.send_answer(
            peer, BlocksByView(request.request_id, request.start_view, 0, 0, ())
        )

    def leave(self, peer: PeerID) -> None:
        """Forget what a peer asked for."""
        self._queues.pop(peer, None)

    async def run(self) -> None:
        while self.manager.is_running:
            # A peer may leave between the moment at which its request wakes us and this one.
            while not self._queues:
                self._waiting.clear()
                await self._waiting.wait()
            # The peer that is served goes to the back of the line.
            peer = next(iter(self._queues))
            queue = self._queues.pop(peer)
            request = queue.popleft()
            if queue:
                self._queues[peer] = queue
            answer = await self._chain.fetch_blocks(request)
            self._wire.send_answer(peer, answer)
            await self._wire.wait_sent()
