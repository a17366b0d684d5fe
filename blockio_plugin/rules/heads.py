"""
Which heads peers advertise, and whether ours is the one to be at.

A head is a claim, and one far above everybody's costs nothing to make. Every view up to the highest
one is wanted all the same, since it may be true. But what is believed is not the peer that claims,
nor what it claims, however often and under however many names: it is the way up. While our own
chain goes on above what the others have, there is more to come; once it has stood where others
stand for a while, there is not, until it goes on.
"""
from math import inf
from typing import Dict, Optional

from blockio_plugin.rules.requests import PeerID

BELIEF_TIME = 30.0
"""Seconds for which claims of higher heads are believed: after an advert where there was none, and
after our chain has gone on above the others'. Who has more is asked several times in it."""


class Heads:
    """
    The heads of all peers, and ours among them.

    :param belief_time: seconds; ``BELIEF_TIME`` where we import ourselves
    """

    def __init__(self, belief_time: float) -> None:
        self._belief_time = belief_time
        self._heads: Dict[PeerID, Optional[int]] = {}
        self._own: Optional[int] = None
        self._risen_at = -inf
        """When our head rose last."""
        self._is_alone = False
        """Whether it rose, and nobody has said since that its head is in the same view."""
        self._believed_until = -inf

    def advertise(self, peer: PeerID, view: Optional[int], now: float) -> None:
        """A peer's head is at ``view``; None where it is on another branch, so not ahead of us."""
        if not self._heads:
            self._believed_until = now + self._belief_time
        self._heads[peer] = view
        if view is not None and view == self._own:
            self._is_alone = False

    def leave(self, peer: PeerID) -> None:
        """A peer is gone."""
        self._heads.pop(peer, None)

    def note_own(self, view: int, now: float) -> None:
        """Our own head is at ``view``."""
        known, self._own = self._own, view
        if known is None or view <= known:
            return
        if self._is_alone:
            # Twice in a row: the others do not just hear of each block a moment later than we do.
            self._believed_until = now + self._belief_time
        self._risen_at = now
        self._is_alone = view not in self._heads.values()

    @property
    def target(self) -> int:
        """The view after the highest head, believed or not; 0 where there is none."""
        return max((view for view in self._heads.values() if view is not None), default=-1) + 1

    def is_reached(self, view: int, now: float) -> bool:
        """
        Whether a chain up to ``view`` is at the head: peers are there, and none is ahead, or those
        that are ahead are not believed and others are there that are not ahead.
        """
        ahead = sum(head is not None and head > view for head in self._heads.values())
        if not ahead:
            return bool(self._heads)
        return ahead < len(self._heads) and not self._is_believing(now)

    def _is_believing(self, now: float) -> bool:
        """Whether our chain is on its way up, or may be."""
        return now < self._believed_until or (
            self._is_alone and now < self._risen_at + self._belief_time
        )
