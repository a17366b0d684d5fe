"""What an answer says about the peer that gave it."""
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import OpenRequest, PeerID
from blockio_plugin.rules.views import ViewRange


def judge(
    peers: PeerBook,
    entry: OpenRequest,
    covered: ViewRange,
    hinted: bool,
    blocks: int,
    now: float,
) -> None:
    """
    Note an answer of so many ``blocks`` in its peer's score.

    :param covered: what it answered for; empty: it declined
    :param hinted: whether it told where its next block is
    """
    peer, asked = entry.request.peer, entry.request.views
    score = peers.scores[peer]
    if covered.length <= 0:
        score.declined(entry.request.issued_at, now)
        return
    request, arrivals = entry.request, peers.arrivals
    if blocks:
        arrivals.note(peer, blocks, request.issued_at, now)
    since = entry.arrived_before
    if entry.queued and score.last_total is not None:
        since = score.last_total
    others = (arrivals.total - blocks - since) * arrivals.link_block_time
    score.last_total = arrivals.total
    if blocks:
        if score.strays or score.anchor is not None:
            score.anchor = covered.stop
        score.lateness = (now - request.issued_at) / (request.deadline - request.issued_at)
        score.supplied(request.issued_at, entry.queued, blocks, others, now)
    else:
        is_welcome = hinted or not _is_another_better(peers, peer, asked.start)
        score.answered_empty(request.issued_at, entry.queued, others, is_welcome, now)
    score.answered()
    if covered.stop >= asked.stop:
        score.not_cut_short()
    elif blocks < entry.request.max_blocks:
        score.cut_short(blocks)


def _is_another_better(peers: PeerBook, peer: PeerID, view: int) -> bool:
    """Whether somebody else covers ``view`` who gave blocks, or may give some yet."""
    return any(
        (score.blocks or _is_untried(peers, other))
        and peers.availability.covering(other, view) is not None
        for other, score in peers.scores.items()
        if other != peer
    )


def _is_untried(peers: PeerBook, peer: PeerID) -> bool:
    score = peers.scores[peer]
    return not (score.empty_answers or score.declines or peers.tracker.queue(peer).late)
