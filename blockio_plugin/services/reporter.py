"""Says in the log how the sync goes, and why it does not."""
import asyncio
import logging
import time
from typing import Callable, Optional

from async_service import Service

from blockio_plugin.rules.durations import describe_seconds
from blockio_plugin.rules.outlook import Outlook
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.services.observer import Observer

REPORT_INTERVAL = 7.5
"""Seconds between two lines while syncing: eight a minute. Trinity has one or two of its own, and
there is one on what was served."""

LONELY_INTERVAL = 60.0
"""Seconds between two lines while there is nobody to sync from, which may be as it should."""

NEGLECT_INTERVAL = 60.0
"""Seconds between two warnings that nothing moves though somebody could be asked."""


def describe(outlook: Outlook, rate: float, now: float) -> str:
    """
    One line on the sync, with a reason where nothing moves.

    :param rate: blocks/s imported since the last line
    :param now: seconds since 1970
    """
    status = outlook.fetch
    place = (
        f"view {outlook.head_view}, block {outlook.head_number} 0x{outlook.head_hash.hex()[:8]}"
    )
    if outlook.is_synced:
        line = f"Synced to {place}"
        if outlook.target_view > outlook.head_view:
            line += f"; a peer claims blocks up to view {outlook.target_view}, but gives none"
        return line
    if not status.peers or outlook.target_view <= outlook.head_view:
        return f"At {place}; {outlook.reason}"
    peers = "1 peer" if len(status.peers) == 1 else f"{len(status.peers)} peers"
    line = (
        f"Syncing: {_describe_progress(outlook)}, {rate:.0f} blocks/s, "
        f"{_describe_lag(outlook, now)}{peers}, "
        f"{status.blocks_in_flight} blocks in flight, {status.cached_blocks} cached"
    )
    return f"{line}; {outlook.reason}" if not rate and outlook.reason else line


def _describe_lag(outlook: Outlook, now: float) -> str:
    if outlook.head_timestamp is None:
        return ""
    return f"{describe_seconds(now - outlook.head_timestamp)} behind, "


def _describe_progress(outlook: Outlook) -> str:
    views = f"view {outlook.head_view} of {outlook.target_view}, block {outlook.head_number}"
    if outlook.percent is None:
        return views
    eta = outlook.eta_seconds
    left = "" if eta is None else f", {describe_seconds(eta)} left"
    return f"{views} of {outlook.target_number} ({outlook.percent:.1f} %{left})"


class Reporter(Service):
    """
    Every few seconds while syncing, once when the head is reached, now and then when alone. What is
    a fault of ours is a warning.

    :param wall_clock: seconds since 1970
    """

    logger = logging.getLogger("blockio_plugin.services.Reporter")

    def __init__(
        self,
        observer: Observer,
        log: PeerLog,
        clock: Callable[[], float],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._observer = observer
        self._log = log
        self._clock = clock
        self._wall_clock = wall_clock
        self._imported = 0
        self._quiet_until: Optional[float] = None
        self._warn_from: Optional[float] = None
        self._was_synced = False

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
        outlook = self._observer.look()
        neglect = outlook.fetch.neglect
        if neglect is not None and (self._warn_from is None or now >= self._warn_from):
            self._warn_from = now + NEGLECT_INTERVAL
            self.logger.warning("%s", neglect)
        if outlook.is_synced and not self._was_synced:
            self._log.note(f"synced to block {outlook.head_number}", now)
        self._was_synced = outlook.is_synced
        has_target = outlook.target_view > outlook.head_view
        if outlook.fetch.peers and not outlook.is_synced and has_target:
            self._quiet_until = None
        elif self._quiet_until is not None and now < self._quiet_until:
            return
        else:
            is_synced = outlook.is_synced
            self._quiet_until = float("inf") if is_synced else now + LONELY_INTERVAL
        self.logger.info("%s", describe(outlook, rate, self._wall_clock()))
