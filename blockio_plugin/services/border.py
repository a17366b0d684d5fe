"""Counts what passes between peers and us, and notes who comes and goes."""
from typing import AsyncIterator, Callable, Optional

from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.rules.traffic import Traffic
from blockio_plugin.services.abc import (
    AnswerReceived,
    InboxAPI,
    PeerEvent,
    PeerID,
    PeerJoined,
    PeerLeft,
    WireAPI,
)


class CountedInbox(InboxAPI):
    """An inbox with a count of what comes through it."""

    def __init__(
        self, inbox: InboxAPI, traffic: Traffic, log: PeerLog, clock: Callable[[], float]
    ) -> None:
        self._inbox = inbox
        self._traffic = traffic
        self._log = log
        self._clock = clock

    async def stream(self) -> AsyncIterator[PeerEvent]:
        async for event in self._inbox.stream():
            now = self._clock()
            if isinstance(event, AnswerReceived):
                self._traffic.received_bytes.note(sum(map(len, event.answer.blocks)), now)
            elif isinstance(event, PeerJoined):
                self._log.join(event.peer, event.client, now)
            elif isinstance(event, PeerLeft):
                self._log.leave(event.peer, event.dropped_for, now)
            yield event

    @property
    def oldest_answer(self) -> Optional[float]:
        return self._inbox.oldest_answer


class CountedWire(WireAPI):
    """A wire with a count of the blocks that go over it."""

    def __init__(self, wire: WireAPI, traffic: Traffic, clock: Callable[[], float]) -> None:
        self._wire = wire
        self._traffic = traffic
        self._clock = clock

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        self._wire.send_availability(peer, advert)

    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        self._wire.send_request(peer, request)

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        size = sum(map(len, answer.blocks))
        self._traffic.note_served(peer, len(answer.blocks), size, self._clock())
        self._wire.send_answer(peer, answer)

    def drop(self, peer: PeerID, reason: str) -> None:
        self._wire.drop(peer, reason)
