"""The bridge between the connections and the event bus, in the process that holds both."""
import asyncio
import logging
import time
from typing import Any, Callable, Dict, FrozenSet, NamedTuple, Type, TypeVar

from async_service import Service
from lahja import BaseEvent, BroadcastConfig, EndpointAPI
from p2p.abc import CommandAPI, ConnectionAPI, SessionAPI
from p2p.peer import BasePeer, PeerMessage, PeerSubscriber
from p2p.peer_pool import BasePeerPool
from trinity.constants import FIRE_AND_FORGET_BROADCASTING

from blockio_plugin.protocol.api import Payload, decline
from blockio_plugin.protocol.events import (
    AvailabilityReceived,
    BlockIOPeerJoined,
    BlockIOPeerLeft,
    BlocksReceived,
    BlocksRequested,
    DropPeerCommand,
    GetBlockIOPeersRequest,
    GetBlockIOPeersResponse,
    RequestVoided,
    SendAvailabilityCommand,
    SendBlocksByViewCommand,
    SendGetBlocksByViewCommand,
)
from blockio_plugin.protocol.peer import BlockIOPeer
from blockio_plugin.rules.messages import Availability, GetBlocksByView

MAX_OUTBOX_BYTES = 64 * 1024 * 1024
"""
Bytes of blocks that wait for the bus, most, but for one answer: what block I/O cannot take off the
bus for now. Only answers to our own requests count; the rest is small and bounded by rate.
"""

MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""
Bytes that a connection has not sent yet, most, for an answer to be added: four full ones. A peer
that asks and does not read would take all memory.
"""

TEvent = TypeVar("TEvent", bound=BaseEvent)


class _Outgoing(NamedTuple):
    event: BaseEvent
    config: BroadcastConfig
    size: int


def _describe(peer: BlockIOPeer) -> BlockIOPeerJoined:
    # A stranger chose it, and it goes to logs and terminals.
    client = "".join(each if each.isprintable() else "?" for each in peer.client_name)
    return BlockIOPeerJoined(peer.session, client)


class BlockIOEventServer(Service, PeerSubscriber):
    """
    Tells the bus what peers that speak the protocol send, and does what the bus tells it.

    Runs beside Trinity's own event server. What it tells leaves in one order. A peer without the
    protocol does not exist here. An error with one peer is logged and touches no other.
    """

    logger = logging.getLogger("blockio_plugin.protocol.BlockIOEventServer")

    subscription_msg_types: FrozenSet[Type[CommandAPI[Any]]] = frozenset()
    msg_queue_maxsize = 1

    def __init__(
        self,
        event_bus: EndpointAPI,
        peer_pool: BasePeerPool,
        listener: str,
        get_unsent_bytes: Callable[[ConnectionAPI], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        ``listener`` is the endpoint that asks who is there, and ``get_unsent_bytes`` tells how much
        of what was sent a connection still holds. ``clock``: seconds, the one that the services of
        the other process go by.
        """
        self._clock = clock
        self._listener = listener
        self._event_bus = event_bus
        self._peer_pool = peer_pool
        self._get_unsent_bytes = get_unsent_bytes
        self._peers: Dict[SessionAPI, BlockIOPeer] = {}
        self._outbox: "asyncio.Queue[_Outgoing]" = asyncio.Queue()
        self._outbox_bytes = 0

    async def run(self) -> None:
        run = self.manager.run_daemon_task
        run(self._empty_outbox)
        run(self._obey, SendAvailabilityCommand, self._send_availability)
        run(self._obey, SendGetBlocksByViewCommand, self._send_request)
        run(self._obey, SendBlocksByViewCommand, self._send_answer)
        run(self._obey, DropPeerCommand, self._drop_peer)
        run(self._welcome)
        with self.subscribe(self._peer_pool):
            await self.manager.wait_finished()

    #
    # From peers to the bus
    #
    def add_msg(self, msg: PeerMessage) -> bool:
        """Take nothing: commands come through the API of the connection, which judges them."""
        return False

    def register_peer(self, peer: BasePeer) -> None:
        """A connection opened."""
        if isinstance(peer, BlockIOPeer) and peer.speaks_blockio:
            self._peers[peer.session] = peer
            self._tell(_describe(peer))
            peer.blockio_api.attach(lambda payload: self._receive(peer, payload))

    def deregister_peer(self, peer: BasePeer) -> None:
        """A connection ended."""
        if self._peers.pop(peer.session, None) is not None:
            assert isinstance(peer, BlockIOPeer)
            self._tell(BlockIOPeerLeft(peer.session, peer.dropped_for))

    def _receive(self, peer: BlockIOPeer, payload: Payload) -> None:
        if peer.session not in self._peers:
            return
        if isinstance(payload, Availability):
            self._tell(AvailabilityReceived(peer.session, payload))
        elif isinstance(payload, GetBlocksByView):
            if self._event_bus.is_any_endpoint_subscribed_to(BlocksRequested):
                self._tell(BlocksRequested(peer.session, payload))
            else:
                peer.blockio_api.send_answer(decline(payload.request_id, payload.start_view))
        elif self._outbox_bytes < MAX_OUTBOX_BYTES:
            event = BlocksReceived(peer.session, payload, self._clock())
            self._tell(event, size=sum(map(len, payload.blocks)))
        else:
            self.logger.warning("Lost an answer of %s: block I/O is too far behind", peer)
            self._tell(RequestVoided(peer.session, payload.request_id))

    def _tell(
        self,
        event: BaseEvent,
        config: BroadcastConfig = FIRE_AND_FORGET_BROADCASTING,
        size: int = 0,
    ) -> None:
        self._outbox_bytes += size
        self._outbox.put_nowait(_Outgoing(event, config, size))

    async def _empty_outbox(self) -> None:
        while True:
            event, config, size = await self._outbox.get()
            try:
                # It returns once the other process has taken it, so the rest waits here.
                await self._event_bus.broadcast(event, config)
            except Exception as err:
                self._log(f"Could not broadcast a {type(event).__name__}", err)
            self._outbox_bytes -= size

    #
    # From the bus to peers
    #
    async def _welcome(self) -> None:
        """
        Tell block I/O, once it listens, who is there.

        While two endpoints connect, the one may know the other before the other knows the one, or
        what it listens to. The bus then drops what is for it, responses too, and who asked waits
        for ever.
        """
        await self._event_bus.wait_until_connected_to(self._listener)
        async for request in self._event_bus.stream(GetBlockIOPeersRequest):
            await self._event_bus.wait_until_endpoint_subscribed_to(
                self._listener, AvailabilityReceived
            )
            self._tell_peers(request)

    async def _obey(self, event_type: Type[TEvent], act: Callable[[TEvent], None]) -> None:
        async for event in self._event_bus.stream(event_type):
            try:
                act(event)
            except Exception as err:
                self._log(f"Could not do what a {event_type.__name__} says", err)

    def _log(self, what: str, err: Exception) -> None:
        self.logger.error("%s: %r", what, err)
        self.logger.debug("%s", what, exc_info=True)

    def _send_availability(self, command: SendAvailabilityCommand) -> None:
        peer = self._peers.get(command.session)
        if peer is not None:
            peer.blockio_api.send_availability(command.advert)

    def _send_request(self, command: SendGetBlocksByViewCommand) -> None:
        peer = self._peers.get(command.session)
        if peer is not None and not peer.blockio_api.send_request(command.request):
            self.logger.debug("Did not ask %s: it owes us too many answers, or is leaving", peer)
            self._tell(RequestVoided(command.session, command.request.request_id))

    def _send_answer(self, command: SendBlocksByViewCommand) -> None:
        peer = self._peers.get(command.session)
        if peer is None:
            return
        answer = command.answer
        if self._get_unsent_bytes(peer.connection) > MAX_UNSENT_BYTES:
            answer = decline(answer.request_id, answer.start_view)
        peer.blockio_api.send_answer(answer)

    def _drop_peer(self, command: DropPeerCommand) -> None:
        peer = self._peers.get(command.session)
        if peer is not None:
            peer.drop(command.reason)

    def _tell_peers(self, request: GetBlockIOPeersRequest) -> None:
        response = GetBlockIOPeersResponse(tuple(map(_describe, self._peers.values())))
        self._tell(response, request.broadcast_config())
        for session, peer in self._peers.items():
            advert = peer.blockio_api.latest_advert
            if advert is not None:
                self._tell(AvailabilityReceived(session, advert))
