"""Says in the log how the sync goes, and why it does not."""
import asyncio
import logging
from typing import Callable

from async_service import Service

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.services.abc import ChainHead

REPORT_INTERVAL = 5.0
"""Seconds between two lines while syncing."""


class Reporter(Service):
    """One line at INFO every few seconds while syncing, and one when the head is reached."""

    logger = logging.getLogger("blockio_plugin.services.Reporter")

    def __init__(
        self, fetch: Fetch, get_head: Callable[[], ChainHead], clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._get_head = get_head
        self._clock = clock
        self._imported = 0

    def count(self, imported: int) -> None:
        """So many blocks were imported just now."""
        self._imported += imported

    async def run(self) -> None:
        syncing = True
        reported, reported_at = 0, self._clock()
        while self.manager.is_running:
            await asyncio.sleep(REPORT_INTERVAL)
            now = self._clock()
            rate = (self._imported - reported) / (now - reported_at)
            reported, reported_at = self._imported, now
            status = self._fetch.status(now)
            head = self._get_head()
            if head.view + 1 >= status.target and status.peers:
                if syncing:
                    self.logger.info(
                        "Synced to view %d: block %d 0x%s",
                        head.view,
                        head.number,
                        head.hash.hex()[:8],
                    )
                syncing = False
                continue
            syncing = True
            self.logger.info(
                "Syncing: view %d of %d, block %d, %.0f blocks/s, %d peers, "
                "%d blocks in flight, %d cached%s",
                head.view,
                status.target - 1,
                head.number,
                rate,
                len(status.peers),
                status.blocks_in_flight,
                status.cached_blocks,
                f"; {status.idle_reason}" if rate == 0 and status.idle_reason else "",
            )
