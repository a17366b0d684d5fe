"""Who is late, and who only waits for what all wait for."""
from typing import Optional

import pytest

from blockio_plugin.rules import peer_book
from blockio_plugin.rules.lateness import (
    LATE_FACTOR,
    LATE_TIME,
    MAX_LATE_TIME,
    QUIET_TIME,
    SILENT_LINK_TIME,
    UNKNOWN_LATE_TIME,
    compute_deadline,
    expire_requests,
)
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import OpenRequest, PeerID
from blockio_plugin.rules.views import ViewRange

BEGIN = 100.0
"""When (s) requests are made: all that the peers are known by was before."""

MOMENT = 1e-6
"""Seconds."""


def make_peers(names: str) -> PeerBook:
    peers = PeerBook()
    for name in names:
        peers.join(name)
        peers.availability.advertise(name, 9, (ViewRange(0, 10),))
    return peers


def measure(peers: PeerBook, names: str, seconds: float = 0.2, last: float = BEGIN - 10) -> None:
    """Each has answered for 10 blocks, one request at a time, in as many seconds each."""
    for number in range(5):
        for place, name in enumerate(names):
            now = last - 2 * seconds * (4 - number) + 0.05 * place
            peers.scores[name].supplied(now - seconds, False, 10, 0.0, now)
            peers.arrivals.note(name, 10, now - seconds, now)


def issue(
    peers: PeerBook, peer: PeerID, deadline: Optional[float] = None, blocks: float = 10.0
) -> OpenRequest:
    when = BEGIN + 1.0 if deadline is None else deadline
    return peers.tracker.issue(peer, ViewRange(0, 10), 10, blocks, False, BEGIN, when)


def waits_for(peers: PeerBook, entry: OpenRequest, least: float = 0.0) -> float:
    """Seconds, to a hundredth, at least ``least``, after which the request is late."""
    for step in range(1, 100_000):
        now = BEGIN + least + step / 100
        # Asked at each step, whatever it was put off to.
        peers.tracker.extend(entry, now)
        if expire_requests(peers, now):
            assert entry.is_late
            return now - BEGIN
    raise AssertionError("never late")


def test_a_peer_that_was_never_measured_has_a_fixed_time() -> None:
    peers = make_peers("a")
    assert compute_deadline(peers, "a", 500.0, 3.0) == 3.0 + UNKNOWN_LATE_TIME


def test_a_deadline_grows_with_what_is_asked_and_owed() -> None:
    peers = make_peers("a")
    measure(peers, "a")
    few = compute_deadline(peers, "a", 10.0, BEGIN)
    many = compute_deadline(peers, "a", 1000.0, BEGIN)
    assert BEGIN + LATE_TIME < few < many
    issue(peers, "a", few)
    assert few < compute_deadline(peers, "a", 10.0, BEGIN)


def test_with_one_request_all_behind_it_are_late() -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    entries = [issue(peers, "a", BEGIN + 6), issue(peers, "a", BEGIN + 50)]
    other = issue(peers, "b", BEGIN + 50)
    assert expire_requests(peers, BEGIN + 6 - MOMENT) == []
    assert expire_requests(peers, BEGIN + 6) == entries
    assert peers.scores["a"].paused_until > BEGIN + 6
    assert not other.is_late and peers.scores["b"].paused_until <= BEGIN + 6
    assert expire_requests(peers, BEGIN + 40) == []


def test_what_is_excused_is_looked_at_again() -> None:
    peers = make_peers("a")
    entry = issue(peers, "a")
    assert expire_requests(peers, BEGIN + 1.0) == []
    assert entry.deadline == BEGIN + 1.0 + LATE_TIME == peers.tracker.next_deadline()
    assert peers.scores["a"].paused_until <= BEGIN


@pytest.mark.parametrize("names", ["a", "ab"])
def test_while_nobody_has_answered_anything_it_may_be_our_link(names: str) -> None:
    peers = make_peers(names)
    entry = issue(peers, "a")
    assert waits_for(peers, entry) == pytest.approx(SILENT_LINK_TIME)


