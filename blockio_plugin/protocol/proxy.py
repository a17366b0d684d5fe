"""Sends commands to peers from the process of block I/O."""
import asyncio
from typing import Set, cast

from lahja import BaseEvent, EndpointAPI
from p2p.abc import SessionAPI
from trinity.constants import TO_NETWORKING_BROADCAST_CONFIG

from blockio_plugin.protocol.events import (
    DropPeerCommand,
    SendAvailabilityCommand,
    SendBlocksByViewCommand,
    SendGetBlocksByViewCommand,
)
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.services.abc import PeerID, WireAPI


class ProxyBlockIOAPI(WireAPI):
    """
    Hands commands to the process that holds the connections. Peers are known by their session.

    The bus takes them without back-pressure. Whoever sends answers waits until they are out of this
    process; the rest is small.
    """

    def __init__(self, event_bus: EndpointAPI) -> None:
        self._event_bus = event_bus
        self._leaving: Set["asyncio.Future[None]"] = set()

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        self._send(SendAvailabilityCommand(cast(SessionAPI, peer), advert))

    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        self._send(SendGetBlocksByViewCommand(cast(SessionAPI, peer), request))

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        command = SendBlocksByViewCommand(cast(SessionAPI, peer), answer)
        if not answer.blocks:
            self._send(command)
            return
        # It returns once the other process has taken it.
        leaving = asyncio.ensure_future(
            self._event_bus.broadcast(command, TO_NETWORKING_BROADCAST_CONFIG)
        )
        self._leaving.add(leaving)

    async def wait_sent(self) -> None:
        leaving, self._leaving = self._leaving, set()
        await asyncio.gather(*leaving)

    def drop(self, peer: PeerID, reason: str) -> None:
        self._send(DropPeerCommand(cast(SessionAPI, peer), reason))

    def _send(self, command: BaseEvent) -> None:
        self._event_bus.broadcast_nowait(command, TO_NETWORKING_BROADCAST_CONFIG)
