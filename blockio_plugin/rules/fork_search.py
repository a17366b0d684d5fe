"""
Where a peer's chain leaves ours: which of our blocks to compare next.

The peer's block at the view of one of ours is either the same or not, and all blocks below one that
is the same are the same too. So the search goes down from the top in steps that double, which finds
a fork near the head at once and one n blocks below in about log2(n) steps, and then halves.
"""
from typing import Optional


class ForkSearch:
    """Finds the highest of our blocks, by number, that a peer has too. Genesis is one of them."""

    def __init__(self, top: int) -> None:
        """``top`` is the highest block number that is in question."""
        self._top = top
        self._same = 0
        self._different = top + 1

    @property
    def candidate(self) -> Optional[int]:
        """The number of the block to compare next; None when the fork is found."""
        if self._different - self._same <= 1:
            return None
        if self._same == 0:
            # As far down again as it is from the top.
            return max(1, self._different - max(1, self._top + 1 - self._different))
        return (self._same + self._different) // 2

    def learn(self, number: int, is_same: bool) -> None:
        """The peer's block where our block ``number`` is is the same one, or is not."""
        if is_same:
            self._same = max(self._same, number)
        else:
            self._different = min(self._different, number)

    @property
    def fork(self) -> int:
        """The number of the highest block in common, as far as is known."""
        return self._same
