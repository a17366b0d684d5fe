"""A wire that leads nowhere and remembers what was sent, for tests of what sends."""
import asyncio
from typing import Any, List, NamedTuple, Union

from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.services.abc import PeerID, WireAPI

Payload = Union[Availability, GetBlocksByView, BlocksByView, str]


class Sent(NamedTuple):
    """One command: when, to whom, and what. A drop has its reason as payload."""

    at: float
    peer: PeerID
    payload: Any


class RecordingWire(WireAPI):
    """Keeps everything in ``sent``, in order, with the time of the running loop."""

    def __init__(self) -> None:
        self.sent: List[Sent] = []

    def _record(self, peer: PeerID, payload: Payload) -> None:
        self.sent.append(Sent(asyncio.get_event_loop().time(), peer, payload))

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        self._record(peer, advert)

    def send_request(self, peer: PeerID, request: GetBlocksByView) -> None:
        self._record(peer, request)

    def send_answer(self, peer: PeerID, answer: BlocksByView) -> None:
        self._record(peer, answer)

    def drop(self, peer: PeerID, reason: str) -> None:
        self._record(peer, reason)
