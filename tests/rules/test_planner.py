"""Single decisions of the planner."""
from typing import List, Optional, Tuple

import pytest

from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.planner import (
    DECLINED_UNANSWERED,
    LONG_SHARE,
    MAX_COPIES,
    SOUND_FACTOR,
    SOUND_TIME,
    Demand,
    Plan,
    Proposal,
    plan,
)
from blockio_plugin.rules.ranking import rank_segments
from blockio_plugin.rules.requests import MAX_UNANSWERED, OpenRequest
from blockio_plugin.rules.scoring import (
    FIRST_REQUESTS,
    PROBE_EVERY,
    PROBE_FACTOR,
    REQUEST_PRICE,
    REQUEST_TIME,
    STRAY_DECLINES,
)
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange


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
        peers.scores[name].supplied(5.0 - rtt, True, blocks, 0.0, done)
    peers.scores[name].paused_until = 0.0
    # So that none of the next is a probe.
    peers.tracker.queue(name).issued = 6


def decide(
    peers: PeerBook,
    wanted: ViewSet,
    clock_index: int = 0,
    now: float = 10.0,
    stop: int = 10_000,
    density: float = 1.0,
    room: float = 1e9,
    link_time: float = 0.0,
    may_copy: bool = True,
    answered: Optional[ViewSet] = None,
    in_flight: Optional[ViewSet] = None,
) -> Plan:
    partition = peers.availability.partition(ViewRange(0, 10_000))
    ranking = rank_segments(
        partition, wanted, peers.scores, peers.availability, density, now
    )
    demand = Demand(
        front=0,
        wanted=wanted,
        in_flight=ViewSet(0) if in_flight is None else in_flight,
        answered=ViewSet(0) if answered is None else answered,
        partition=partition,
        ranking=ranking,
        stop=stop,
        density=density,
        room=room,
        link_time=link_time,
        may_copy=may_copy,
    )
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
    peers.availability.disprove("wrong", ViewRange(0, 50), 10.0)
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


def test_an_idle_peer_takes_over_what_ends_last_once() -> None:
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
    for item in planned.proposals:
        copy = owe(peers, str(item.peer), *item.views)
        copy.note_copy(entry, is_probe=False)
    assert decide(peers, ViewSet(0)).proposals == ()
    # What a copy did not settle is open again: another peer is asked for it.
    peers.tracker.close(copy)
    assert {item.views for item in decide(peers, ViewSet(0)).proposals} <= {copy.request.views}


def burden(peers: PeerBook, name: str, rate: float, answers: int = 24) -> None:
    """As if each request cost the peer 3 s, and it had answered some up to second 10."""
    score, way, now = peers.scores[name], 0.1, 10.0
    sizes = ([*FIRST_REQUESTS, 100, 300] * answers)[:answers]
    issued = done = now - way - sum(3.0 + blocks / rate for blocks in sizes)
    for number, blocks in enumerate(sizes):
        done += 3.0 + blocks / rate
        score.supplied(issued, number > 0, blocks, 0.0, done + way)
    score.paused_until = 0.0


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


def owe(peers: PeerBook, name: str, start: int, stop: int, issued_at: float = 9.9) -> OpenRequest:
    views = ViewRange(start, stop)
    blocks = views.length
    return peers.tracker.issue(name, views, blocks, float(blocks), False, issued_at, 99.0)


def make_late(peers: PeerBook, name: str) -> None:
    """It was measured, and has let a request go by; it does not pause any more."""
    measure(peers, name, 500.0)
    peers.tracker.mark_late(owe(peers, name, 9000, 9001))


def of(planned: Plan, peer: str) -> List[Proposal]:
    return [item for item in planned.proposals if item.peer == peer]


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


def test_a_peer_that_was_late_is_probed_by_a_copy() -> None:
    peers = make_peers("late", "slow")
    make_late(peers, "late")
    measure(peers, "slow", 20.0)
    entry = owe(peers, "slow", 0, 20)
    probe, = of(decide(peers, ViewSet(0)), "late")
    assert probe.is_probe and probe.copy_of is entry
    assert probe.views == ViewRange(0, FIRST_REQUESTS[0])
    # However much is wanted besides, and though somebody copied it already.
    entry.copied.append(entry.request.views)
    probe, = of(decide(peers, ALL), "late")
    assert probe.is_probe and probe.copy_of is entry
    # One at a time.
    copy = owe(peers, "late", *probe.views)
    assert of(decide(peers, ALL), "late") == []
    peers.tracker.mark_late(copy)
    assert len(of(decide(peers, ALL), "late")) == 1
    assert of(decide(peers, ALL, may_copy=False), "late") == []
    peers.availability.disprove("late", ViewRange(0, 20), 10.0)
    assert of(decide(peers, ViewSet(0)), "late") == []


def test_no_peer_is_asked_twice_at_a_time_for_the_same_views() -> None:
    peers = make_peers("slow", "other", "quick")
    measure(peers, "slow", 2.0)
    measure(peers, "other", 2.0)
    measure(peers, "quick", 200.0)
    entry = owe(peers, "slow", 0, 20)
    for peer in ("other", "quick"):
        copy = owe(peers, peer, 0, 20)
        copy.note_copy(entry, is_probe=False)
    # It would be quicker than the other one, whose copy it would be, but has the same to do.
    assert of(decide(peers, ViewSet(0)), "quick") == []


