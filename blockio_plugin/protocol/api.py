"""What block I/O knows and does on one connection, in the process that holds it."""
from __future__ import annotations

import asyncio
import contextlib
from typing import Any, AsyncIterator, Callable, Optional, Set, Union

from p2p.abc import CommandAPI, ConnectionAPI
from p2p.exceptions import PeerConnectionLost
from p2p.logic import Application
from p2p.qualifiers import HasProtocol

from blockio_plugin.protocol.commands import (
    AvailabilityCommand,
    BlocksByViewCommand,
    Breach,
    GetBlocksByViewCommand,
)
from blockio_plugin.protocol.proto import BlockIOProtocol
from blockio_plugin.protocol.throttle import AdvertThrottle
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView

MAX_OPEN_REQUESTS = 256
"""
Requests of ours that a peer has not answered, most. A late answer is no offence, so requests that
timed out stay open; a peer that owes this many is not asked any more. Chosen well above what the
planner keeps in flight at one peer.
"""

MAX_UNANSWERED_REQUESTS = 64
"""Requests of a peer that wait for our answer, most; more are declined at once."""

MAX_SENT_BLOCK_BYTES = 13 * 1024 * 1024
"""
Bytes of blocks in an answer that we send, most. A frame of RLPx stays below 16 MiB, and snappy may
make it 7/6 as long (its format description). Only a single huge block comes near it.
"""

Payload = Union[Availability, GetBlocksByView, BlocksByView]
"""What a peer may send."""


def decline(request_id: int, start_view: int) -> BlocksByView:
    """The answer that says that there is none."""
    return BlocksByView(request_id, start_view, length=0, next_view=0, blocks=())


class BlockIOAPI(Application):
    """
    Sends our commands on a connection, and judges what comes before it goes any further.

    Whoever wants what comes attaches itself; until then requests are declined. An offence ends the
    connection here, through ``drop``, so that what nobody asked for never crosses the bus.
    """

    name = BlockIOProtocol.name
    qualifier = HasProtocol(BlockIOProtocol)

    def __init__(self, drop: Callable[[str], None]) -> None:
        self._drop = drop
        self._receive: Optional[Callable[[Payload], None]] = None
        self._throttle = AdvertThrottle(self._pass_on_advert)
        self._latest_advert: Optional[Availability] = None
        self._open_requests: Set[int] = set()
        self._unanswered_requests: Set[int] = set()
        self._is_over = False

    @contextlib.asynccontextmanager
    async def apply(self, connection: ConnectionAPI) -> AsyncIterator[asyncio.Task[Any]]:
        """Handle the commands of the protocol for as long as the context lasts."""
        with connection.add_protocol_handler(BlockIOProtocol, self._handle):
            async with super().apply(connection) as task:
                try:
                    yield task
                finally:
                    self._end()

    def attach(self, receive: Callable[[Payload], None]) -> None:
        """Call ``receive`` with what the peer sends, as far as it is sound, and its last advert."""
        self._receive = receive
        if self._latest_advert is not None:
            receive(self._latest_advert)

    @property
    def latest_advert(self) -> Optional[Availability]:
        """What the peer advertised last, as passed on; None before it did."""
        return self._latest_advert

    def send_availability(self, advert: Availability) -> None:
        """
        Advertise. Nothing happens where the connection is closing.

        :raise ValueError: where the advert breaks a bound of the protocol
        """
        self._send(AvailabilityCommand(advert))

    def send_request(self, request: GetBlocksByView) -> bool:
        """
        Ask for blocks, and say whether that was possible.

        It is not while the connection is closing, a request with the same identifier is open, or
        too many are.

        :raise ValueError: where the request breaks a bound of the protocol
        """
        if request.request_id in self._open_requests:
            return False
        if len(self._open_requests) >= MAX_OPEN_REQUESTS:
            return False
        if not self._send(GetBlocksByViewCommand(request)):
            return False
        self._open_requests.add(request.request_id)
        self._protocol.answers_due += 1
        return True

    def send_answer(self, answer: BlocksByView) -> None:
        """
        Answer a request. One that is not waiting for an answer gets none.

        :raise ValueError: where the answer breaks a bound of the protocol
        """
        if answer.request_id not in self._unanswered_requests:
            return
        if sum(map(len, answer.blocks)) > MAX_SENT_BLOCK_BYTES:
            answer = decline(answer.request_id, answer.start_view)
        self._unanswered_requests.remove(answer.request_id)
        self._send(BlocksByViewCommand(answer))

    @property
    def _protocol(self) -> BlockIOProtocol:
        protocol: BlockIOProtocol = self.connection.get_protocol_by_type(BlockIOProtocol)
        return protocol

    def _send(self, command: CommandAPI[Any]) -> bool:
        if self._is_over:
            return False
        try:
            self._protocol.send(command)
        except PeerConnectionLost:
            return False
        return True

    async def _handle(self, connection: ConnectionAPI, command: CommandAPI[Any]) -> None:
        if self._is_over:
            return
        if isinstance(command, AvailabilityCommand):
            self._throttle.submit(command.payload)
        elif isinstance(command, GetBlocksByViewCommand):
            self._receive_request(command.payload)
        elif isinstance(command, BlocksByViewCommand):
            self._receive_answer(command.payload)
        elif isinstance(command, Breach):
            self._offend(command.payload)

    def _pass_on_advert(self, advert: Availability) -> None:
        self._latest_advert = advert
        if self._receive is not None:
            self._receive(advert)

    def _receive_request(self, request: GetBlocksByView) -> None:
        if (
            self._receive is None
            or len(self._unanswered_requests) >= MAX_UNANSWERED_REQUESTS
            or request.request_id in self._unanswered_requests
        ):
            self._send(BlocksByViewCommand(decline(request.request_id, request.start_view)))
            return
        self._unanswered_requests.add(request.request_id)
        self._receive(request)

    def _receive_answer(self, answer: BlocksByView) -> None:
        if answer.request_id not in self._open_requests:
            self._offend("an answer to a request that was never made")
            return
        self._open_requests.remove(answer.request_id)
        if self._receive is not None:
            self._receive(answer)

    def _offend(self, reason: str) -> None:
        self._end()
        self._drop(reason)

    def _end(self) -> None:
        self._is_over = True
        self._throttle.close()
