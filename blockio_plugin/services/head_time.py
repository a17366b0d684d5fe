"""Keeps the time of the chain's head, for those who tell how far behind it is."""
import asyncio
from typing import Callable, Optional

from async_service import Service

from blockio_plugin.services.abc import ChainHead
from blockio_plugin.services.chain_thread import ChainThread

LOOK_INTERVAL = 2.0
"""Seconds between two looks, each of which is two reads of the database where the head moved."""


class HeadTime(Service):
    """
    Looks the time of the head up now and then.

    :param get_head: the head, as far as we know
    """

    def __init__(self, chain: ChainThread, get_head: Callable[[], ChainHead]) -> None:
        self._chain = chain
        self._get_head = get_head
        self.timestamp: Optional[int] = None
        """Seconds since 1970, by the block itself; None before the first look."""

    async def run(self) -> None:
        known: Optional[ChainHead] = None
        while self.manager.is_running:
            head = self._get_head()
            if head != known:
                timestamp = await self._chain.fetch_timestamp(head.number)
                if timestamp is not None:
                    known, self.timestamp = head, timestamp
            await asyncio.sleep(LOOK_INTERVAL)
