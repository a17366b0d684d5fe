"""Single decisions of the planner."""
from typing import List, Tuple

import pytest

from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.planner import LONG_SHARE, Demand, Plan, plan
from blockio_plugin.rules.ranking import rank_segments
from blockio_plugin.rules.requests import MAX_UNANSWERED
from blockio_plugin.rules.scoring import FIRST_REQUESTS
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange

PACE = 1e-9


def make_peers(*names: str, stop: int = 10_000) -> PeerBook:
    peers = PeerBook()
    for name in names:
        peers.join(name)
        peers.availability.advertise(name, stop, (ViewRange(0, stop),))
    return peers


def measure(peers: PeerBook, name: str, rate: float, rtt: float = 0.1) -> None:
    """As if the peer had answered some requests at this rate up to now, second 10."""
    done = 5.0
    for blocks in (8, 32, 40, 40, 40, 40):
        done += blocks / rate
        peers.scores[name].supplied(5.0 - rtt, True, blocks, PACE, done)
    peers.scores[name].paused_until = 0.0


def decide(
    peers: PeerBook,
    wanted: ViewSet,
    clock_index: int = 0,
    now: float = 10.0,
    stop: int = 10_000,
    density: float = 1.0,
    room: float = 1e9,
) -> Plan:
    partition = peers.availability.partition(ViewRange(0, 10_000))
    ranking = rank_segments(
        partition, wanted, peers.scores, peers.availability, density, now
    )
    demand = Demand(wanted, partition, ranking, stop, density, room, 0.0, True)
    return plan(demand, peers.availability, peers.tracker, peers.scores, clock_index, now)


def asked(planned: Plan) -> List[Tuple[object, int, int]]:
    return [(item.peer, item.views.start, item.views.stop) for item in planned.proposals]


ALL = ViewSet(0, [(0, 10_000)])


def test_a_newcomer_gets_its_first_requests_and_no_more() -> None:
    peers = make_peers("new")
    small, large = FIRST_REQUESTS
    assert asked(decide(peers, ALL)) == [("new", 0, small), ("new", small, small + large)]


def test_the_clock_index_rotates_among_equals() -> None:
    peers = make_peers("a", "b", "c")
    firsts = [decide(peers, ALL, index).proposals[0].peer for index in range(4)]
    assert firsts == ["a", "b", "c", "a"]


def test_the_lowest_score_comes_first() -> None:
    peers = make_peers("slow", "quick")
    measure(peers, "slow", 20.0)
    measure(peers, "quick", 500.0)
    for index in range(4):
        assert decide(peers, ALL, index).proposals[0].peer == "quick"


def test_a_slower_peer_is_asked_for_less() -> None:
    peers = make_peers("slow", "quick")
    measure(peers, "slow", 20.0)
    measure(peers, "quick", 500.0)
    total = {"slow": 0, "quick": 0}
    for peer, start, stop in asked(decide(peers, ALL)):
        total[str(peer)] += stop - start
    assert 10 * total["slow"] < total["quick"]


def test_nothing_is_proposed_twice_nor_past_the_stop() -> None:
    peers = make_peers("a", "b", "c")
    for name in "abc":
        measure(peers, name, 200.0)
    ranges = sorted((start, stop) for _, start, stop in asked(decide(peers, ALL, stop=150)))
    assert ranges[0][0] == 0 and ranges[-1][1] == 150
    assert all(before[1] == after[0] for before, after in zip(ranges, ranges[1:]))


def test_what_a_peer_was_wrong_about_is_passed_over_and_left_to_others() -> None:
    peers = make_peers("wrong", "right")
    for name in ("wrong", "right"):
        measure(peers, name, 100.0)
    peers.availability.exclude("wrong", ViewRange(0, 50), float("inf"))
    wanted = ViewSet(0, [(40, 60)])
    for peer, start, stop in asked(decide(peers, wanted)):
        assert peer == "right" or start >= 50


def test_a_peer_that_let_a_request_go_by_gets_one_small_one() -> None:
    peers = make_peers("late")
    measure(peers, "late", 100.0)
    entry = peers.tracker.issue("late", ViewRange(0, 9), 9, 9.0, False, 0.0, 1.0)
    peers.tracker.mark_late(entry)
    assert [stop - start for _, start, stop in asked(decide(peers, ALL))] == [FIRST_REQUESTS[0]]
    peers.scores["late"].paused_until = 11.0
    assert decide(peers, ALL).proposals == ()


