"""Executes what the planner decides: sends requests, and times them out."""
import asyncio
import logging
from typing import Callable, Optional, Tuple

from async_service import Service
from typing_extensions import Protocol

from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.requests import Request
from blockio_plugin.services.abc import FactsAPI, InboxAPI, WireAPI
from blockio_plugin.services.facts import NO_FACTS
from blockio_plugin.services.waiting import wait_at_most

MAX_IDLE = 1.0
"""Seconds between two plans, most. Plans follow events; this catches what no event announces."""


class Asking(Protocol):
    """What decides whom to ask for what: a fetch, or a group of them."""

    def expire(self, now: float) -> Tuple[Request, ...]:
        """Give up on requests that are late: these."""

    def plan(self, now: float) -> Tuple[Request, ...]:
        """Decide what to ask of whom, and count it as asked."""

    def wake_at(self, now: float) -> Optional[float]:
        """When to call both again at the latest; None: only when asked to."""


class Scheduler(Service):
    """The loop around the fetch. Whoever tells the fetch something wakes it."""

    logger = logging.getLogger("blockio_plugin.services.Scheduler")

    def __init__(
        self,
        fetch: Asking,
        inbox: InboxAPI,
        wire: WireAPI,
        clock: Callable[[], float],
        facts: FactsAPI = NO_FACTS,
    ) -> None:
        self._fetch = fetch
        self._inbox = inbox
        self._wire = wire
        self._clock = clock
        self._facts = facts
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something has changed: plan again."""
        self._woken.set()

    async def run(self) -> None:
        while self.manager.is_running:
            self._woken.clear()
            now, arrived_at = self._clock(), self._inbox.oldest_answer
            # What waits to be decoded came in time, whatever it has to wait for.
            for request in self._fetch.expire(now if arrived_at is None else arrived_at):
                self.logger.debug("No answer for views %s from %s yet", request.views, request.peer)
                self._facts.views_timed_out(request.peer, request.request_id, request.views)
            for request in self._fetch.plan(now):
                self._wire.send_request(
                    request.peer,
                    GetBlocksByView(
                        request.request_id,
                        request.views.start,
                        request.views.length,
                        request.max_blocks,
                    ),
                )
                self._facts.views_requested(request.peer, request.request_id, request.views)
            wake_at = self._fetch.wake_at(now)
            if wake_at is None or arrived_at is not None:
                # Whoever takes the answers that wait wakes us.
                delay = MAX_IDLE
            else:
                delay = min(MAX_IDLE, max(0.0, wake_at - now))
            await wait_at_most(delay, self._woken.wait())
