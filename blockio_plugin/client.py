"""
Fetch views from a Trinity component of your own: ``async with fetch_views(bus, ranges) as blocks``.

For endpoints that run on asyncio, as those of ``AsyncioIsolatedComponent`` do.
"""
import asyncio
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import AsyncIterator, Deque, Iterable, Optional, Tuple, Type, TypeVar, Union

from lahja import BaseEvent, BaseRequestResponseEvent, EndpointAPI
from lahja.exceptions import NoSubscribers

from blockio_plugin.events import (
    BLOCKIO_ENDPOINT,
    TO_BLOCKIO_BROADCAST_CONFIG,
    AcknowledgeBlocksCommand,
    BlocksFetched,
    CancelFetchCommand,
    CheckFetchRequest,
    FetchCompleted,
    FetchedBlock,
    FetchViewsRequest,
    FetchViewsResponse,
)

START_TIMEOUT = 60.0
"""Seconds that block I/O may take to come up, by default: a node on a busy machine takes 40."""

DEFAULT_WINDOW = 4096
"""Blocks that may be sent ahead of what was consumed, by default: fewer where they are large, since
all fetches share a part of the node's memory (``--blockio-memory``)."""

CHECK_INTERVAL = 2.0
"""Seconds without a block after which we look whether the fetch is still under way."""

ANSWER_TIMEOUT = 10.0
"""Seconds that block I/O has to answer a request."""

LOOK_INTERVAL = 0.2
"""Seconds between two looks at whether block I/O is still there while its answer is waited for."""

SETTLE_TIME = 1.0
"""Seconds after which two endpoints of the bus have surely connected in both directions."""

CANCEL_TIMEOUT = 1.0
"""Seconds for the cancellation of a fetch to leave."""

LATE_TIMEOUT = 60.0
"""Seconds for which an answer that nobody waits for any more is listened for: it may name a fetch
that is to be cancelled."""

TResponse = TypeVar("TResponse", bound=BaseEvent)


class BlockIOUnavailable(Exception):
    """Block I/O is not enabled, did not come up in time, or went down. The message says which."""


class FetchedBlocks:
    """
    The blocks of one fetch, in the order in which they come; an asynchronous iterator.

    What was sent and not consumed yet is bounded by the fetch's window, and by its part of the
    memory that all fetches share.
    """

    def __init__(self, event_bus: EndpointAPI) -> None:
        self._event_bus = event_bus
        self._fetch_id: Optional[str] = None
        self._events: Deque[Union[BlocksFetched, FetchCompleted]] = deque()
        self._arrived = asyncio.Event()
        self._blocks: Deque[FetchedBlock] = deque()
        self._consumed = 0
        self._completion: Optional[FetchCompleted] = None

    @property
    def completion(self) -> FetchCompleted:
        """
        What came of the views that gave no block.

        :raise RuntimeError: not all blocks were consumed yet
        """
        if self._completion is None:
            raise RuntimeError("the fetch is not complete")
        return self._completion

    def __aiter__(self) -> "FetchedBlocks":
        return self

    async def __anext__(self) -> FetchedBlock:
        """
        The next block.

        :raise BlockIOUnavailable: block I/O went down
        """
        while not self._blocks:
            if self._completion is not None:
                raise StopAsyncIteration
            await self._acknowledge()
            event = await self._next_event()
            if isinstance(event, FetchCompleted):
                self._completion = event
            else:
                self._blocks.extend(event.blocks)
        self._consumed += 1
        return self._blocks.popleft()

    async def _acknowledge(self) -> None:
        consumed, self._consumed = self._consumed, 0
        if consumed:
            assert self._fetch_id is not None
            await self._event_bus.broadcast(
                AcknowledgeBlocksCommand(self._fetch_id, consumed), TO_BLOCKIO_BROADCAST_CONFIG
            )

    async def _next_event(self) -> Union[BlocksFetched, FetchCompleted]:
        while not self._events:
            self._arrived.clear()
            # asyncio.wait_for could lose a cancellation that comes together with an event.
            arrival = asyncio.ensure_future(self._arrived.wait())
            try:
                done, _ = await asyncio.wait({arrival}, timeout=CHECK_INTERVAL)
            finally:
                arrival.cancel()
            if not done:
                await self._check()
        return self._events.popleft()

    async def _check(self) -> None:
        """
        :raise BlockIOUnavailable: nothing more will come
        """
        assert self._fetch_id is not None
        response = await _request(self._event_bus, CheckFetchRequest(self._fetch_id))
        # What was sent before the response is here by now.
        if not response.is_open and not self._events:
            raise BlockIOUnavailable("block I/O was restarted and forgot the fetch")

    def _put(self, event: Union[BlocksFetched, FetchCompleted]) -> None:
        if self._fetch_id is None or event.fetch_id == self._fetch_id:
            self._events.append(event)
            self._arrived.set()

    async def _begin(self, ranges: Tuple[Tuple[int, int], ...], window: int) -> None:
        request = FetchViewsRequest(ranges, window)
        asked = asyncio.ensure_future(
            self._event_bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG)
        )
        try:
            response = await _wait_answered(self._event_bus, asked, FetchViewsRequest)
        except BaseException:
            asyncio.ensure_future(_cancel_late(self._event_bus, asked))
            raise
        if response.error is not None:
            raise response.error
        self._fetch_id = response.fetch_id
        # Until its name was known, those of other fetches were kept too.
        own = [event for event in self._events if event.fetch_id == self._fetch_id]
        self._events = deque(own)

    async def _end(self) -> None:
        if self._fetch_id is not None and self._completion is None:
            cancellation = self._event_bus.broadcast(
                CancelFetchCommand(self._fetch_id), TO_BLOCKIO_BROADCAST_CONFIG
            )
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(cancellation, CANCEL_TIMEOUT)


