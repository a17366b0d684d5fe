"""Answers those who ask over the bus for views, and sends them what comes."""
import asyncio
from itertools import count
import logging
from typing import Dict, NamedTuple, Type, cast
import uuid

from async_service import Service
from lahja import BaseEvent, BroadcastConfig, EndpointAPI
from lahja.typing import RequestID
from p2p.abc import SessionAPI

from blockio_plugin.events import (
    AcknowledgeBlocksCommand,
    BlocksFetched,
    CancelFetchCommand,
    CheckFetchRequest,
    CheckFetchResponse,
    FetchCompleted,
    FetchedBlock,
    FetchProbe,
    FetchRefused,
    FetchViewsRequest,
    FetchViewsResponse,
)
from blockio_plugin.rules.fetch_group import TooManyFetches
from blockio_plugin.rules.outlet import DEFAULT_WINDOW, Delivery
from blockio_plugin.rules.views_fetch import InvalidRanges, check_ranges, check_window
from blockio_plugin.services.byte_gate import ByteGate
from blockio_plugin.services.fetcher import Fetcher, OpenFetch
from blockio_plugin.services.waiting import wait_at_most

SUBSCRIBE_TIME = 10.0
"""Seconds that an endpoint that is connected has to subscribe to what it asked for."""

COPIES = 2
"""Copies of a delivery that the bus makes while it is sent: pickled, and in the socket's buffer."""

PROBE_INTERVAL = 5.0
"""Seconds between two probes of an endpoint to which nothing was sent: whether it is gone shows
only when something is sent to it."""


class _SubscriberGone(Exception):
    """Whoever asked is not there any more, or does not listen."""


class _BusFetch(NamedTuple):
    fetch_id: str
    endpoint: str
    fetch: OpenFetch
    has_window: bool
    cancelled: asyncio.Event


class FetchResponder(Service):
    """
    One task for each fetch: one that is sent nothing does not hold up the others.

    :param memory: bytes that copies of blocks may take while they are sent
    """

    logger = logging.getLogger("blockio_plugin.node.FetchResponder")

    def __init__(self, event_bus: EndpointAPI, fetcher: Fetcher, memory: int) -> None:
        self._event_bus = event_bus
        self._gate = ByteGate(memory)
        self._fetcher = fetcher
        # An identifier of before a restart names nothing after it.
        self._ids = map((uuid.uuid4().hex[:8] + "-{}").format, count(1))
        self._fetches: Dict[str, _BusFetch] = {}

    async def run(self) -> None:
        self.manager.run_daemon_task(self._take_acknowledgements)
        self.manager.run_daemon_task(self._take_cancellations)
        self.manager.run_daemon_task(self._answer_checks)
        async for request in self._event_bus.stream(FetchViewsRequest):
            await self._event_bus.broadcast(self._begin(request), request.broadcast_config())

    def _begin(self, request: FetchViewsRequest) -> FetchViewsResponse:
        try:
            ranges = check_ranges(request.ranges)
            window = DEFAULT_WINDOW if request.window is None else check_window(request.window)
            fetch = self._fetcher.begin(ranges, window)
        except (InvalidRanges, TooManyFetches) as err:
            return FetchViewsResponse("", FetchRefused(str(err)))
        begun = _BusFetch(
            next(self._ids),
            request.get_origin(),
            fetch,
            request.window is not None,
            asyncio.Event(),
        )
        self._fetches[begun.fetch_id] = begun
        self.manager.run_task(self._run, begun)
        return FetchViewsResponse(begun.fetch_id, None)

    async def _take_acknowledgements(self) -> None:
        async for event in self._event_bus.stream(AcknowledgeBlocksCommand):
            begun = self._fetches.get(event.fetch_id)
            if begun is not None and begun.has_window and type(event.blocks) is int:
                begun.fetch.settle(max(0, event.blocks))

    async def _take_cancellations(self) -> None:
        async for event in self._event_bus.stream(CancelFetchCommand):
            begun = self._fetches.get(event.fetch_id)
            if begun is not None:
                begun.cancelled.set()
                self._end(begun)

    async def _answer_checks(self) -> None:
        async for request in self._event_bus.stream(CheckFetchRequest):
            is_open = request.fetch_id in self._fetches
            await self._event_bus.broadcast(
                CheckFetchResponse(is_open), request.broadcast_config()
            )

    def _end(self, begun: _BusFetch) -> None:
        self._fetches.pop(begun.fetch_id, None)
        self._fetcher.end(begun.fetch)

    async def _run(self, begun: _BusFetch) -> None:
        loop = asyncio.get_event_loop()
        sent_at = loop.time()
        try:
            async for delivery in begun.fetch.deliveries():
                if begun.cancelled.is_set():
                    return
                if delivery is not None:
                    async with self._gate.carry(COPIES * delivery.bytes):
                        await self._send(begun, self._make_event(begun, delivery))
                    sent_at = loop.time()
                    if not begun.has_window:
                        begun.fetch.settle(len(delivery.blocks))
                elif loop.time() >= sent_at + PROBE_INTERVAL:
                    await self._probe(begun)
                    sent_at = loop.time()
            if not begun.cancelled.is_set():
                # Plain pairs: our own kind of range would bring its module to whoever asked.
                ended = [
                    tuple((start, stop) for start, stop in ranges)
                    for ranges in begun.fetch.complete()
                ]
                await self._send(begun, FetchCompleted(begun.fetch_id, *ended))
        except _SubscriberGone:
            self.logger.debug("Fetch %s has lost its subscriber", begun.fetch_id)
        except Exception as err:
            # Whatever one subscriber does is no reason for the node to end.
            self.logger.error("Fetch %s ended: %r", begun.fetch_id, err)
            self.logger.debug("Fetch %s ended", begun.fetch_id, exc_info=True)
        finally:
            self._end(begun)

    @staticmethod
    def _make_event(begun: _BusFetch, delivery: Delivery) -> BlocksFetched:
        return BlocksFetched(
            cast(SessionAPI, delivery.peer),
            tuple(FetchedBlock(block.view, block.hash, block.rlp) for block in delivery.blocks),
            begun.fetch_id,
        )

    async def _send(self, begun: _BusFetch, event: BaseEvent) -> None:
        """
        Send ``event``; it returns when the other process has taken it, which is what paces a fetch.

        :raise _SubscriberGone: nobody is there to take it
        """
        await self._wait_subscribed(begun.endpoint, type(event))
        await self._event_bus.broadcast(event, BroadcastConfig(filter_endpoint=begun.endpoint))

    async def _wait_subscribed(self, endpoint: str, event_type: Type[BaseEvent]) -> None:
        if self._event_bus.is_endpoint_subscribed_to(endpoint, event_type):
            return
        if not self._event_bus.is_connected_to(endpoint):
            raise _SubscriberGone()
        # A subscription travels behind a request that was made at once.
        subscribed = self._event_bus.wait_until_endpoint_subscribed_to(endpoint, event_type)
        if not await wait_at_most(SUBSCRIBE_TIME, subscribed):
            raise _SubscriberGone()

    async def _probe(self, begun: _BusFetch) -> None:
        """
        :raise _SubscriberGone: the other end of the connection is gone
        """
        if not self._event_bus.is_connected_to(begun.endpoint):
            raise _SubscriberGone()
        # What looks like a response goes out whether or not anybody subscribed.
        config = BroadcastConfig(
            filter_endpoint=begun.endpoint,
            filter_event_id=RequestID(begun.fetch_id.encode()),
        )
        await self._event_bus.broadcast(FetchProbe(begun.fetch_id), config)
