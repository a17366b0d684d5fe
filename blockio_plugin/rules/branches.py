"""
Which peers are on another branch than we are, and which branches were tried.

A peer is looked at again whenever it has advertised. One whose chain leaves ours is not asked for
blocks above the fork in the ordinary course; its branch is imported by itself, and wins or loses by
total difficulty. The last block of one that lost is remembered, so that nothing is done twice.
"""
from collections import deque
from typing import Deque, Dict, Iterator, NamedTuple, Optional

from blockio_plugin.rules.requests import PeerID

LOOK_INTERVAL = 1.0
"""Seconds between two looks at one peer, least. As adverts of a change may come every second."""

MAX_STORED_TIPS = 64
"""Last blocks of branches that are remembered, most; the oldest give way. Forgetting one costs the
execution of its branch once more."""


class Position(NamedTuple):
    """A block, by where it is and what it is."""

    view: int
    number: int
    hash: bytes


class StoredTip(NamedTuple):
    """All blocks after ``fork``, to ``tip``, are in the database, off the canonical chain."""

    fork: Position
    tip: Position


class _Standing:
    """What is known of one peer."""

    __slots__ = ("head_view", "is_news", "looked_at", "fork", "is_untried")

    def __init__(self) -> None:
        self.head_view: Optional[int] = None
        self.is_news = False
        """Whether it has advertised since it was looked at."""
        self.looked_at = -LOOK_INTERVAL
        self.fork: Optional[Position] = None
        """The highest block in common, where it is on another branch."""
        self.is_untried = False
        """Whether its branch is still to be imported."""


class Branches:
    """The standing of all peers towards our chain."""

    def __init__(self) -> None:
        self._peers: Dict[PeerID, _Standing] = {}
        self._tips: Deque[StoredTip] = deque(maxlen=MAX_STORED_TIPS)

    def __contains__(self, peer: object) -> bool:
        return peer in self._peers

    def __iter__(self) -> Iterator[PeerID]:
        return iter(tuple(self._peers))

    def leave(self, peer: PeerID) -> None:
        """A peer is gone."""
        self._peers.pop(peer, None)

    def advertise(self, peer: PeerID, head_view: int) -> None:
        """A peer has advertised. An advert names no block, so any may mean another branch."""
        standing = self._peers.setdefault(peer, _Standing())
        standing.head_view = head_view
        standing.is_news = True

    def head_view(self, peer: PeerID) -> Optional[int]:
        """The view of the peer's head; None where it is gone."""
        standing = self._peers.get(peer)
        return None if standing is None else standing.head_view

    def fork(self, peer: PeerID) -> Optional[Position]:
        """The highest block in common with a peer on another branch; None where it is on ours."""
        standing = self._peers.get(peer)
        return None if standing is None else standing.fork

    def may_look(self, peer: PeerID, now: float) -> bool:
        """Whether the last look at the peer is long enough ago."""
        standing = self._peers.get(peer)
        return standing is not None and now >= standing.looked_at + LOOK_INTERVAL

    def next_to_look(self, head_view: int, now: float) -> Optional[PeerID]:
        """
        Whom to look at when there is nothing else to do: who has advertised since, the one not
        looked at for longest first. A peer ahead of us shows what it is by the blocks it sends.
        """
        news = [
            peer
            for peer, standing in self._peers.items()
            if standing.is_news
            and self.may_look(peer, now)
            and (
                standing.fork is not None
                or (standing.head_view is not None and standing.head_view <= head_view)
            )
        ]
        return min(news, key=lambda peer: self._peers[peer].looked_at, default=None)

    def look(self, peer: PeerID, now: float) -> None:
        """The peer is looked at now."""
        standing = self._peers[peer]
        standing.is_news = False
        standing.looked_at = now

    def settle(self, peer: PeerID, fork: Optional[Position]) -> None:
        """The peer's chain leaves ours above ``fork``, or is ours where that is None."""
        standing = self._peers.get(peer)
        if standing is not None:
            standing.fork = fork
            standing.is_untried = fork is not None

    def next_to_try(self) -> Optional[PeerID]:
        """A peer whose branch is still to be imported."""
        untried = (peer for peer, standing in self._peers.items() if standing.is_untried)
        return next(untried, None)

    def tried(self, peer: PeerID) -> None:
        """What the peer has of its branch was imported, or cannot be for now."""
        standing = self._peers.get(peer)
        if standing is not None:
            standing.is_untried = False

    def defer(self, peer: PeerID) -> None:
        """There is more of its branch: it is looked at again, and tried, after the others."""
        standing = self._peers.get(peer)
        if standing is not None:
            standing.is_news = True

    def remember(self, fork: Position, tip: Position) -> None:
        """The blocks above ``fork`` up to ``tip`` are in the database and not canonical."""
        for known in [known for known in self._tips if known.tip == tip]:
            self._tips.remove(known)
        self._tips.append(StoredTip(fork, tip))

    def tips_above(self, fork: Position) -> Iterator[Position]:
        """Remembered last blocks of branches that leave ours above ``fork``, the newest first."""
        return (known.tip for known in reversed(tuple(self._tips)) if known.fork == fork)

    def restart(self) -> None:
        """Our chain is another one now: where peers stand has to be found out anew."""
        for standing in self._peers.values():
            standing.fork = None
            standing.is_untried = False
            standing.is_news = True
            standing.looked_at = -LOOK_INTERVAL
