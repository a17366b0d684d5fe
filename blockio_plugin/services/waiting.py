"""Waiting that has an end."""
import asyncio
from typing import Any, Coroutine, Optional


async def wait_at_most(seconds: Optional[float], waiting: Coroutine[Any, Any, object]) -> bool:
    """
    Wait for ``waiting``, at most so many seconds (None: no limit), and say whether it came.

    ``asyncio.wait_for`` of Python 3.8 loses a cancellation that comes together with what is waited
    for (bpo-37658), and a service that loses it never ends.
    """
    waiter = asyncio.ensure_future(waiting)
    try:
        done, _ = await asyncio.wait({waiter}, timeout=seconds)
        return bool(done)
    finally:
        waiter.cancel()
