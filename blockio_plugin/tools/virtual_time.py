"""An event loop whose time passes only when nobody has anything to do, so that waiting is free."""
import asyncio
from collections import defaultdict, deque
from typing import Any, Callable, Deque, Dict

import async_solipsism

TICK = 2e-6
"""Seconds of the shortest wait: two steps of the clock."""


class VirtualLoop(async_solipsism.EventLoop):  # type: ignore[misc]
    """
    What is given to a thread is done without one, ``delay()`` seconds later, one after the other
    for each executor: time would pass here while threads are at work.
    """

    def __init__(self) -> None:
        super().__init__()
        self.delay: Callable[[], float] = lambda: 0.0
        self._jobs: Dict[object, Deque[Callable[[], None]]] = defaultdict(deque)
        self._free_at: Dict[object, float] = defaultdict(float)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Call back at ``when``, or a tick of the clock from now: shorter waits never end here."""
        now = self.time()
        if now < when < now + TICK:
            when = now + TICK
        handle: asyncio.TimerHandle = super().call_at(when, callback, *args, context=context)
        return handle

    def run_in_executor(
        self, executor: object, function: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """The result of ``function(*args)``, or what it raised, later."""
        result: "asyncio.Future[Any]" = self.create_future()

        def work() -> None:
            # It is done even where nobody waits any more, as in a thread.
            try:
                done = function(*args)
            except Exception as err:
                if not result.done():
                    result.set_exception(err)
            else:
                if not result.done():
                    result.set_result(done)

        jobs = self._jobs[executor]
        jobs.append(work)
        # Timers of the same time may come in any order.
        self._free_at[executor] = max(self._free_at[executor], self.time()) + self.delay()
        self.call_at(self._free_at[executor], lambda: jobs.popleft()())
        return result


class VirtualTimePolicy(asyncio.DefaultEventLoopPolicy):
    """Makes such loops."""

    def new_event_loop(self) -> VirtualLoop:
        """A loop at time 0."""
        return VirtualLoop()
