"""What is asked of a second peer."""
from planning import ALL, decide, make_late, make_peers, measure, of, owe
import pytest

from blockio_plugin.rules.hedging import MAX_COPIES, SOUND_FACTOR, SOUND_TIME
from blockio_plugin.rules.scoring import FIRST_REQUESTS
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange


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


def test_nothing_is_copied_that_would_come_after_it_through_our_own_link() -> None:
    peers = make_peers("slow", "quick")
    measure(peers, "slow", 2.0)
    measure(peers, "quick", 200.0)
    owe(peers, "slow", 0, 20)
    assert of(decide(peers, ViewSet(0)), "quick")
    assert of(decide(peers, ViewSet(0), link_time=5.0), "quick") == []