def test_nobody_better_than_a_peer_that_is_alone() -> None:
    peers = make_peers("a")
    measure(peers, "a")
    assert waits_for(peers, issue(peers, "a")) == pytest.approx(QUIET_TIME)


def test_nobody_better_and_much_in_flight() -> None:
    peers = make_peers("a")
    measure(peers, "a")
    entry = issue(peers, "a", blocks=400.0)
    pace = peers.arrivals.block_time * 400
    assert LATE_FACTOR * pace > QUIET_TIME
    assert waits_for(peers, entry) == pytest.approx(LATE_FACTOR * pace, abs=0.02)


def let_pause(peers: PeerBook) -> None:
    peers.scores["b"].paused_until = BEGIN + 1000


def let_be_late(peers: PeerBook) -> None:
    peers.tracker.mark_late(issue(peers, "b", BEGIN + 1000))


def let_owe(peers: PeerBook) -> None:
    issue(peers, "b", BEGIN + 1000, blocks=0.0)


def let_lack_the_views(peers: PeerBook) -> None:
    peers.availability.advertise("b", 9, (ViewRange(1, 10),))


def let_be_wrong(peers: PeerBook) -> None:
    peers.availability.disprove("b", ViewRange(0, 1), BEGIN)


def let_be_new(peers: PeerBook) -> None:
    peers.leave("b")
    peers.join("b")
    peers.availability.advertise("b", 9, (ViewRange(0, 10),))


@pytest.mark.parametrize(
    "cannot_be_asked",
    [let_pause, let_be_late, let_owe, let_lack_the_views, let_be_wrong, let_be_new],
)
def test_who_cannot_be_asked_is_not_better(cannot_be_asked: object) -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    entry = issue(peers, "a")
    cannot_be_asked(peers)  # type: ignore[operator]
    assert waits_for(peers, entry) == pytest.approx(QUIET_TIME)


def test_who_was_late_is_not_better_though_it_answers() -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    entry = issue(peers, "a", BEGIN + 2.5)
    let_be_late(peers)
    answer_meanwhile(peers, "b", 0.2, BEGIN + 2)
    assert expire_requests(peers, BEGIN + 2.5) == [] and not entry.is_late


def test_late_at_its_deadline_where_a_better_one_is_idle() -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    entry = issue(peers, "a", BEGIN + 0.5)
    assert expire_requests(peers, BEGIN + 0.5 - MOMENT) == []
    assert expire_requests(peers, BEGIN + 0.5) == [entry]


def answer_meanwhile(
    peers: PeerBook, name: str, seconds: float, until: float, lateness: float = 0.5
) -> None:
    """It answered in so many seconds, which is ``lateness`` times what it had."""
    peers.scores[name].supplied(until - seconds, False, 10, 0.0, until)
    peers.scores[name].lateness = lateness


@pytest.mark.parametrize("lateness", [1.0, 2.0, 5.0])
def test_who_was_late_meanwhile_excuses_others_for_as_much(lateness: float) -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    entry = issue(peers, "a", BEGIN + 4)
    most = LATE_FACTOR * lateness * 4
    answer_meanwhile(peers, "b", 0.2, BEGIN + 0.9 * most, lateness)
    assert waits_for(peers, entry, 0.9 * most) == pytest.approx(most, abs=0.02)


def test_who_is_slow_but_came_in_time_is_no_excuse() -> None:
    peers = make_peers("abc")
    measure(peers, "ab")
    measure(peers, "c", 4.0)
    entry = issue(peers, "a", BEGIN + 5)
    answer_meanwhile(peers, "c", 4.0, BEGIN + 4.5, lateness=0.99)
    answer_meanwhile(peers, "b", 0.2, BEGIN + 4.5)
    assert expire_requests(peers, BEGIN + 5) == [entry]


def test_only_who_answered_since_half_the_time_is_an_excuse() -> None:
    def is_excused(answered: float) -> bool:
        peers = make_peers("ab")
        measure(peers, "ab")
        issue(peers, "a", BEGIN + 4)
        answer_meanwhile(peers, "b", 0.2, BEGIN + answered, lateness=5.0)
        return not expire_requests(peers, BEGIN + 4)

    assert is_excused(2.01) and not is_excused(1.99)


