import asyncio
from typing import List, Tuple

from blockio_plugin.protocol.throttle import ADVERT_INTERVAL, AdvertThrottle
from blockio_plugin.rules.messages import Availability


def advert(head_view: int) -> Availability:
    return Availability("number", head_view, ())


class Passed:
    """The head views that were passed on, and when."""

    def __init__(self) -> None:
        self.adverts: List[Tuple[float, int]] = []
        self._started = asyncio.get_event_loop().time()

    def __call__(self, passed: Availability) -> None:
        at = asyncio.get_event_loop().time() - self._started
        self.adverts.append((round(at, 6), passed.head_view))


async def test_first_passes_at_once() -> None:
    passed = Passed()
    AdvertThrottle(passed).submit(advert(1))
    assert passed.adverts == [(0.0, 1)]


async def test_of_a_burst_the_latest_passes_when_the_interval_is_over() -> None:
    passed = Passed()
    throttle = AdvertThrottle(passed)
    for head_view in range(1, 101):
        throttle.submit(advert(head_view))
        await asyncio.sleep(0.001)
    await asyncio.sleep(10)
    assert passed.adverts == [(0.0, 1), (ADVERT_INTERVAL, 100)]


async def test_slow_adverts_are_not_delayed() -> None:
    passed = Passed()
    throttle = AdvertThrottle(passed)
    for head_view in range(3):
        throttle.submit(advert(head_view))
        await asyncio.sleep(2.5)
    assert passed.adverts == [(0.0, 0), (2.5, 1), (5.0, 2)]


async def test_never_more_than_one_an_interval() -> None:
    passed = Passed()
    throttle = AdvertThrottle(passed)
    for head_view in range(300):
        throttle.submit(advert(head_view))
        await asyncio.sleep(0.07)
    times = [at for at, _ in passed.adverts]
    assert len(times) >= 20
    assert all(late - early >= ADVERT_INTERVAL - 1e-6 for early, late in zip(times, times[1:]))


async def test_nothing_passes_after_close() -> None:
    passed = Passed()
    throttle = AdvertThrottle(passed)
    throttle.submit(advert(1))
    throttle.submit(advert(2))
    throttle.close()
    await asyncio.sleep(10)
    assert passed.adverts == [(0.0, 1)]
