"""How much of something there was, and how fast it has come lately."""
from collections import deque
from math import inf
from typing import Deque, Tuple

BUCKET_TIME = 5.0
"""Seconds that one figure of the history stands for."""

HISTORY_BUCKETS = 60
"""Figures that the history has, most: five minutes."""

RATE_BUCKETS = 6
"""Buckets that the rate is of: half a minute, and what has passed of the one that is filled."""


class Meter:
    """
    Counts, in all and by time.

    :param now: when it begins to count (s)
    """

    def __init__(self, now: float) -> None:
        self.total = 0
        """The amount since the beginning."""
        self.last_at = -inf
        """When something came last (s)."""
        self._began_at = now
        self._index = 0
        self._buckets: Deque[int] = deque([0], maxlen=HISTORY_BUCKETS + 1)

    def note(self, amount: int, now: float) -> None:
        """So much came just now."""
        self._move_on(now)
        self.total += amount
        if amount:
            self.last_at = now
        self._buckets[-1] += amount

    def rate(self, now: float) -> float:
        """The amount a second in the last half minute, or since the beginning if that is less."""
        self._move_on(now)
        lately = list(self._buckets)[-RATE_BUCKETS - 1 :]
        began_at = self._began_at + (self._index + 1 - len(lately)) * BUCKET_TIME
        passed = now - began_at
        return sum(lately) / passed if passed > 0 else 0.0

    def history(self, now: float) -> Tuple[int, ...]:
        """The amount in each ``BUCKET_TIME`` that is over, the oldest first."""
        self._move_on(now)
        return tuple(self._buckets)[:-1]

    def _move_on(self, now: float) -> None:
        index = int((now - self._began_at) // BUCKET_TIME)
        for _ in range(min(index - self._index, HISTORY_BUCKETS + 1)):
            self._buckets.append(0)
        self._index = max(self._index, index)
