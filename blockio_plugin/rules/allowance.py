"""What one stranger may cost us: so much a second, and so much at once."""
from typing import Optional


class Allowance:
    """
    A stock that fills up by itself and is spent.

    As long as something is left of it, any amount may be spent. What was spent beyond the stock is
    owed, and has to fill up first. It starts full.

    :param rate: what comes in per second
    :param stock: what there is at most
    """

    __slots__ = ("_rate", "_stock", "_left", "_at")

    def __init__(self, rate: float, stock: float) -> None:
        self._rate = rate
        self._stock = stock
        self._left = stock
        self._at: Optional[float] = None
        """When ``_left`` was true; None: nothing was spent yet."""

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._left = min(self._stock, self._left + (now - self._at) * self._rate)
        self._at = now

    def spend(self, amount: float, now: float) -> None:
        """Take ``amount`` from the stock; a negative one is given back."""
        self._fill(now)
        self._left = min(self._stock, self._left - amount)

    def covers(self, amount: float, now: float) -> bool:
        """Whether ``amount`` can be spent without owing anything."""
        self._fill(now)
        return self._left >= amount

    def wait_time(self, now: float) -> float:
        """Seconds until something may be spent again; 0 where it may be now."""
        self._fill(now)
        return 0.0 if self._left > 0 else (1.0 - self._left) / self._rate