def test_no_peer_is_its_own_excuse() -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    entry = issue(peers, "a", BEGIN + 4)
    answer_meanwhile(peers, "a", 0.2, BEGIN + 3.5, lateness=5.0)
    assert expire_requests(peers, BEGIN + 4) == [entry]


def test_others_excuse_nobody_for_ever() -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    entry = issue(peers, "a", BEGIN + MAX_LATE_TIME - 1)
    answer_meanwhile(peers, "b", 80.0, BEGIN + MAX_LATE_TIME - 2, lateness=1000.0)
    assert expire_requests(peers, BEGIN + MAX_LATE_TIME - 1) == []
    peers.tracker.extend(entry, BEGIN + MAX_LATE_TIME + 1)
    assert expire_requests(peers, BEGIN + MAX_LATE_TIME + 1) == [entry]


def fill_link(peers: PeerBook) -> None:
    """One answer right after another until a second ago: a tenth of a second for each block."""
    for second in range(60):
        peers.arrivals.note("ab"[second % 2], 10, BEGIN - 61, BEGIN - 60 + second)


def test_nobody_is_late_where_all_wait_for_our_link() -> None:
    peers = make_peers("abc")
    measure(peers, "abc", last=BEGIN - 70)
    fill_link(peers)
    entry = issue(peers, "a", blocks=100.0)
    link_time = peers.compute_link_time(BEGIN)
    assert link_time == pytest.approx(10.0, rel=0.1)
    # The third one is idle.
    assert waits_for(peers, entry) == pytest.approx(LATE_FACTOR * link_time, abs=0.1)


def test_a_link_that_is_quiet_is_no_excuse() -> None:
    peers = make_peers("abc")
    measure(peers, "abc", last=BEGIN - 70)
    fill_link(peers)
    entry = issue(peers, "a")
    issue(peers, "b", BEGIN + 1000, blocks=1000.0)
    assert peers.compute_link_time(BEGIN) > 100
    # Quiet since a second before the request; its own blocks take the link a second.
    quiet = peer_book.QUIET_TIME + peer_book.QUIET_FACTOR * 1.0
    assert waits_for(peers, entry) == pytest.approx(quiet - 1.0, abs=0.1)


def test_what_is_asked_later_is_not_late_before_what_was_asked_earlier() -> None:
    peers = make_peers("ab")
    measure(peers, "ab")
    first = issue(peers, "a", BEGIN + 9.0)
    second = issue(peers, "a", BEGIN + 1.0)
    assert expire_requests(peers, BEGIN + 1.0) == []
    assert second.deadline == first.deadline
    assert expire_requests(peers, BEGIN + 9.0) == [first, second]


def test_our_link_is_no_excuse_once_a_later_answer_came_through_it() -> None:
    for answered_to, is_late in ((BEGIN, False), (BEGIN + 1.5, True)):
        peers = make_peers("ab")
        entry = issue(peers, "a", BEGIN + 1.0)
        peers.scores["b"].answered_to = answered_to
        # Nobody has given a block. Without one nobody is better, which is an excuse for a while.
        now = BEGIN + max(QUIET_TIME, 1.0)
        peers.tracker.extend(entry, now)
        assert bool(expire_requests(peers, now)) == (answered_to > BEGIN) == is_late


def test_that_others_are_late_excuses_no_newcomer_whom_they_have_overtaken() -> None:
    for answered_to, is_late in ((BEGIN, False), (BEGIN + 2.0, True)):
        peers = make_peers("abc")
        measure(peers, "bc")
        entry = issue(peers, "a", BEGIN + 1.0)
        for name in "bc":
            peers.scores[name].lateness = 4.0
            peers.scores[name].answered_to = answered_to
            peers.scores[name].supplied(BEGIN, False, 10, 0.0, BEGIN + 3.0)
            peers.scores[name].answered_to = answered_to
        now = BEGIN + QUIET_TIME + 1.0
        peers.tracker.extend(entry, now)
        assert bool(expire_requests(peers, now)) == is_late
