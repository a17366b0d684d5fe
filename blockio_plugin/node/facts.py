"""Puts facts on the bus, for those who subscribe, and at next to no cost where nobody does."""
import asyncio
from collections import deque
from typing import Callable, Deque, Dict, Tuple, Type, cast

from async_service import Service
from lahja import BaseEvent, BroadcastConfig, EndpointAPI
from p2p.abc import SessionAPI

from blockio_plugin.events import (
    AvailabilityUpdated,
    PeerScored,
    ViewsImported,
    ViewsRequested,
    ViewsTimedOut,
)
from blockio_plugin.rules.views import ViewRange, ViewRanges
from blockio_plugin.services.abc import FactsAPI, PeerID
from blockio_plugin.services.waiting import wait_at_most

FACTS: Tuple[Type[BaseEvent], ...] = (
    AvailabilityUpdated,
    PeerScored,
    ViewsImported,
    ViewsRequested,
    ViewsTimedOut,
)
"""The events that are facts."""

MAX_WAITING = 1024
"""Facts that wait for one subscriber, most; it loses the oldest. About a megabyte of them."""

LOOK_INTERVAL = 1.0
"""Seconds between two looks at who subscribes, where no change was announced."""


class _Listener:
    """One endpoint that subscribes to facts; one that takes none does not hold up the others."""

    def __init__(self) -> None:
        self.waiting: Deque[BaseEvent] = deque(maxlen=MAX_WAITING)
        self.filled = asyncio.Event()


class BusFacts(Service, FactsAPI):
    """Knows who listens, so that a fact that nobody wants is not even made."""

    def __init__(self, event_bus: EndpointAPI) -> None:
        self._event_bus = event_bus
        self._listeners: Dict[str, _Listener] = {}
        self._listening: Dict[Type[BaseEvent], Tuple[str, ...]] = {}

    async def run(self) -> None:
        while self.manager.is_running:
            self._look()
            await wait_at_most(
                LOOK_INTERVAL, self._event_bus.wait_until_endpoint_subscriptions_change()
            )

    def _look(self) -> None:
        listening: Dict[Type[BaseEvent], Tuple[str, ...]] = {}
        for name, types in self._event_bus.get_connected_endpoints_and_subscriptions():
            for fact in FACTS:
                if fact in types:
                    listening[fact] = (*listening.get(fact, ()), name)
        self._listening = listening
        names = {name for names in listening.values() for name in names}
        for name in names - self._listeners.keys():
            self._listeners[name] = _Listener()
            self.manager.run_task(self._send, name, self._listeners[name])
        for name in self._listeners.keys() - names:
            # It ends its own task once it is woken and not known any more.
            self._listeners.pop(name).filled.set()

    async def _send(self, name: str, listener: _Listener) -> None:
        while self._listeners.get(name) is listener:
            await listener.filled.wait()
            listener.filled.clear()
            while listener.waiting:
                await self._event_bus.broadcast(
                    listener.waiting.popleft(), BroadcastConfig(filter_endpoint=name)
                )

    def _tell(self, fact: Type[BaseEvent], make: Callable[[], BaseEvent]) -> None:
        for name in self._listening.get(fact, ()):
            listener = self._listeners[name]
            # An event is bound to where it goes, so each listener gets its own.
            listener.waiting.append(make())
            listener.filled.set()

    def availability_updated(self, peer: PeerID, head_view: int, ranges: ViewRanges) -> None:
        session = cast(SessionAPI, peer)
        self._tell(
            AvailabilityUpdated,
            lambda: AvailabilityUpdated(
                session, head_view, tuple((start, stop) for start, stop in ranges)
            ),
        )

    def views_requested(self, peer: PeerID, request_id: int, views: ViewRange) -> None:
        session = cast(SessionAPI, peer)
        self._tell(ViewsRequested, lambda: ViewsRequested(session, request_id, *views))

    def views_timed_out(self, peer: PeerID, request_id: int, views: ViewRange) -> None:
        session = cast(SessionAPI, peer)
        self._tell(ViewsTimedOut, lambda: ViewsTimedOut(session, request_id, *views))

    def peer_scored(self, peer: PeerID, score: float, reason: str) -> None:
        self._tell(PeerScored, lambda: PeerScored(cast(SessionAPI, peer), score, reason))

    def views_imported(self, views: ViewRange, blocks: int, head_hash: bytes) -> None:
        self._tell(ViewsImported, lambda: ViewsImported(*views, blocks, head_hash))
