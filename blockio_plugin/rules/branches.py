"""
Which peers are on another branch than we are, and which branches were tried.

A peer is looked at again whenever it has advertised. One whose chain leaves ours is not asked for
blocks above the fork in the ordinary course; its branch is imported by itself, and wins or loses by
total difficulty. The last block of one that lost is remembered, so that nothing is done twice.
"""
from collections import OrderedDict, deque
from math import inf
from typing import Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from blockio_plugin.rules.allowance import Allowance
from blockio_plugin.rules.requests import PeerID

LOOK_INTERVAL = 1.0
"""Seconds between two looks at one peer, least. As adverts of a change may come every second."""

SHUN_TIME = 10.0
"""Seconds for which a peer is not looked at that says one thing when it is compared and gives
another when it is asked for blocks; twice as many each time."""

MAX_SHUN_TIME = 640.0
"""Seconds for which it is not looked at, most."""

MAX_STORED_TIPS = 64
"""Last blocks of branches that are remembered, most; the oldest give way. Forgetting one costs the
execution of its branch once more."""

MAX_STORED_BLOCKS = 2 ** 14
"""Blocks of branches that are remembered to be in the database, most; the oldest give way. So a
peer that sends the same ones over and over has them executed once. About 2 MB."""

ASKS_PER_SECOND = 4.0
"""Requests a second that comparing with one peer, and following it, may take in the long run. Those
which bring new blocks of its branch are not counted."""

ASKS_AT_ONCE = 64.0
"""Requests that they may take at once: what a search for a fork in 2**32 blocks takes."""

LINES_PER_SECOND = 1 / 60
"""Lines a second that the log has on the standing of one peer in the long run."""

LINES_AT_ONCE = 4.0
"""Lines that it has at once: on being found on another branch, and on coming back, twice."""


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

    __slots__ = (
        "head_view",
        "is_news",
        "looked_at",
        "tried_at",
        "fork",
        "is_untried",
        "silences",
        "absolved",
        "shuns",
        "shunned_until",
        "asks",
        "lines",
    )

    def __init__(self) -> None:
        self.head_view: Optional[int] = None
        self.is_news = False
        """Whether it has advertised since it was looked at."""
        self.looked_at = -inf
        self.tried_at = -inf
        self.fork: Optional[Position] = None
        """The highest block in common, where it is on another branch."""
        self.is_untried = False
        """Whether its branch is still to be imported."""
        self.silences = 0
        """How many requests in a row it has not answered."""
        self.absolved: Optional[bytes] = None
        """Our head when it was last let off for a block that does not follow ours."""
        self.shuns = 0
        self.shunned_until = -inf
        self.asks = Allowance(ASKS_PER_SECOND, ASKS_AT_ONCE)
        self.lines = Allowance(LINES_PER_SECOND, LINES_AT_ONCE)


class Branches:
    """The standing of all peers towards our chain."""

    def __init__(self) -> None:
        self._peers: Dict[PeerID, _Standing] = {}
        self._tips: Deque[StoredTip] = deque(maxlen=MAX_STORED_TIPS)
        self._stored: "OrderedDict[bytes, None]" = OrderedDict()

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
        """Whether the last look at the peer is long enough ago, and it is not shunned."""
        standing = self._peers.get(peer)
        return standing is not None and now >= max(
            standing.looked_at + LOOK_INTERVAL, standing.shunned_until
        )

    def looked_at(self, peer: PeerID) -> float:
        """When the peer was looked at last, in seconds; long ago where that is not known."""
        standing = self._peers.get(peer)
        return -inf if standing is None else standing.looked_at

    def to_look(self, head_view: int, now: float) -> List[PeerID]:
        """
        Whom to look at when there is nothing else to do: all who have advertised since, those who
        were silent last, then the one not looked at for longest first. A peer ahead of us shows
        what it is by the blocks it sends.
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
        return sorted(news, key=self._urgency)

    def ahead(self, head_view: int, now: float) -> List[PeerID]:
        """Those whose heads are above ours, as far as they may be looked at."""
        return [
            peer
            for peer, standing in self._peers.items()
            if standing.head_view is not None
            and standing.head_view > head_view
            and self.may_look(peer, now)
        ]

    def _urgency(self, peer: PeerID) -> Tuple[int, float]:
        return self._peers[peer].silences, self._peers[peer].looked_at

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

    def to_try(self) -> List[PeerID]:
        """
        Those whose branches are still to be imported, who were silent last, then the one that was
        not tried for longest first.
        """
        untried = [peer for peer, standing in self._peers.items() if standing.is_untried]
        return sorted(untried, key=self._need)

    def _need(self, peer: PeerID) -> Tuple[int, float]:
        return self._peers[peer].silences, self._peers[peer].tried_at

    def begin(self, peer: PeerID, now: float) -> None:
        """What the peer has of its branch is imported now, unless that cannot be."""
        standing = self._peers.get(peer)
        if standing is not None:
            standing.is_untried = False
            standing.tried_at = now

    def defer(self, peer: PeerID) -> None:
        """There is more of its branch: it is looked at again, and tried, after the others."""
        standing = self._peers.get(peer)
        if standing is not None:
            standing.is_news = True

    def asks(self, peer: PeerID) -> Optional[Allowance]:
        """What the peer may be asked beside ordinary fetching; None where it is gone."""
        standing = self._peers.get(peer)
        return None if standing is None else standing.asks

    def may_tell(self, peer: PeerID, now: float) -> bool:
        """Whether to say in the log what there is to say of the peer now."""
        standing = self._peers.get(peer)
        if standing is None or not standing.lines.covers(1.0, now):
            return False
        standing.lines.spend(1.0, now)
        return True

    def note_answer(self, peer: PeerID, is_answered: bool) -> None:
        """The peer answered a request, or did not."""
        standing = self._peers.get(peer)
        if standing is not None:
            standing.silences = 0 if is_answered else standing.silences + 1

    def absolve(self, peer: PeerID, head: bytes) -> bool:
        """
        The peer sent a block that does not follow our head, of this hash, and is not known to be on
        another branch: let it off. False where it was before, with the same head of ours.
        """
        standing = self._peers.get(peer)
        if standing is None or standing.fork is not None or standing.absolved == head:
            return False
        standing.absolved = head
        return True

    def shun(self, peer: PeerID, now: float) -> None:
        """The peer contradicts itself: do not look at it for a while."""
        standing = self._peers.get(peer)
        if standing is not None:
            shun_time = min(SHUN_TIME * 2 ** standing.shuns, MAX_SHUN_TIME)
            standing.shuns += 1
            standing.shunned_until = now + shun_time

    def note_stored(self, hashes: Iterable[bytes]) -> None:
        """Blocks of a branch are in the database."""
        for block_hash in hashes:
            self._stored[block_hash] = None
            self._stored.move_to_end(block_hash)
        while len(self._stored) > MAX_STORED_BLOCKS:
            self._stored.popitem(last=False)

    def is_stored(self, block_hash: bytes) -> bool:
        """Whether a block of a branch is known to be in the database."""
        return block_hash in self._stored

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
            standing.looked_at = -inf
