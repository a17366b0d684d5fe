"""
Neglect: nothing moves, though somebody could be asked. It is to be told of; nobody acts on it.

A peer is neglected while no block comes, nothing else is answered for, import has none in hand, and
the peer could be asked for the view that all waits for: it covers it, is not excluded from it, and
has not called it empty. To be asked for it ends that. All that keeps a peer from being asked ends
by itself, so neglect that lasts for longer than all of it together is a fault of ours.

It is looked for in the chain's own fetch. A range fetch gives up for good what does not come.
"""
from typing import Dict, Optional

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.claims import ClaimBook
from blockio_plugin.rules.lateness import MAX_LATE_TIME
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.scoring import MAX_EMPTY_PAUSE, MAX_PAUSE
from blockio_plugin.rules.views import ViewRange

MAX_NEGLECT_TIME = MAX_PAUSE + MAX_EMPTY_PAUSE + 2 * MAX_LATE_TIME
"""Seconds of neglect, most: both pauses, an answer of another peer for the same view that is waited
for as long as can be, and one of the peer itself for other views."""

MAX_STEP = 5.0
"""Seconds between two looks that count, most: while our own loop stands still nobody is asked."""

MAX_TOLD = 8
"""Peers that are told of, most: those that are neglected longest."""


class Neglect:
    """
    For how long each peer has been neglected by one fetch.

    ``look`` is to be called every second or so.
    """

    def __init__(self, peers: PeerBook) -> None:
        self._peers = peers
        self._seconds: Dict[PeerID, float] = {}
        self._looked_at: Optional[float] = None

    def clear(self) -> None:
        """A block has come, or another view was answered for."""
        self._seconds.clear()

    def note_asked(self, peer: PeerID, views: ViewRange, ledger: Ledger) -> None:
        """``peer`` is about to be asked for ``views``."""
        if peer in self._seconds and ledger.lowest_open() in views:
            del self._seconds[peer]

    def look(self, ledger: Ledger, cache: BlockCache, claims: ClaimBook, now: float) -> None:
        """Count the time since the last look for all who could be asked all the time."""
        passed = 0.0 if self._looked_at is None else min(now - self._looked_at, MAX_STEP)
        self._looked_at = now
        awaited = find_awaited(ledger, cache)
        if awaited is None:
            self._seconds.clear()
            return
        table, queues = self._peers.availability, self._peers.tracker.queues
        deniers = claims.deniers(awaited)
        # Who was not there at the last look is neglected from now on.
        self._seconds = {
            peer: self._seconds[peer] + passed if peer in self._seconds else 0.0
            for peer, queue in queues.items()
            if table.may_ask(peer, awaited, now)
            and peer not in deniers
            and not any(
                awaited in entry.request.views and not entry.is_late
                for entry in queue.unanswered.values()
            )
        }

    @property
    def longest(self) -> float:
        """Seconds for which that peer is neglected that is so longest; 0: none is."""
        return max(self._seconds.values(), default=0.0)

    def tell(self, ledger: Ledger, cache: BlockCache, window: int, now: float) -> Optional[str]:
        """
        In one line, who is neglected for too long, and what would have to be known to find out why;
        None: nobody is.

        :param window: views past the lowest open one that may be asked for; 0: any
        """
        if self.longest <= MAX_NEGLECT_TIME:
            return None
        order = sorted(self._seconds, key=lambda peer: -self._seconds[peer])
        details = [self._tell_peer(peer, now) for peer in order[:MAX_TOLD]]
        if len(order) > MAX_TOLD:
            details.append(f"and {len(order) - MAX_TOLD} more")
        awaited = find_awaited(ledger, cache)
        return (
            f"nothing moves though {order[0]} could be asked: this is a fault of ours; "
            f"view {awaited} of {ViewRange(ledger.front, ledger.target)} is waited for, "
            f"{len(ledger.wanted)} views wanted, {len(ledger.in_flight)} in flight, "
            f"{len(ledger.answered)} answered, {len(self._peers.tracker)} requests open, "
            f"{len(cache)} blocks of {cache.bytes} bytes cached, window {window}; "
            + "; ".join(details)
        )

    def _tell_peer(self, peer: PeerID, now: float) -> str:
        score, queue = self._peers.scores[peer], self._peers.tracker.queue(peer)
        return (
            f"{peer}: not asked for it for {self._seconds[peer]:.0f} s, "
            f"pauses for {max(0.0, score.paused_until - now):.1f} s, "
            f"{len(queue.unanswered) - queue.late} open, {queue.late} late, "
            f"{queue.blocks:.0f} of {score.refill_below:.0f} blocks owed"
        )


def find_awaited(ledger: Ledger, cache: BlockCache) -> Optional[int]:
    """
    The view that everything waits for: the lowest open one or, where all were answered for, the
    lowest of them. None where nothing would be gained by asking: all is resolved, import has blocks
    to go on with, or the next block is here and does not follow ours.
    """
    front = ledger.front
    if front >= ledger.target or cache.handed_out or cache.has_ready or front in cache:
        return None
    lowest = ledger.lowest_open()
    return front if lowest is None else lowest
