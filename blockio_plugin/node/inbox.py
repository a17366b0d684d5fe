"""What peers send, taken from the event bus in one order."""
from typing import AsyncIterator, Optional, Set

from lahja import EndpointAPI
from trinity.constants import NETWORKING_EVENTBUS_ENDPOINT, TO_NETWORKING_BROADCAST_CONFIG
from trinity.protocol.eth.events import NewBlockEvent, NewBlockHashesEvent

from blockio_plugin.node.head_news import HeadNews
from blockio_plugin.protocol import events
from blockio_plugin.protocol.events import (
    AvailabilityReceived,
    BlockIOPeerJoined,
    BlockIOPeerLeft,
    BlocksReceived,
    BlocksRequested,
    GetBlockIOPeersRequest,
)
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.services.abc import (
    AdvertReceived,
    AnswerReceived,
    HeadAnnounced,
    InboxAPI,
    PeerEvent,
    PeerID,
    PeerJoined,
    PeerLeft,
    RequestReceived,
    RequestVoided,
)
from blockio_plugin.services.event_queue import EventQueue

MAX_INBOX_BYTES = 64 * 1024 * 1024
"""
Bytes of blocks that wait here to be decoded, most: a second's worth of decoding small blocks. With
the cache, what waits in the other process, and what the importer holds it stays below 256 MiB.
"""


def _joined(event: BlockIOPeerJoined) -> PeerJoined:
    return PeerJoined(event.session, event.client)


class BusInbox(InboxAPI):
    """
    Streams of the bus are one queue per type of event; this keeps the order across types.

    Each connection bounds how much it passes on: adverts by rate, requests by how many are
    unanswered, answers by what we asked for. Many answers of huge blocks may still come at once:
    those for which there is no place are voided, and asked for again.
    """

    def __init__(self, event_bus: EndpointAPI, scheme: ViewScheme) -> None:
        self._event_bus = event_bus
        self._news = HeadNews(scheme)
        self._announced: Set[PeerID] = set()
        """Who has an announcement in the queue: one at a time, since the next advert has it all."""
        self._queue = EventQueue()
        self._bytes = 0

    async def stream(self) -> AsyncIterator[PeerEvent]:
        bus, put = self._event_bus, self._queue.put
        subscriptions = (
            bus.subscribe(BlockIOPeerJoined, lambda event: put(_joined(event))),
            bus.subscribe(
                BlockIOPeerLeft, lambda event: put(PeerLeft(event.session, event.dropped_for))
            ),
            bus.subscribe(
                AvailabilityReceived,
                lambda event: put(AdvertReceived(event.session, event.advert)),
            ),
            bus.subscribe(
                BlocksRequested, lambda event: put(RequestReceived(event.session, event.request))
            ),
            bus.subscribe(BlocksReceived, self._put_answer),
            bus.subscribe(
                events.RequestVoided,
                lambda event: put(RequestVoided(event.session, event.request_id)),
            ),
            bus.subscribe(
                NewBlockEvent, lambda event: self._news.learn(event.command.payload.block.header)
            ),
            bus.subscribe(NewBlockHashesEvent, self._put_announced),
        )
        try:
            await bus.wait_until_endpoint_subscribed_to(
                NETWORKING_EVENTBUS_ENDPOINT, GetBlockIOPeersRequest
            )
            present = await bus.request(GetBlockIOPeersRequest(), TO_NETWORKING_BROADCAST_CONFIG)
            connected: Set[PeerID] = set()
            for peer in present.peers:
                connected.add(peer.session)
                yield _joined(peer)
            # What they advertised before we listened follows on its own, as adverts.
            async for event in self._queue.stream():
                if isinstance(event, AnswerReceived):
                    self._bytes -= sum(map(len, event.answer.blocks))
                if isinstance(event, HeadAnnounced):
                    self._announced.discard(event.peer)
                if isinstance(event, PeerJoined):
                    # It may have joined between our subscription and the answer above.
                    if event.peer in connected:
                        continue
                    connected.add(event.peer)
                elif event.peer not in connected:
                    continue
                elif isinstance(event, PeerLeft):
                    connected.remove(event.peer)
                yield event
        finally:
            for subscription in subscriptions:
                subscription.unsubscribe()

    @property
    def oldest_answer(self) -> Optional[float]:
        return self._queue.oldest_answer

    def _put_announced(self, event: NewBlockHashesEvent) -> None:
        view = self._news.find_view(event.command.payload)
        if view is not None and event.session not in self._announced:
            self._announced.add(event.session)
            self._queue.put(HeadAnnounced(event.session, view))

    def _put_answer(self, event: BlocksReceived) -> None:
        answer = event.answer
        size = sum(map(len, answer.blocks))
        if self._bytes + size > MAX_INBOX_BYTES:
            self._queue.put(RequestVoided(event.session, answer.request_id))
        else:
            self._bytes += size
            self._queue.put(AnswerReceived(event.session, answer, event.arrived_at))
