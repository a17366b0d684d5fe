"""How much a peer is asked for."""
from planning import ALL, asked, burden, decide, make_peers, measure, of
import pytest

from blockio_plugin.rules.request_sizes import LONG_SHARE
from blockio_plugin.rules.requests import MAX_UNANSWERED
from blockio_plugin.rules.scoring import (
    FIRST_REQUESTS,
    PROBE_EVERY,
    PROBE_FACTOR,
    REQUEST_PRICE,
    REQUEST_TIME,
)
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange


def test_a_newcomer_gets_its_first_requests_and_no_more() -> None:
    peers = make_peers("new")
    small, large = FIRST_REQUESTS
    assert asked(decide(peers, ALL)) == [("new", 0, small), ("new", small, small + large)]


def test_a_slower_peer_is_asked_for_less() -> None:
    peers = make_peers("slow", "quick")
    measure(peers, "slow", 20.0)
    measure(peers, "quick", 500.0)
    total = {"slow": 0, "quick": 0}
    for peer, start, stop in asked(decide(peers, ALL)):
        total[str(peer)] += stop - start
    assert 10 * total["slow"] < total["quick"]


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


def test_a_peer_costly_to_ask_is_asked_for_what_it_can_give_until_the_others_end() -> None:
    peers = make_peers("quick", "costly")
    measure(peers, "quick", 100.0)
    burden(peers, "costly", 60.0)
    planned = decide(peers, ViewSet(0, [(0, 1000)]))
    sizes = [item.blocks for item in planned.proposals if item.peer == "costly"]
    costly = peers.scores["costly"]
    cost, rate = costly.round_trip + costly.overhead, 1 / costly.seconds_per_block
    assert cost == pytest.approx(3.1, rel=0.25) and rate == pytest.approx(60.0, rel=0.1)
    quick = 1 / peers.scores["quick"].value
    # quick * t + rate * (t - cost) = 1000
    end = (1000 + rate * cost) / (quick + rate)
    assert sizes == [pytest.approx(rate * (end * LONG_SHARE - cost), rel=0.03)]


def test_a_peer_of_unknown_speed_counts_like_the_costly_one_that_is_asked() -> None:
    peers = make_peers("quick", "costly", "other")
    measure(peers, "quick", 100.0)
    burden(peers, "costly", 30.0)
    burden(peers, "other", 30.0, answers=1)
    other = peers.scores["other"]
    # By its one answer it may be costly as well.
    other.sure_overhead = other.overhead = 3.0
    peers.tracker.issue("other", ViewRange(9000, 9001), 1, 0.0, False, 10.0, 99.0)
    planned = decide(peers, ViewSet(0, [(0, 1000)]))
    sizes = [item.blocks for item in planned.proposals if item.peer == "costly"]
    costly = peers.scores["costly"]
    cost, rate = costly.round_trip + costly.overhead, 1 / costly.seconds_per_block
    quick = 1 / peers.scores["quick"].value
    begin = 2 * (other.round_trip + other.overhead)
    # quick * t + rate * (t - cost) + rate * (t - begin) = 1000
    end = (1000 + rate * (cost + begin)) / (quick + 2 * rate)
    assert sizes == [pytest.approx(rate * (end * LONG_SHARE - cost), rel=0.03)]


def test_the_end_is_not_expected_sooner_than_at_the_rates_so_far() -> None:
    peers = make_peers("quick", "costly")
    measure(peers, "quick", 100.0)
    burden(peers, "costly", 60.0)
    # By its own speed all this would be here by now, so our link may be what holds it up.
    peers.tracker.issue("quick", ViewRange(9000, 9300), 300, 300.0, False, 6.9, 99.0)
    planned = decide(peers, ViewSet(0, [(0, 400)]))
    rate = sum(1 / score.value for score in peers.scores.values())
    assert [item.peer for item in planned.proposals] == ["costly"]
    costly = peers.scores["costly"]
    left = (400 + 300) / rate * LONG_SHARE - costly.round_trip - costly.overhead
    likely = left / costly.seconds_per_block
    assert planned.proposals[0].blocks == pytest.approx(likely, rel=0.05)


def test_a_request_has_its_price() -> None:
    peers = make_peers("new", "rich")
    measure(peers, "rich", 100.0)
    for name in ("new", "rich"):
        peers.scores[name].earned_at = 10.0 + REQUEST_PRICE
    assert decide(peers, ALL).proposals == ()
    for name in ("new", "rich"):
        peers.scores[name].earned_at = 10.0 - 0.5 * REQUEST_PRICE
    assert len(decide(peers, ALL).proposals) == 2


def test_who_may_be_slow_or_costly_is_asked_for_more_now_and_then() -> None:
    sizes = []
    for issued in range(3 * PROBE_EVERY):
        peers = make_peers("a")
        for number in range(6):
            peers.scores["a"].supplied(9.0 + number / 10, True, 10, 0.0, 9.1 + number / 10)
        peers.scores["a"].paused_until = 0.0
        assert peers.scores["a"].is_vague
        peers.tracker.queue("a").issued = issued
        sizes.append(decide(peers, ALL).proposals[0].blocks)
    usual = min(sizes)
    probes = [number for number, size in enumerate(sizes) if size > usual]
    assert len(probes) == 3 and probes[1] - probes[0] == PROBE_EVERY
    assert {sizes[number] for number in probes} == {max(usual, 10) * PROBE_FACTOR}


def test_who_is_costly_by_all_likelihood_has_one_request_at_a_time() -> None:
    peers = make_peers("a")
    measure(peers, "a", 1000.0)
    score = peers.scores["a"]
    # However much it may owe.
    score.request_blocks, score.refill_below = 100.0, 1000.0
    assert len(decide(peers, ALL).proposals) > 5
    score.sure_overhead = 1.01 * REQUEST_TIME
    assert len(decide(peers, ALL).proposals) == 1
    # But now and then two, since the second tells what is work, and what only the way.
    peers.tracker.queue("a").issued = PROBE_EVERY - 1
    assert len(decide(peers, ALL).proposals) == 2


def test_who_is_far_and_gives_no_more_at_a_time_has_enough_requests_to_fill_the_way() -> None:
    peers = make_peers("a")
    measure(peers, "a", 1000.0, rtt=1.7)
    score = peers.scores["a"]
    score.answer_limit = score.request_blocks = 64.0
    score.sure_overhead = 1.01 * REQUEST_TIME
    score.cap = 1e6
    in_time = [item.blocks for item in decide(peers, ALL).proposals]
    service = score.service_time(64)
    assert len(in_time) == 1 + int(score.round_trip / service) > 1
    # No more than it has earned by what it gave.
    score.cap = 64.0
    assert len(decide(peers, ALL).proposals) == 1


def test_who_cannot_be_asked_for_views_is_not_left_to_give_them() -> None:
    """A far, costly peer that alone may be asked for the last views is asked, late as it is."""
    peers = make_peers("costly", "quick")
    for name, rtt in (("costly", 2.0), ("quick", 0.1)):
        measure(peers, name, 200.0, rtt)
    peers.scores["costly"].sure_overhead = peers.scores["costly"].overhead = 1.5
    wanted = ViewSet(0, [(0, 15)])
    assert of(decide(peers, wanted, may_copy=False), "costly") == []
    peers.availability.disprove("quick", ViewRange(0, 15), 10.0)
    (found,) = of(decide(peers, wanted, may_copy=False), "costly")
    assert found.views.start == 0 and found.blocks > 10
