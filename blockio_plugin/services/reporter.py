"""Says in the log how the sync goes, and why it does not."""
import asyncio
import logging
from typing import Callable, Optional

from async_service import Service
from typing_extensions import Protocol

from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.status import FetchStatus
from blockio_plugin.services.abc import ChainHead

REPORT_INTERVAL = 5.0
"""Seconds between two lines while syncing."""

LONELY_INTERVAL = 60.0
"""Seconds between two lines while there is nobody to sync from, which may be as it should."""

NEGLECT_INTERVAL = 60.0
"""Seconds between two warnings that nothing moves though somebody could be asked."""


def describe(status: FetchStatus, head: ChainHead, is_synced: bool, rate: float) -> str:
    """
    One line on the sync, with a reason where nothing moves.

    :param is_synced: whether ``head`` is at the head of the peers that are believed
    :param rate: blocks/s imported since the last line
    """
    place = f"view {head.view}, block {head.number} 0x{head.hash.hex()[:8]}"
    if not status.peers:
        return f"At {place}; no peers that enable block I/O"
    if is_synced:
        line = f"Synced to {place}"
        if head.view + 1 < status.target:
            line += f"; a peer claims blocks up to view {status.target - 1}, but gives none"
        return line
    if head.view + 1 >= status.target:
        return f"At {place}; no peer has said yet which views it covers"
    peers = "1 peer" if len(status.peers) == 1 else f"{len(status.peers)} peers"
    line = (
        f"Syncing: view {head.view} of {status.target - 1}, block {head.number}, "
        f"{rate:.0f} blocks/s, {peers}, "
        f"{status.blocks_in_flight} blocks in flight, {status.cached_blocks} cached"
    )
    return f"{line}; {status.idle_reason}" if not rate and status.idle_reason else line


class StatusSource(Protocol):
    """What knows how fetching goes: the importer, which knows why importing does not."""

    def status(self, now: float) -> FetchStatus:
        """What is going on, and why nothing is."""


class Reporter(Service):
    """
    Every few seconds while syncing, once when the head is reached, now and then when alone. What is
    a fault of ours is a warning.
    """

    logger = logging.getLogger("blockio_plugin.services.Reporter")

    def __init__(
        self,
        source: StatusSource,
        heads: Heads,
        get_head: Callable[[], ChainHead],
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._heads = heads
        self._get_head = get_head
        self._clock = clock
        self._imported = 0
        self._quiet_until: Optional[float] = None
        self._warn_from: Optional[float] = None

    def count(self, imported: int) -> None:
        """So many blocks were imported just now."""
        self._imported += imported

    async def run(self) -> None:
        while self.manager.is_running:
            self._imported = 0
            began_at = self._clock()
            await asyncio.sleep(REPORT_INTERVAL)
            now = self._clock()
            self._report(self._imported / (now - began_at), now)

    def _report(self, rate: float, now: float) -> None:
        status, head = self._source.status(now), self._get_head()
        if status.neglect is not None and (self._warn_from is None or now >= self._warn_from):
            self._warn_from = now + NEGLECT_INTERVAL
            self.logger.warning("%s", status.neglect)
        is_synced = self._heads.is_reached(head.view, now)
        is_syncing = bool(status.peers) and not is_synced and head.view + 1 < status.target
        if is_syncing:
            self._quiet_until = None
        elif self._quiet_until is not None and now < self._quiet_until:
            return
        else:
            self._quiet_until = float("inf") if is_synced else now + LONELY_INTERVAL
        self.logger.info("%s", describe(status, head, is_synced, rate))
