"""Sends commands to peers from the process of block I/O."""
from typing import cast

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

    The bus takes them without back-pressure. What is under way is bounded all the same: answers by
    the requests that a connection lets through unanswered, the rest by being small.
    """

    def __init__(self, event_bus: EndpointAPI) -> None:
        self._event_bus = event_bus

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        self._send(SendAvailabilityCommand(cast(SessionAPI, peer), advert))

    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        self._send(SendGetBlocksByViewCommand(cast(SessionAPI, peer), request))

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        self._send(SendBlocksByViewCommand(cast(SessionAPI, peer), answer))

    def drop(self, peer: PeerID, reason: str) -> None:
        self._send(DropPeerCommand(cast(SessionAPI, peer), reason))

    def _send(self, command: BaseEvent) -> None:
        self._event_bus.broadcast_nowait(command, TO_NETWORKING_BROADCAST_CONFIG)
