"""
What must hold of a fetch after every event, whatever the network does.

The numbers are those of ``fixtures/scenarios/README.md``. What a run alone can tell (5, 6 and 7) is
checked where runs are judged and compared.
"""
from typing import List

from blockio_plugin.rules.exclusions import MAX_EXCLUSIONS
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.requests import MAX_UNANSWERED, OpenRequest
from blockio_plugin.rules.view_set import ViewSet


class InvariantBroken(AssertionError):
    """A rule of scheduling was broken. The message says which, and where."""


def check_invariants(fetch: Fetch, window: int, now: float) -> None:
    """
    Look a fetch over after an event: 1, 2, 4, 8, and of 3 what is quick to see.

    :raise InvariantBroken: naming the first invariant that does not hold
    """
    _check_views(fetch)
    entries = list(fetch.peers.tracker.open_requests())
    _check_requests(fetch, entries, window, now)
    _check_held(fetch, window)
    _check_bounds(fetch)
    _check_neglect(fetch, window, now)


def check_empty_views(fetch: Fetch) -> None:
    """
    The rest of 3: each view that counts as empty is proven so by a link across it, or somebody
    who said so is remembered. Takes a while where there are many blocks.

    :raise InvariantBroken: naming views for which neither is so
    """
    ledger, cache = fetch.ledger, fetch.cache
    held = ViewSet(ledger.wanted.base)
    held.update(cache.held)
    claimed = fetch.links.claims.all_denied()
    for empty in (ledger.answered - held).runs(ledger.front, ledger.horizon):
        below, above = cache.held.previous(empty.start), cache.held.next_at(empty.start)
        lower = None if below is None else cache.get(below)
        upper = None if above is None else cache.get(above)
        low_hash = fetch.front.hash if lower is None else lower.hash
        if upper is not None and upper.parent_hash == low_hash:
            continue
        _require(claimed.covers(*empty), f"views {empty} count as empty, and nobody said so")


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
        if start < stop and not entry.is_probe:
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
        entry.is_copy or views.stop <= fetch.reach,
        f"views {views} are past the window",
    )
    _require(
        fetch.ledger.answered.count(*views) < views.length,
        f"views {views} were asked for though all of them are answered for",
    )


def _check_held(fetch: Fetch, window: int) -> None:
    cache, ledger = fetch.cache, fetch.ledger
    _require(len(cache.held) == len(cache), "a view is held without a block")
    _require(ledger.front == fetch.front.view, "the ledger has another front")
    highest = cache.highest()
    if highest is not None:
        # Twice, since what was asked for past a void may have to be held until the void is asked
        # for once more.
        _require(not window or len(cache) <= 2 * window, f"{len(cache)} blocks are held")
        _require(ledger.front <= highest < ledger.horizon, f"view {highest} is out of range")


def _check_bounds(fetch: Fetch) -> None:
    for peer in fetch.peers:
        unanswered = len(fetch.peers.tracker.queue(peer).unanswered)
        _require(unanswered <= MAX_UNANSWERED, f"{peer} has too many requests")
        exclusions = fetch.peers.availability.exclusions(peer)
        _require(exclusions <= MAX_EXCLUSIONS, f"{peer} is excluded from too many ranges")
    _require(
        fetch.cache.memory <= fetch.limits.cache_bytes or len(fetch.cache) == 1,
        "the cache is over its bound",
    )


def _check_neglect(fetch: Fetch, window: int, now: float) -> None:
    told = fetch.neglect.tell(fetch.ledger, fetch.cache, window, now)
    _require(told is None, str(told))
