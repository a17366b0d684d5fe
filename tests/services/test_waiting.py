import asyncio

import pytest

from blockio_plugin.services.waiting import wait_at_most


async def test_what_comes_in_time() -> None:
    event = asyncio.Event()
    asyncio.get_event_loop().call_later(1, event.set)
    assert await wait_at_most(2, event.wait())


async def test_what_does_not() -> None:
    began = asyncio.get_event_loop().time()
    assert not await wait_at_most(2, asyncio.Event().wait())
    assert asyncio.get_event_loop().time() == began + 2


async def test_a_cancellation_that_comes_with_it_is_not_lost() -> None:
    event = asyncio.Event()
    task = asyncio.ensure_future(wait_at_most(None, event.wait()))
    await asyncio.sleep(1)
    event.set()
    # The event's waiter is done after one turn of the loop, and nobody has looked at it yet.
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
