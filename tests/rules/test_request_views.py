"""Which views a peer is asked for."""
from typing import List, Optional

from planning import ALL, asked, burden, decide, make_late, make_peers, measure, of, owe
import pytest

from blockio_plugin.rules.request_sizes import DECLINED_UNANSWERED
from blockio_plugin.rules.scoring import FIRST_REQUESTS, STRAY_DECLINES
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange


def test_what_a_peer_was_wrong_about_is_passed_over_and_left_to_others() -> None:
    peers = make_peers("wrong", "right")
    for name in ("wrong", "right"):
        measure(peers, name, 100.0)
    peers.availability.disprove("wrong", ViewRange(0, 50), 10.0)
    wanted = ViewSet(0, [(40, 60)])
    for peer, start, stop in asked(decide(peers, wanted)):
        assert peer == "right" or start >= 50


def test_sparse_views_are_asked_for_by_the_blocks_they_hold() -> None:
    peers = make_peers("a")
    measure(peers, "a", 100.0)
    first = decide(peers, ALL, density=0.01).proposals[0]
    assert first.views.length > 20 * first.max_blocks
    assert first.blocks == pytest.approx(first.views.length * 0.01)


@pytest.mark.parametrize("owed", [0, 1, 1000])
def test_nothing_depends_on_a_peer_that_was_late_while_another_can_be_asked(owed: int) -> None:
    peers = make_peers("late", "slow")
    make_late(peers, "late")
    measure(peers, "slow", 20.0)
    for number in range(bool(owed)):
        owe(peers, "slow", 5000, 5000 + owed)
    for index in range(4):
        assert of(decide(peers, ALL, index, may_copy=False), "late") == []


def test_a_peer_that_was_late_is_asked_for_what_nobody_else_can_be_asked_for() -> None:
    def views(*changes: str) -> List[ViewRange]:
        peers = make_peers("late", "other")
        make_late(peers, "late")
        if "is new" not in changes:
            measure(peers, "other", 20.0)
        if "lacks" in changes:
            peers.availability.advertise("other", 9999, (ViewRange(100, 10_000),))
        if "was wrong" in changes:
            peers.availability.disprove("other", ViewRange(0, 100), 10.0)
        if "declines" in changes:
            for _ in range(STRAY_DECLINES):
                peers.scores["other"].declined(9.0, 9.0)
        if "was late" in changes:
            peers.tracker.mark_late(owe(peers, "other", 8000, 8001))
        return [item.views for item in of(decide(peers, ALL, may_copy=False), "late")]

    for change in ("lacks", "was wrong", "was late", "is new", "declines"):
        found, = views(change)
        assert found.start < 100 and found.length == FIRST_REQUESTS[0]
    assert views() == []


def test_who_supplies_half_of_what_is_asked_in_vain_is_not_left_alone_by_one_that_is_late() -> None:
    # The costly one is quicker than nobody: the other is late.
    peers = make_peers("late", "costly")
    make_late(peers, "late")
    burden(peers, "costly", 100.0)
    wanted = ViewSet(0, [(0, 3)])
    assert of(decide(peers, wanted), "costly")


def test_an_anchor_in_views_that_are_barred_bars_no_others() -> None:
    peers = make_peers("a")
    measure(peers, "a", 100.0)
    peers.scores["a"].anchor = 9990
    peers.availability.disprove("a", ViewRange(9990, 10_000), 10.0)
    assert decide(peers, ALL).proposals[0].views.start == 0


@pytest.mark.parametrize("overhead, is_bridged", [(0.0, False), (0.04, False), (0.06, True)])
def test_what_was_answered_in_between_is_asked_again_where_a_request_costs_more(
    overhead: float, is_bridged: bool
) -> None:
    def first(answered: ViewSet, in_flight: ViewSet) -> ViewRange:
        peers = make_peers("a")
        measure(peers, "a", 100.0)
        score = peers.scores["a"]
        score.sure_overhead = overhead
        score.request_blocks = score.answer_limit
        score.refill_below = 1000.0
        # Five answered views of 10 ms each lie between.
        wanted = ViewSet(0, [(0, 10), (15, 100)])
        planned = decide(peers, wanted, answered=answered, in_flight=in_flight)
        return planned.proposals[0].views

    between = ViewSet(0, [(10, 15)])
    found = first(between, ViewSet(0))
    assert found.start == 0 and (found.stop > 15 if is_bridged else found.stop == 10)
    # Never what is under way, nor what was not answered.
    assert first(between, between) == first(ViewSet(0), between) == ViewRange(0, 10)
    assert first(ViewSet(0), ViewSet(0)) == ViewRange(0, 10)


def test_a_peer_that_strays_is_asked_elsewhere_until_it_has_found_a_place() -> None:
    def starts(declines: int, anchor: Optional[int] = None) -> List[int]:
        peers = make_peers("a")
        measure(peers, "a", 100.0)
        for number in range(declines):
            peers.scores["a"].declined(number - 9.0, number - 9.0)
        peers.scores["a"].anchor = anchor
        return [decide(peers, ALL, index).proposals[0].views.start for index in range(40)]

    assert set(starts(STRAY_DECLINES - 1)) == {0}
    places = sorted(starts(STRAY_DECLINES))
    # They spread: no gap is much wider than if they lay evenly.
    gaps = [after - before for before, after in zip([0, *places], [*places, 10_000])]
    assert max(gaps) < 3 * 10_000 / 40
    assert set(starts(STRAY_DECLINES, anchor=1234)) == {1234}


def test_a_peer_that_strays_is_asked_in_all_its_segments() -> None:
    peers = make_peers("a", "b")
    measure(peers, "a", 100.0)
    peers.availability.advertise("b", 99, (ViewRange(0, 5000),))
    peers.scores["a"].disproved(0.0)
    assert peers.scores["a"].strays
    places = [of(decide(peers, ALL, index), "a")[0].views.start for index in range(40)]
    assert min(places) < 2500 and max(places) > 7500


def test_a_peer_that_declines_has_few_requests_and_all_the_fewer_when_it_strays() -> None:
    for declines, most in ((1, DECLINED_UNANSWERED), (STRAY_DECLINES, 1)):
        peers = make_peers("a")
        measure(peers, "a", 1000.0)
        for number in range(declines):
            peers.scores["a"].declined(number - 9.0, number - 9.0)
        peers.scores["a"].cap = 1e6
        planned = decide(peers, ALL, room=1e6)
        assert 1 <= len(planned.proposals) <= most