def test_a_peer_that_is_waited_for_is_sounded_for_longer_each_time() -> None:
    peers = make_peers("lost", "slow")
    first = owe(peers, "lost", 0, 20)
    owe(peers, "slow", 20, 40)
    times = []
    now = first.request.issued_at
    while now < 60.0:
        now += 0.25
        assert of(decide(peers, ViewSet(0), now=now, may_copy=False), "lost") == []
        peers.tracker.extend(first, now + 1)
        for sounding in of(decide(peers, ViewSet(0), now=now, may_copy=False), "lost"):
            assert sounding.is_probe and sounding.views == ViewRange(0, 1)
            probe = peers.tracker.issue("lost", sounding.views, 1, 1.0, True, now, now + 0.1)
            probe.note_copy(first, is_probe=True)
            times.append(now - first.request.issued_at)
        first.is_excused = False
        peers.tracker.excused = 0
        for probe in list(peers.tracker.queue("lost").unanswered.values())[1:]:
            probe.is_excused = True
    assert times == pytest.approx([SOUND_TIME * SOUND_FACTOR ** count for count in range(5)])


def test_one_peer_is_sounded_at_a_time_and_whom_nothing_is_wanted_of_too() -> None:
    peers = make_peers("a", "b")
    entries = [owe(peers, "a", 0, 20), owe(peers, "b", 20, 40)]
    for entry in entries:
        peers.tracker.extend(entry, 60.0)
    # All of it is answered by now, so the front is asked for.
    answered = ViewSet(0, [(0, 40)])
    planned = decide(peers, ViewSet(0), now=50.0, may_copy=False, answered=answered)
    sounding, = planned.proposals
    assert sounding.is_probe and sounding.views == ViewRange(40, 41)
    probe = owe(peers, str(sounding.peer), 40, 41)
    probe.note_copy(entries[0], is_probe=True)
    assert decide(peers, ViewSet(0), now=50.0, may_copy=False).proposals == ()
    probe.is_excused = True
    following, = decide(peers, ViewSet(0), now=50.0, may_copy=False).proposals
    assert following.peer != sounding.peer
    waited_for = decide(peers, ViewSet(0), now=50.0, may_copy=False, link_time=100.0)
    assert waited_for.proposals == ()


def test_a_request_has_its_price() -> None:
    peers = make_peers("new", "rich")
    measure(peers, "rich", 100.0)
    for name in ("new", "rich"):
        peers.scores[name].earned_at = 10.0 + REQUEST_PRICE
    assert decide(peers, ALL).proposals == ()
    for name in ("new", "rich"):
        peers.scores[name].earned_at = 10.0 - 0.5 * REQUEST_PRICE
    assert len(decide(peers, ALL).proposals) == 2


def test_who_supplies_half_of_what_is_asked_in_vain_is_not_left_alone_by_one_that_is_late() -> None:
    # The costly one is quicker than nobody: the other is late.
    peers = make_peers("late", "costly")
    make_late(peers, "late")
    burden(peers, "costly", 100.0)
    wanted = ViewSet(0, [(0, 3)])
    assert of(decide(peers, wanted), "costly")


def test_a_probe_goes_over_what_was_answered_where_little_is_wanted() -> None:
    peers = make_peers("a")
    for number in range(6):
        peers.scores["a"].supplied(9.0 + number / 10, True, 10, 0.0, 9.1 + number / 10)
    peers.scores["a"].paused_until = 0.0
    peers.tracker.queue("a").issued = len(FIRST_REQUESTS)
    wanted = ViewSet(0, [(view, view + 1) for view in range(0, 400, 2)])
    answered = ViewSet(0, [(0, 400)]) - wanted
    probe, *others = decide(peers, wanted, answered=answered).proposals
    assert probe.views.length > 10
    assert all(other.views.length == 1 for other in others)


def test_an_anchor_in_views_that_are_barred_bars_no_others() -> None:
    peers = make_peers("a")
    measure(peers, "a", 100.0)
    peers.scores["a"].anchor = 9990
    peers.availability.disprove("a", ViewRange(9990, 10_000), 10.0)
    assert decide(peers, ALL).proposals[0].views.start == 0


def test_a_copy_that_brought_nothing_may_be_followed_by_another() -> None:
    peers = make_peers("slow", "quick", "other")
    measure(peers, "slow", 2.0)
    measure(peers, "quick", 200.0)
    measure(peers, "other", 200.0)
    entry = owe(peers, "slow", 0, 20)
    copy = peers.tracker.issue("quick", ViewRange(0, 20), 20, 20.0, True, 9.9, 99.0)
    copy.note_copy(entry, is_probe=False)
    assert [item.views for item in of(decide(peers, ViewSet(0)), "other")] == []
    peers.tracker.mark_late(copy)
    second, *_ = of(decide(peers, ViewSet(0)), "other")
    assert second.copy_of is entry and second.views.start == 0


def test_a_copy_may_be_copied_in_turn_but_not_for_ever() -> None:
    peers = make_peers("0", "1", "2", "3", "idle")
    for name in ("0", "1", "2", "3"):
        measure(peers, name, 2.0)
    measure(peers, "idle", 200.0)
    last = owe(peers, "0", 0, 20)
    depths = []
    for name in ("1", "2", "3", "idle"):
        copies = of(decide(peers, ViewSet(0)), "idle")
        depths.append({copy.copy_of.depth for copy in copies if copy.copy_of is not None})
        if name == "idle":
            break
        copy = peers.tracker.issue(name, ViewRange(0, 20), 20, 20.0, True, 9.9, 99.0)
        copy.note_copy(last, is_probe=False)
        last = copy
    assert depths == [{depth} for depth in range(MAX_COPIES)] + [set()]


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


def test_nothing_is_copied_that_would_come_after_it_through_our_own_link() -> None:
    peers = make_peers("slow", "quick")
    measure(peers, "slow", 2.0)
    measure(peers, "quick", 200.0)
    owe(peers, "slow", 0, 20)
    assert of(decide(peers, ViewSet(0)), "quick")
    assert of(decide(peers, ViewSet(0), link_time=5.0), "quick") == []


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
