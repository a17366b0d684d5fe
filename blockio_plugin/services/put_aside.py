"""
When to try again what failed for no fault of its own.

What made it fail may be mended at any moment, or never. So each failure in a row doubles the pause
before the next attempt, up to a bound.
"""
from typing import Dict, Hashable, NamedTuple

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

    def __bool__(self) -> bool:
        return bool(self._entries)

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
