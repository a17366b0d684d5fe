"""
Which heads peers advertise, and which of them are to be believed.

A head is a claim, and one far above everybody's costs nothing to make. Every view up to the highest
one is wanted all the same, since it may be true. But we are at the head once all that is further up
was claimed by peers that give nothing of it, and somebody else is where we are.
"""
from typing import Dict, Optional

from blockio_plugin.rules.requests import PeerID

BELIEF_TIME = 30.0
"""Seconds for which a peer's head is believed after its first advert, and after a block of its was
imported. A peer that is asked at all is asked several times in it."""


class _Head:
    """What one peer claims."""

    __slots__ = ("view", "believed_until")

    def __init__(self, believed_until: float) -> None:
        self.view: Optional[int] = None
        self.believed_until = believed_until


class Heads:
    """
    The heads of all peers.

    :param belief_time: seconds; ``BELIEF_TIME`` where we import ourselves
    """

    def __init__(self, belief_time: float) -> None:
        self._belief_time = belief_time
        self._heads: Dict[PeerID, _Head] = {}

    def advertise(self, peer: PeerID, view: Optional[int], now: float) -> None:
        """A peer's head is at ``view``; None where it is on another branch, so not ahead of us."""
        head = self._heads.get(peer)
        if head is None:
            head = self._heads[peer] = _Head(now + self._belief_time)
        head.view = view

    def leave(self, peer: PeerID) -> None:
        """A peer is gone."""
        self._heads.pop(peer, None)

    def note_import(self, peer: PeerID, now: float) -> None:
        """A block that the peer gave was imported."""
        head = self._heads.get(peer)
        if head is not None:
            head.believed_until = now + self._belief_time

    @property
    def target(self) -> int:
        """The view after the highest head, believed or not; 0 where there is none."""
        views = (head.view for head in self._heads.values() if head.view is not None)
        return max(views, default=-1) + 1

    def is_reached(self, view: int, now: float) -> bool:
        """
        Whether a chain up to ``view`` is at the head: peers are there, and none is ahead, or those
        that are ahead are not believed and others are there that are not ahead.
        """
        ahead = [
            head
            for head in self._heads.values()
            if head.view is not None and head.view > view
        ]
        if not ahead:
            return bool(self._heads)
        return len(ahead) < len(self._heads) and all(now >= head.believed_until for head in ahead)
