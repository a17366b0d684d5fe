"""
Which block number the target has. Adverts speak of views, and how many of those are empty nobody
knows beforehand; so a peer is asked for the one block that it says its head is.

What a peer gives is believed as far as it can be: numbers ascend with views, one a view at most.
"""
from typing import List, NamedTuple, Optional

MAX_SOUNDINGS = 16
"""Soundings that are kept, most; the oldest give way."""

NEAR_VIEWS = 64
"""Views that the target may be away from a block of known number: nobody is asked for closer."""


class Sounding(NamedTuple):
    """A block that a peer gave, and that need not be on our chain."""

    view: int
    number: int


class HeadNumber:
    """What is known of the numbers of blocks above our own head."""

    def __init__(self) -> None:
        self._soundings: List[Sounding] = []

    def note(self, sounding: Sounding, head: Sounding) -> bool:
        """
        A peer gave a block. ``head`` is that of our own chain.

        :return: whether there may be such a block; otherwise it is forgotten
        """
        ahead = sounding.number - head.number
        if not 0 < ahead <= sounding.view - head.view:
            return False
        self._soundings = [known for known in self._soundings if known.view != sounding.view]
        self._soundings = [*self._soundings, sounding][-MAX_SOUNDINGS:]
        return True

    def estimate(self, target_view: int, head: Sounding) -> Optional[int]:
        """
        The number of the block at ``target_view``, or a little less where the target moved since;
        None where no peer gave one. It does not fall while the target stands and peers agree.
        """
        if target_view <= head.view:
            return head.number
        if target_view - head.view == 1:
            return head.number + 1
        near = self._find(target_view, head)
        if near is None:
            return None
        # Whatever was passed over between the two, there is a block at the target itself.
        return max(near.number + (target_view > near.view), head.number + 1)

    def is_wanted(self, target_view: int, head: Sounding) -> bool:
        """Whether a peer should be asked for the block at ``target_view``."""
        if target_view - head.view <= NEAR_VIEWS:
            return False
        near = self._find(target_view, head)
        return near is None or target_view - near.view > NEAR_VIEWS

    def _find(self, target_view: int, head: Sounding) -> Optional[Sounding]:
        known = [each for each in self._soundings if head.view < each.view <= target_view]
        return max(known) if known else None
