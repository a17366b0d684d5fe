"""What must hold of a fetch after every event, whatever the network does."""
from typing import List

from blockio_plugin.rules.availability import MAX_EXCLUSIONS
from blockio_plugin.rules.claims import MAX_CLAIMS
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.requests import MAX_UNANSWERED, OpenRequest
from blockio_plugin.rules.view_set import ViewSet


class InvariantBroken(AssertionError):
    """A rule of scheduling was broken. The message says which, and where."""


def check_invariants(fetch: Fetch, window: int, now: float) -> None:
    """
    Look a fetch over.

    :raise InvariantBroken: naming the first invariant that does not hold
    """
    _check_views(fetch)
    entries = list(fetch.peers.tracker.open_requests())
    _check_requests(fetch, entries, window, now)
    _check_bounds(fetch)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise InvariantBroken(problem)


def _check_views(fetch: Fetch) -> None:
    ledger, held = fetch.ledger, ViewSet(fetch.ledger.wanted.base)
    held.update(fetch.cache.held)
    wanted, in_flight, answered = ledger.wanted, ledger.in_flight, ledger.answered
    _require(not (wanted & in_flight), "a wanted view is in flight")
    _require(not (wanted & answered), "a wanted view was answered for")
    _require(not (held - answered), "a view with a block counts as open")
    everything = ViewSet(wanted.base, [(ledger.front, ledger.horizon)])
    _require(wanted | in_flight | answered == everything, "a view is lost, or one too many")


def _check_requests(
    fetch: Fetch, entries: List[OpenRequest], window: int, now: float
) -> None:
    ledger = fetch.ledger
    asked = ViewSet(ledger.wanted.base)
    total = 0
    for entry in entries:
        request = entry.request
        _require(entry.deadline >= now, f"request {request.request_id} is past its deadline")
        start, stop = ledger.clip(request.views)
        if start < stop:
            asked.add(start, stop)
        if not entry.is_copy:
            total += request.views.length
        if request.issued_at == now:
            _check_fresh(fetch, entry, window)
    _require(asked == ledger.in_flight, "what is in flight is not what was asked for")
    once = ViewSet(0)
    lowest = min((entry.request.views.start for entry in entries), default=0)
    once.rebase(lowest)
    for entry in entries:
        if not entry.is_copy:
            once.add(*entry.request.views)
    _require(len(once) == total, "a view is in flight twice")


def _check_fresh(fetch: Fetch, entry: OpenRequest, window: int) -> None:
    """Of a request that was just issued."""
    views, peer = entry.request.views, entry.request.peer
    covering = fetch.peers.availability.covering(peer, views.start)
    _require(
        covering is not None and views.stop <= covering.stop,
        f"views {views} were asked of {peer}, which does not advertise them",
    )
    _require(
        not window or views.stop <= fetch.ledger.front + window,
        f"views {views} are past the window",
    )


def _check_bounds(fetch: Fetch) -> None:
    _require(len(fetch.links.claims) <= MAX_CLAIMS, "too many claims are remembered")
    for peer in fetch.peers:
        unanswered = len(fetch.peers.tracker.queue(peer).unanswered)
        _require(unanswered <= MAX_UNANSWERED, f"{peer} has too many requests")
        exclusions = len(fetch.peers.availability.excluded(peer))
        _require(exclusions <= MAX_EXCLUSIONS, f"{peer} is excluded from too many ranges")
    _require(
        fetch.cache.bytes <= fetch.limits.cache_bytes or len(fetch.cache) == 1,
        "the cache is over its bound",
    )
