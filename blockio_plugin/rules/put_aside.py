"""
What follows when a block fails for no fault of its own.

What made it fail may be mended at any moment, or never; and another peer may have another block at
its place. So its place is wanted of the others, and each failure in a row doubles the pause before
the next attempt, up to a bound.
"""
from typing import Dict, Hashable, NamedTuple

from blockio_plugin.rules.intake import Intake
from blockio_plugin.rules.views import ViewRange

FIRST_PAUSE = 1.0
"""Seconds until the second attempt."""

MAX_PAUSE = 64.0
"""Seconds between two attempts, most: how late it may be noticed that the cause is mended."""

MAX_PUT_ASIDE = 256
"""Things put aside at once, most; the oldest give way. Ten times the peers of a node."""


class _Entry(NamedTuple):
    pause: float
    until: float


class PutAside:
    """What failed, by any key, and until when it is not tried again. Times are in seconds."""

    def __init__(self) -> None:
        self._entries: Dict[Hashable, _Entry] = {}

    def add(self, key: Hashable, now: float) -> float:
        """Put aside what has failed just now. Returns the time until which it is."""
        known = self._entries.pop(key, None)
        pause = FIRST_PAUSE if known is None else min(2 * known.pause, MAX_PAUSE)
        self._entries[key] = _Entry(pause, now + pause)
        if len(self._entries) > MAX_PUT_ASIDE:
            del self._entries[next(iter(self._entries))]
        return now + pause

    def until(self, key: Hashable) -> float:
        """The time until which it is put aside; one that is past where it is not."""
        entry = self._entries.get(key)
        return float("-inf") if entry is None else entry.until

    def clear(self) -> None:
        """What stood in the way is gone: forget all failures."""
        self._entries.clear()


def let_go(fetch: Intake, block_hash: bytes, until: float, now: float) -> None:
    """
    Drop a block that ``fetch`` has handed out. Its view is wanted again, though not of its sender
    before ``until`` (s). What was handed out after it stays in the cache, and is
    ready again when it comes back.
    """
    block = fetch.cache.find_handed_out(block_hash)
    if block is None:
        return
    view = ViewRange(block.view, block.view + 1)
    sender = fetch.cache.supplier(block.view)
    if sender is not None:
        fetch.peers.availability.rest(sender, view, until, now)
    fetch.cache.take_back(block)
    fetch.cache.remove(block.view)
    fetch.ledger.reopen(view)
