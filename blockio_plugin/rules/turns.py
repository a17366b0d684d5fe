"""How many peers have their turn at once, where one after another would be best if all answered."""
from typing import Optional

PATIENCE = 0.5
"""Seconds that those who have their turn may bring nothing, while others wait, before twice as many
have theirs. Twice what a far peer takes to answer; from one to 256 it takes 4 s."""

BLOCK_PATIENCE = 0.05
"""Seconds of patience that a block buys, so that it takes 20 blocks/s to be left undisturbed."""

LONGEST_TIME = 5.0
"""Seconds after which twice as many have their turn whatever comes, while others wait: what comes
may be of no use."""


class Turns:
    """
    Lets one peer have its turn, and twice as many each time that too little comes of it while
    others wait.

    :param most: turns at once, most
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = 1
        self._patient_until: Optional[float] = None
        """None: nobody waits."""
        self._latest = 0.0
        """When patience ends, whatever comes."""

    def free_places(self, taken: int, waiting: int, now: float) -> int:
        """How many of those who wait may begin, where ``taken`` turns are under way."""
        if not waiting:
            self._places = 1
            self._patient_until = None
            return 0
        if self._patient_until is None:
            self._begin(now)
        elif now >= self._patient_until:
            self._places = min(2 * self._places, self._most)
            self._begin(now)
        return min(waiting, max(0, self._places - taken))

    def _begin(self, now: float) -> None:
        self._patient_until = now + PATIENCE
        self._latest = now + LONGEST_TIME

    def note_import(self, blocks: int, took: float, now: float) -> None:
        """Importing so many blocks that came took so many seconds, which nobody is to blame for."""
        if self._patient_until is not None:
            earned = took + blocks * BLOCK_PATIENCE
            until = min(now + PATIENCE, self._patient_until + earned)
            self._patient_until = min(until, self._latest)
