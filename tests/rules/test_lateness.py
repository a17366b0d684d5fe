"""Who is late, and who only waits for what all wait for."""
from blockio_plugin.rules.lateness import (
    LATE_TIME,
    MAX_LATE_TIME,
    UNKNOWN_LATE_TIME,
    compute_deadline,
    expire_requests,
)
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import OpenRequest, PeerID
from blockio_plugin.rules.views import ViewRange


def make_peers() -> PeerBook:
    peers = PeerBook()
    for name in "ab":
        peers.join(name)
        for now in (1.0, 2.0, 3.0):
            peers.scores[name].supplied(now - 0.2, False, 10, 0.01, now)
    return peers


def issue(peers: PeerBook, peer: PeerID, deadline: float) -> OpenRequest:
    return peers.tracker.issue(peer, ViewRange(0, 10), 10, 10.0, False, 3.0, deadline)


def test_a_peer_that_was_never_measured_has_a_fixed_time() -> None:
    peers = PeerBook()
    peers.join("new")
    assert compute_deadline(peers, "new", 500.0, 3.0) == 3.0 + UNKNOWN_LATE_TIME


def test_a_deadline_grows_with_what_is_asked_and_owed() -> None:
    peers = make_peers()
    few = compute_deadline(peers, "a", 10.0, 3.0)
    many = compute_deadline(peers, "a", 1000.0, 3.0)
    assert 3.0 + LATE_TIME < few < many
    issue(peers, "a", few)
    assert few < compute_deadline(peers, "a", 10.0, 3.0)


def test_with_one_request_all_behind_it_are_late() -> None:
    peers = make_peers()
    entries = [issue(peers, "a", 9.0), issue(peers, "a", 50.0)]
    other = issue(peers, "b", 50.0)
    assert expire_requests(peers, 8.9) == []
    assert expire_requests(peers, 9.0) == entries
    assert peers.scores["a"].paused_until > 9.0
    assert not other.is_late and peers.scores["b"].paused_until <= 9.0


def test_nobody_is_late_where_all_wait_for_our_link_unless_for_very_long() -> None:
    peers = make_peers()
    entry = issue(peers, "a", 5.0)
    peers.goodput.note(1, 40.0)
    assert expire_requests(peers, 5.0) == []
    assert entry.deadline == 5.0 + LATE_TIME
    assert expire_requests(peers, 3.1 + MAX_LATE_TIME) == [entry]


def test_a_slow_peer_is_no_excuse_for_a_silent_one() -> None:
    peers = make_peers()
    peers.join("slow")
    for began, blocks in ((0, 10), (10, 20), (30, 40)):
        peers.scores["slow"].supplied(began, False, blocks, 0.01, began + blocks)
    assert peers.scores["slow"].seconds_per_block > 10 * peers.scores["b"].seconds_per_block
    entry = issue(peers, "a", 5.0)
    assert expire_requests(peers, 5.0) == [entry]
