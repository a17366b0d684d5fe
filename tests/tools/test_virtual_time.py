"""An hour of waiting takes no time, and threads are waited for."""
import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import List

import pytest

from blockio_plugin.tools.virtual_time import TICK, VirtualLoop, VirtualTimePolicy


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTimePolicy()


async def test_time_passes_when_nobody_has_anything_to_do() -> None:
    loop = asyncio.get_event_loop()
    await asyncio.sleep(3600)
    assert loop.time() == 3600
    # The shortest wait has an end, too.
    await asyncio.sleep(1e-12)
    assert loop.time() == pytest.approx(3600 + TICK, abs=TICK)


async def test_jobs_of_one_executor_are_done_in_order_whatever_they_take() -> None:
    loop = asyncio.get_event_loop()
    assert isinstance(loop, VirtualLoop)
    delays = iter([2.0, 1.0, 0.0, 0.0])
    loop.delay = lambda: next(delays)
    one, other = ThreadPoolExecutor(), ThreadPoolExecutor()
    done: List[int] = []
    jobs = [loop.run_in_executor(one, done.append, number) for number in range(3)]
    jobs.append(loop.run_in_executor(other, done.append, 3))
    await jobs[3]
    assert (loop.time(), done) == (0.0, [3])
    await asyncio.gather(*jobs)
    assert (loop.time(), done) == (3.0, [3, 0, 1, 2])


async def test_what_a_job_raises_is_raised_where_it_is_waited_for() -> None:
    loop = asyncio.get_event_loop()
    with pytest.raises(ValueError):
        await loop.run_in_executor(None, int, "none")


async def test_a_job_that_nobody_waits_for_any_more_is_done_all_the_same() -> None:
    loop = asyncio.get_event_loop()
    done: List[int] = []
    loop.run_in_executor(None, done.append, 1).cancel()
    await asyncio.sleep(1)
    assert done == [1]
