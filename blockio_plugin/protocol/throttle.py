"""Adverts of one peer, no faster than we care to know."""
import asyncio
from typing import Callable, Optional

from blockio_plugin.rules.messages import Availability

ADVERT_INTERVAL = 1.0
"""
Seconds between adverts of one peer that are passed on, least. The wire protocol lets a change be
advertised once a second and no more often.
"""


class AdvertThrottle:
    """Passes on an advert at most once an interval: the first at once, then the latest."""

    def __init__(self, pass_on: Callable[[Availability], None]) -> None:
        self._pass_on = pass_on
        self._waiting: Optional[Availability] = None
        self._timer: Optional[asyncio.TimerHandle] = None

    def submit(self, advert: Availability) -> None:
        """Pass ``advert`` on now or when the interval is over, unless a later one comes."""
        self._waiting = advert
        if self._timer is None:
            self._pass_on_waiting()

    def close(self) -> None:
        """Pass nothing on any more."""
        self._waiting = None
        if self._timer is not None:
            self._timer.cancel()

    def _pass_on_waiting(self) -> None:
        self._timer = None
        if self._waiting is not None:
            advert, self._waiting = self._waiting, None
            loop = asyncio.get_event_loop()
            self._timer = loop.call_later(ADVERT_INTERVAL, self._pass_on_waiting)
            self._pass_on(advert)
