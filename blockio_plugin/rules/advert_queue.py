"""
Which adverts are taken in at once, and which wait: as many as a peer may cost us.

To take one in costs by its ranges: they are compared, and the view line is cut anew. Who advertises
many new ranges over and over, as the protocol lets everybody once a second, is taken at its latest
word now and then; what it said in between is lost, and nothing with it.
"""
from typing import Dict, Iterator, NamedTuple, Optional

from blockio_plugin.rules.allowance import Allowance
from blockio_plugin.rules.messages import MAX_RANGES, Availability
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.views import ViewRange

ADVERT_COST = 16
"""What an advert costs besides its ranges, in ranges: everybody who waits for news looks at it."""

RANGES_PER_SECOND = 64.0
"""Ranges of one peer that are taken in, in the long run. A chain of a block a second, announced and
advertised, takes half of it; the longest advert is taken in every 16 s."""

RANGES_AT_ONCE = 2.0 * (MAX_RANGES + ADVERT_COST)
"""Ranges of one peer that are taken in at once, most: its first advert, and a new one."""

WAITING_TIME = 1.0
"""Seconds between two looks at what waits. What is taken in together costs hardly more than one."""


class Turn(NamedTuple):
    """The latest advert of a peer, and whether all of it is to be taken in, or only its head."""

    peer: PeerID
    advert: Availability
    is_whole: bool


class _Entry:
    __slots__ = ("allowance", "waiting")

    def __init__(self) -> None:
        self.allowance = Allowance(RANGES_PER_SECOND, RANGES_AT_ONCE)
        self.waiting: Optional[Availability] = None


class AdvertQueue:
    """One advert of each peer at most waits here, the latest."""

    def __init__(self) -> None:
        self._entries: Dict[PeerID, _Entry] = {}

    def __len__(self) -> int:
        """How many peers have an advert that waits."""
        return sum(entry.waiting is not None for entry in self._entries.values())

    def leave(self, peer: PeerID) -> None:
        """A peer is gone."""
        self._entries.pop(peer, None)

    def admit(self, peer: PeerID, advert: Availability, now: float) -> bool:
        """Whether to take an advert in at once; if not, it waits, in the place of an older one."""
        entry = self._entries.setdefault(peer, _Entry())
        cost = _cost(advert)
        if entry.allowance.covers(cost, now):
            entry.allowance.spend(cost, now)
            entry.waiting = None
            return True
        entry.waiting = advert
        return False

    def latest(self, peer: PeerID) -> Optional[Availability]:
        """The advert of the peer that waits; None where none does."""
        entry = self._entries.get(peer)
        return None if entry is None else entry.waiting

    def take_turns(self, now: float) -> Iterator[Turn]:
        """What to take in now of those that wait. The whole ones do not wait any more."""
        for peer, entry in self._entries.items():
            advert = entry.waiting
            if advert is None:
                continue
            is_whole = entry.allowance.wait_time(now) == 0.0
            if is_whole:
                entry.allowance.spend(_cost(advert), now)
                entry.waiting = None
            yield Turn(peer, advert, is_whole)


def _cost(advert: Availability) -> float:
    return float(ADVERT_COST + len(advert.ranges))


def extend(advert: Availability, head_view: int) -> Optional[Availability]:
    """
    The advert with its head, and the range that ends there, up to ``head_view``; None where that is
    no news, or the advert does not cover its own head.
    """
    if head_view <= advert.head_view or not advert.ranges:
        return None
    top = advert.ranges[-1]
    if top.stop != advert.head_view + 1:
        return None
    ranges = (*advert.ranges[:-1], ViewRange(top.start, head_view + 1))
    return advert._replace(head_view=head_view, ranges=ranges)
