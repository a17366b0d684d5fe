"""What came from peers and was not dealt with yet, in one order."""
import asyncio
from collections import deque
from typing import AsyncIterator, Deque, Optional

from blockio_plugin.services.abc import AnswerReceived, InboxAPI, PeerEvent


class EventQueue(InboxAPI):
    """First in, first out, for one reader. It has no bound: who puts in has to have one."""

    def __init__(self) -> None:
        self._queue: "asyncio.Queue[PeerEvent]" = asyncio.Queue()
        self._arrivals: Deque[float] = deque()

    def put(self, *events: PeerEvent) -> None:
        """Add events at the end."""
        for event in events:
            if isinstance(event, AnswerReceived):
                self._arrivals.append(event.arrived_at)
            self._queue.put_nowait(event)

    async def stream(self) -> AsyncIterator[PeerEvent]:
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, AnswerReceived):
                self._arrivals.popleft()

    @property
    def oldest_answer(self) -> Optional[float]:
        return self._arrivals[0] if self._arrivals else None

    def __len__(self) -> int:
        return self._queue.qsize()
