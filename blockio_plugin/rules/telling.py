"""What a fetch is doing, in plain words: its peers, what nobody has, why nothing moves."""
from typing import List, Optional, Tuple

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.status import MAX_UNSERVICEABLE, OpenViews, PeerState, PeerStatus
from blockio_plugin.rules.views import ViewRange, ViewRanges


def tell_peers(peers: PeerBook, now: float) -> Tuple[PeerStatus, ...]:
    """Each peer, in the order in which they joined."""
    return tuple(_tell_peer(peer, peers, now) for peer in peers)


def _tell_peer(peer: PeerID, peers: PeerBook, now: float) -> PeerStatus:
    score, queue = peers.scores[peer], peers.tracker.queue(peer)
    covered = peers.availability.covered(peer)
    is_open = len(queue.unanswered) - queue.late
    state, reason = PeerState.IDLE, None
    if is_open:
        state = PeerState.ASKED
    elif queue.late:
        count = "1 answer" if queue.late == 1 else f"{queue.late} answers"
        state, reason = PeerState.LATE, f"owes {count} past the time for it"
    elif score.paused_until > now:
        why = "declines" if score.declines else "gave no block of late"
        reason = f"{why}, asked again in {score.paused_until - now:.1f} s"
        state = PeerState.PAUSED
    elif not covered:
        state = PeerState.NEW
    return PeerStatus(
        peer,
        score.value if score.known else None,
        score.blocks,
        is_open,
        queue.late,
        score.faults,
        score.round_trip if score.known else None,
        covered,
        state,
        reason,
    )


def tell_unserviceable(ledger: Ledger, peers: PeerBook) -> ViewRanges:
    """Wanted ranges that nobody advertises, the lowest ``MAX_UNSERVICEABLE``."""
    missing: List[ViewRange] = []
    partition = peers.availability.partition(ViewRange(ledger.front, ledger.horizon))
    for segment in partition.segments:
        if not segment.holders:
            left = MAX_UNSERVICEABLE - len(missing)
            missing.extend(ledger.wanted.first_runs(segment.start, segment.stop, left))
        if len(missing) >= MAX_UNSERVICEABLE:
            break
    return tuple(missing)


def tell_idle_reason(
    ledger: Ledger,
    cache: BlockCache,
    peers: PeerBook,
    is_full: bool,
    contested: Optional[int],
    now: float,
) -> Optional[str]:
    """
    Why nothing moves, or None when something does.

    :param is_full: whether the cache is
    :param contested: the view of a block that does not follow ours, though all agree on it
    """
    if ledger.front >= ledger.target:
        return None
    if cache.handed_out or cache.has_ready:
        return "cache full, waiting for import" if is_full else None
    if not len(peers):
        return "no peers"
    lowest = ledger.lowest_open()
    waited_for = None if lowest is None else _waited_for(lowest, peers, now)
    if waited_for is not None:
        return str(waited_for)
    if contested is not None:
        return (
            f"the block at view {contested} does not follow ours below view {ledger.front}, "
            "and nobody has another: is our chain on another branch?"
        )
    if lowest is None:
        return f"views {ViewRange(ledger.front, ledger.target)} were answered empty, unproven"
    table = peers.availability
    if all(table.covering(peer, lowest) is None for peer in peers):
        return f"no peer covers view {lowest}"
    covering = [peer for peer in peers if table.covering(peer, lowest) is not None]
    if all(table.is_disproved(peer, lowest, now) for peer in covering):
        return (
            f"every peer that covers view {lowest} was asked, "
            "and what they say of it does not fit"
        )
    return f"every peer that covers view {lowest} is slow or declines; waiting to ask again"


def _waited_for(lowest: int, peers: PeerBook, now: float) -> Optional[OpenViews]:
    entries = [
        entry for entry in peers.tracker.open_requests() if lowest in entry.request.views
    ]
    if not entries:
        return None
    first = min(entries, key=lambda entry: entry.request.issued_at)
    views = ViewRange(lowest, first.request.views.stop)
    return OpenViews(views, len(entries), now - first.request.issued_at)
