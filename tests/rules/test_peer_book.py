"""Everything about a peer begins when it joins and ends when it leaves."""
from typing import Optional

import pytest

from blockio_plugin.rules.peer_book import QUIET_FACTOR, QUIET_TIME, PeerBook
from blockio_plugin.rules.requests import OpenRequest
from blockio_plugin.rules.views import ViewRange

VIEWS = ViewRange(10, 20)


def make(*names: str) -> PeerBook:
    peers = PeerBook()
    for name in names:
        peers.join(name)
    return peers


def ask(peers: PeerBook, peer: str, blocks: float = 8.0) -> OpenRequest:
    return peers.tracker.issue(peer, VIEWS, 8, blocks, False, 0.0, 9.0)


def test_peers_stay_in_the_order_in_which_they_joined() -> None:
    peers = make("c", "a", "b")
    peers.leave("a")
    peers.join("a")
    assert list(peers) == ["c", "b", "a"] == list(peers.availability)
    assert list(peers.tracker.queues) == list(peers.scores) == list(peers)
    assert len(peers) == 3 and "a" in peers and "d" not in peers


def test_who_leaves_gives_back_what_is_still_open_of_it() -> None:
    peers = make("a", "b")
    answered, late, still_open = (ask(peers, "a") for _ in range(3))
    other = ask(peers, "b")
    peers.tracker.close(answered)
    peers.tracker.mark_late(late)
    assert peers.leave("a") == (still_open,)
    assert list(peers.tracker.open_requests()) == [other]
    assert "a" not in peers


def test_who_comes_back_begins_anew() -> None:
    peers = make("a")
    peers.availability.advertise("a", 99, (ViewRange(0, 100),))
    peers.scores["a"].disproved(0.0)
    ask(peers, "a")
    peers.leave("a")
    peers.join("a")
    covering: Optional[ViewRange] = peers.availability.covering("a", 15)
    assert covering is None
    assert peers.scores["a"].faults == 0
    assert not peers.tracker.queue("a").unanswered


def fill_link(peers: PeerBook) -> float:
    """A hundred blocks a second, one answer right after another; when (s) the last one came."""
    for second in range(1, 41):
        peers.arrivals.note("ab"[second % 2], 100, 0.0, float(second))
    return 40.0


def test_the_link_time_is_what_all_blocks_in_flight_take() -> None:
    peers = make("a", "b")
    assert peers.compute_link_time(0.0) == 0
    now = fill_link(peers)
    assert peers.compute_link_time(now) == 0
    ask(peers, "a", 30.0)
    ask(peers, "b", 10.0)
    assert peers.compute_link_time(now) == pytest.approx(40 * 0.01)


def test_one_peer_alone_shows_no_full_link() -> None:
    peers = make("a", "b")
    ask(peers, "a", 30.0)
    for second in range(1, 41):
        peers.arrivals.note("a", 100, 0.0, float(second))
    assert peers.compute_link_time(40.0) == 0


def test_a_link_that_is_quiet_for_long_is_not_full() -> None:
    peers = make("a", "b")
    ask(peers, "a", 300.0)
    now = fill_link(peers)
    # The oldest open request takes the link 3 s.
    quiet = QUIET_FACTOR * 3.0 + QUIET_TIME
    assert peers.compute_link_time(now + quiet - 0.1) == pytest.approx(3.0)
    assert peers.compute_link_time(now + quiet + 0.1) == 0