def test_a_peer_never_owes_more_answers_than_the_bound() -> None:
    peers = make_peers("a")
    measure(peers, "a", 100.0)
    for number in range(MAX_UNANSWERED):
        peers.tracker.issue("a", ViewRange(number, number + 1), 1, 0.0, False, 0.0, 99.0)
    assert decide(peers, ALL).proposals == ()


def test_sparse_views_are_asked_for_by_the_blocks_they_hold() -> None:
    peers = make_peers("a")
    measure(peers, "a", 100.0)
    first = decide(peers, ALL, density=0.01).proposals[0]
    assert first.views.length > 20 * first.max_blocks
    assert first.blocks == pytest.approx(first.views.length * 0.01)


def test_no_more_is_asked_than_there_is_room_for() -> None:
    peers = make_peers("a", "b")
    for name in "ab":
        measure(peers, name, 1000.0)
    proposals = decide(peers, ALL, room=30.0).proposals
    assert sum(item.blocks for item in proposals) <= 30.0
    assert decide(peers, ALL, room=0.5).proposals == ()


def test_an_idle_peer_takes_over_what_ends_last_but_not_for_the_third_time() -> None:
    peers = make_peers("slow", "quick", "other")
    measure(peers, "slow", 2.0)
    measure(peers, "quick", 200.0)
    measure(peers, "other", 200.0)
    entry = peers.tracker.issue("slow", ViewRange(0, 20), 20, 20.0, False, 9.9, 99.0)
    planned = decide(peers, ViewSet(0))
    assert {item.peer for item in planned.proposals} <= {"quick", "other"}
    ranges = sorted(item.views for item in planned.proposals)
    assert ranges[0].start == 0
    assert all(before.stop <= after.start for before, after in zip(ranges, ranges[1:]))
    assert all(item.copy_of is entry for item in planned.proposals)
    entry.copied_to = 20
    assert decide(peers, ViewSet(0)).proposals == ()


def burden(peers: PeerBook, name: str, rate: float, answers: int = 2) -> None:
    """As if each request cost the peer 3 s, and it had answered the first ones up to second 10."""
    score, rtt, now = peers.scores[name], 0.1, 10.0
    services = [3.0 + blocks / rate for blocks in FIRST_REQUESTS[:answers]]
    issued = done = now - rtt - sum(services)
    for number, service in enumerate(services):
        done += service
        score.supplied(issued, number > 0, FIRST_REQUESTS[number], PACE, done + rtt)
    score.paused_until = 0.0


def test_a_peer_costly_to_ask_is_asked_for_what_it_can_give_until_the_others_end() -> None:
    peers = make_peers("quick", "costly")
    measure(peers, "quick", 100.0)
    burden(peers, "costly", 60.0)
    planned = decide(peers, ViewSet(0, [(0, 1000)]))
    sizes = [item.blocks for item in planned.proposals if item.peer == "costly"]
    # 100 t + 60 (t - 3.1) = 1000
    end = (1000 + 60 * 3.1) / 160
    assert sizes == [pytest.approx(60 * (end * LONG_SHARE - 3.1), rel=0.03)]


def test_a_peer_of_unknown_speed_counts_like_the_costly_one_that_is_asked() -> None:
    peers = make_peers("quick", "costly", "other")
    measure(peers, "quick", 100.0)
    burden(peers, "costly", 30.0)
    burden(peers, "other", 30.0, answers=1)
    peers.tracker.issue("other", ViewRange(9000, 9001), 1, 0.0, False, 10.0, 99.0)
    planned = decide(peers, ViewSet(0, [(0, 1000)]))
    sizes = [item.blocks for item in planned.proposals if item.peer == "costly"]
    other = peers.scores["other"]
    begin = 2 * (other.round_trip + other.overhead)
    # 100 t + 30 (t - 3.1) + 30 (t - begin) = 1000
    end = (1000 + 30 * 3.1 + 30 * begin) / 160
    assert sizes == [pytest.approx(30 * (end * LONG_SHARE - 3.1), rel=0.03)]


def test_the_end_is_not_expected_sooner_than_at_the_rates_so_far() -> None:
    peers = make_peers("quick", "costly")
    measure(peers, "quick", 100.0)
    burden(peers, "costly", 60.0)
    # By its own speed all this would be here by now, so our link may be what holds it up.
    peers.tracker.issue("quick", ViewRange(9000, 9300), 300, 300.0, False, 6.9, 99.0)
    planned = decide(peers, ViewSet(0, [(0, 400)]))
    rate = sum(1 / score.value for score in peers.scores.values())
    assert [item.peer for item in planned.proposals] == ["costly"]
    likely = 60 * ((400 + 300) / rate * LONG_SHARE - 3.1)
    assert planned.proposals[0].blocks == pytest.approx(likely, rel=0.05)