@asynccontextmanager
async def fetch_views(
    event_bus: EndpointAPI,
    ranges: Iterable[Tuple[int, int]],
    *,
    window: int = DEFAULT_WINDOW,
    start_timeout: float = START_TIMEOUT,
) -> AsyncIterator[FetchedBlocks]:
    """
    Fetch every block in the half-open view ``ranges``. Leaving the context cancels the fetch.

    Blocks come in no order, each once. After the last one ``completion`` tells of the other views.

    :param window: blocks that may be sent ahead of what was consumed
    :param start_timeout: seconds that block I/O may take to come up
    :raise BlockIOUnavailable: block I/O is not there, or goes down while it fetches
    :raise FetchRefused: the ranges or the window are malformed, or there are too many fetches
    """
    blocks = FetchedBlocks(event_bus)
    subscriptions = (
        event_bus.subscribe(BlocksFetched, blocks._put),
        event_bus.subscribe(FetchCompleted, blocks._put),
    )
    try:
        await _wait_until_up(event_bus, start_timeout)
        await blocks._begin(tuple(ranges), window)
        try:
            yield blocks
        finally:
            await blocks._end()
    finally:
        for subscription in subscriptions:
            subscription.unsubscribe()


async def _wait_until_up(event_bus: EndpointAPI, timeout: float) -> None:
    up = event_bus.wait_until_endpoint_subscribed_to(BLOCKIO_ENDPOINT, FetchViewsRequest)
    try:
        await asyncio.wait_for(up, timeout)
    except asyncio.TimeoutError:
        raise BlockIOUnavailable(
            f"block I/O did not come up in {timeout:.0f} s: is it enabled (--enable-blockio)?"
        ) from None
    # While two endpoints connect, the one may hear the other before it can answer, and the bus
    # drops the response. So the first thing we ask is one that may be lost.
    with suppress(asyncio.TimeoutError, NoSubscribers):
        request = event_bus.request(CheckFetchRequest(""), TO_BLOCKIO_BROADCAST_CONFIG)
        await asyncio.wait_for(request, SETTLE_TIME)


async def _request(
    event_bus: EndpointAPI, request: BaseRequestResponseEvent[TResponse]
) -> TResponse:
    """
    The answer of block I/O.

    :raise BlockIOUnavailable: there is none
    """
    asked = asyncio.ensure_future(event_bus.request(request, TO_BLOCKIO_BROADCAST_CONFIG))
    try:
        return await _wait_answered(event_bus, asked, type(request))
    finally:
        asked.cancel()


async def _wait_answered(
    event_bus: EndpointAPI,
    asked: "asyncio.Future[TResponse]",
    request_type: Type[BaseRequestResponseEvent[TResponse]],
) -> TResponse:
    """
    A request on the bus waits for ever where nobody is left to answer it; this does not.

    :raise BlockIOUnavailable: no answer came
    """
    loop = asyncio.get_event_loop()
    deadline = loop.time() + ANSWER_TIMEOUT
    while True:
        done, _ = await asyncio.wait({asked}, timeout=LOOK_INTERVAL)
        if done:
            return asked.result()
        if not event_bus.is_endpoint_subscribed_to(BLOCKIO_ENDPOINT, request_type):
            raise BlockIOUnavailable("block I/O went down")
        if loop.time() >= deadline:
            raise BlockIOUnavailable(f"block I/O did not answer in {ANSWER_TIMEOUT:.0f} s")


async def _cancel_late(
    event_bus: EndpointAPI, asked: "asyncio.Future[FetchViewsResponse]"
) -> None:
    """Cancel the fetch that a late answer names, if one comes."""
    done, _ = await asyncio.wait({asked}, timeout=LATE_TIMEOUT)
    if not done:
        asked.cancel()
    elif not asked.cancelled() and asked.exception() is None and asked.result().fetch_id:
        await event_bus.broadcast(
            CancelFetchCommand(asked.result().fetch_id), TO_BLOCKIO_BROADCAST_CONFIG
        )
