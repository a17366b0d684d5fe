"""Who came and went, and what else is worth telling of."""
from collections import deque
from typing import Callable, Deque, Dict, NamedTuple, Optional, Tuple

from blockio_plugin.rules.requests import PeerID

MAX_NEWS = 20
"""News that are kept, most; the oldest give way."""

DROP_TIME = 600.0
"""Seconds for which it is told that a peer was dropped, where none is left."""


class News(NamedTuple):
    """Something that happened, and when (s)."""

    at: float
    text: str


class PeerLog:
    """
    The connected peers by what they call themselves, and the latest news.

    :param now: when the node has begun (s): without a peer until one joins
    :param name_peer: gives the name of a peer that people know it by
    """

    def __init__(self, now: float, name_peer: Callable[[PeerID], str] = str) -> None:
        self._name_peer = name_peer
        self._clients: Dict[PeerID, str] = {}
        self._news: Deque[News] = deque(maxlen=MAX_NEWS)
        self._dropped: Optional[News] = None
        self._alone_since: Optional[float] = now

    def join(self, peer: PeerID, client: str, now: float) -> None:
        """``peer``, which says that it is ``client``, is connected."""
        self._clients[peer] = client
        self._alone_since = None
        name = self._name_peer(peer)
        self.note(f"{name} joined: {client}" if client else f"{name} joined", now)

    def leave(self, peer: PeerID, reason: Optional[str], now: float) -> None:
        """The connection is gone. ``reason``: what we dropped it for, None where we did not."""
        name = self._name_peer(peer)
        self._clients.pop(peer, None)
        if not self._clients and self._alone_since is None:
            self._alone_since = now
        if reason is None:
            self.note(f"{name} left", now)
        else:
            self._dropped = News(now, reason)
            self.note(f"{name} was dropped: {reason}", now)

    def note(self, text: str, now: float) -> None:
        """Something happened."""
        self._news.append(News(now, text))

    def client(self, peer: PeerID) -> str:
        """What ``peer`` calls itself; empty where it is gone."""
        return self._clients.get(peer, "")

    def news(self) -> Tuple[News, ...]:
        """The latest news, the oldest first."""
        return tuple(self._news)

    def is_alone(self, seconds: float, now: float) -> bool:
        """Whether there has been no peer for so many seconds."""
        return self._alone_since is not None and now >= self._alone_since + seconds

    def tell_absence(self, now: float) -> str:
        """Why there is no peer, in plain words."""
        dropped = self._dropped
        if dropped is None or now > dropped.at + DROP_TIME:
            return "no peers that enable block I/O"
        return f"no peers: one was dropped {now - dropped.at:.0f} s ago: {dropped.text}"
