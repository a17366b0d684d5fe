"""The tracker against a plain model."""
from typing import Dict, List, Set

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
import pytest

from blockio_plugin.rules import requests
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.requests import MAX_LOST, MAX_UNANSWERED, OpenRequest, RequestTracker
from blockio_plugin.rules.views import ViewRange

FEW_UNANSWERED = 4
"""Unanswered requests of one peer, most, while the machine runs."""

FEW_LOST = 3
"""Lost ones that are remembered of one peer, most, while the machine runs."""


class TrackerMachine(RuleBasedStateMachine):
    """Requests are answered in any order, late or never, by peers that come and go."""

    @initialize()
    def start(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(requests, "MAX_UNANSWERED", FEW_UNANSWERED)
        self.patch.setattr(requests, "MAX_LOST", FEW_LOST)
        self.tracker = RequestTracker()
        self.open: Dict[int, OpenRequest] = {}
        self.late: Dict[int, OpenRequest] = {}
        self.lost: Dict[int, OpenRequest] = {}
        self.forgotten: Dict[int, str] = {}
        self.answered: Dict[int, str] = {}
        self.seen: Set[int] = set()
        self.reorders: Set[str] = set()
        for peer in "ab":
            self.tracker.join(peer)

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()

    def of(self, known: Dict[int, OpenRequest], peer: str) -> List[int]:
        return [number for number, entry in known.items() if entry.request.peer == peer]

    @rule(
        peer=st.sampled_from("ab"),
        start=st.integers(0, 50),
        copy=st.booleans(),
        deadline=st.floats(0, 100),
        owner=st.sampled_from("xyz"),
    )
    def issue(self, peer: str, start: int, copy: bool, deadline: float, owner: str) -> None:
        unanswered = len(self.of(self.open, peer)) + len(self.of(self.late, peer))
        if unanswered >= FEW_UNANSWERED:
            return
        views = ViewRange(start, start + 5)
        entry = self.tracker.issue(peer, views, 5, 2.0, copy, 0.0, deadline, owner)
        assert entry.queued == (unanswered > 0)
        assert entry.request.request_id not in self.seen
        self.seen.add(entry.request.request_id)
        self.open[entry.request.request_id] = entry

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def time_out(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        self.tracker.mark_late(self.open[number])
        self.become_late(number)

    def become_late(self, number: int) -> None:
        entry = self.late[number] = self.open.pop(number)
        late = self.of(self.late, str(entry.request.peer))
        if len(late) >= FEW_UNANSWERED:
            self.become_lost(min(late))

    def become_lost(self, number: int) -> None:
        entry = self.lost[number] = self.late.pop(number)
        peer = str(entry.request.peer)
        mine = self.of(self.lost, peer)
        if len(mine) > FEW_LOST:
            self.forgotten[mine[0]] = peer
            del self.lost[mine[0]]

    @precondition(lambda self: self.open)
    @rule(data=st.data(), deadline=st.floats(0, 200))
    def extend(self, data: st.DataObject, deadline: float) -> None:
        entry = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        self.tracker.extend(entry, deadline)

    @precondition(lambda self: self.open or self.late or self.lost)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted([*self.open, *self.late, *self.lost])))
        known = {**self.open, **self.late, **self.lost}
        peer = str(known[number].request.peer)
        entry = self.tracker.get(peer, number)
        assert entry is known[number]
        passed = self.tracker.note_order(entry)
        if number in self.lost:
            self.reorders.add(peer)
        expected: List[int] = []
        if peer not in self.reorders:
            earlier = sorted([*self.of(self.open, peer), *self.of(self.late, peer)])
            earlier = [other for other in earlier if other < number]
            expected = [other for other in earlier if other in self.open]
            for other in earlier:
                if other in self.open:
                    self.become_late(other)
                if other in self.late:
                    self.become_lost(other)
        assert [other.request.request_id for other in passed] == expected
        self.close(number, peer)

    @precondition(lambda self: self.open or self.late or self.lost)
    @rule(data=st.data())
    def decline(self, data: st.DataObject) -> None:
        # It tells nothing of the order: whoever declines may do so before its turn.
        number = data.draw(st.sampled_from(sorted([*self.open, *self.late, *self.lost])))
        entry = {**self.open, **self.late, **self.lost}[number]
        self.close(number, str(entry.request.peer))

    def close(self, number: int, peer: str) -> None:
        entry = self.tracker.get(peer, number)
        assert entry is not None
        self.tracker.close(entry)
        for known in (self.open, self.late, self.lost):
            known.pop(number, None)
        self.answered[number] = peer

    @rule(peer=st.sampled_from("ab"))
    def leave_and_come_back(self, peer: str) -> None:
        lost = {entry.request.request_id for entry in self.tracker.leave(peer)}
        assert lost == set(self.of(self.open, peer))
        for known in (self.open, self.late, self.lost):
            for number in self.of(known, peer):
                del known[number]
        for ended in (self.forgotten, self.answered):
            for number in [n for n, whose in ended.items() if whose == peer]:
                del ended[number]
        self.reorders.discard(peer)
        self.tracker.join(peer)

    @invariant()
    def loads_are_those_of_open_requests(self) -> None:
        for owner in "xyz":
            own = [entry for entry in self.open.values() if entry.owner == owner]
            assert self.tracker.blocks_of(owner) == 2.0 * len(own)

    @invariant()
    def same(self) -> None:
        assert {e.request.request_id for e in self.tracker.open_requests()} == set(self.open)
        assert len(self.tracker) == len(self.open)
        assert self.tracker.blocks == pytest.approx(2.0 * len(self.open))
        assert self.tracker.copies == sum(entry.is_copy for entry in self.open.values())
        deadlines = [entry.deadline for entry in self.open.values()]
        assert self.tracker.next_deadline() == min(deadlines, default=None)
        overdue = {entry.request.request_id for entry in self.tracker.overdue(50.0)}
        assert overdue == {n for n, entry in self.open.items() if entry.deadline <= 50.0}
        for peer in "ab":
            queue = self.tracker.queue(peer)
            still_open, late = self.of(self.open, peer), self.of(self.late, peer)
            assert list(queue.unanswered) == sorted([*still_open, *late])
            assert list(queue.lost) == self.of(self.lost, peer)
            assert queue.blocks == pytest.approx(2.0 * len(still_open))
            assert queue.late == len(late) < FEW_UNANSWERED
            assert len(queue.lost) <= FEW_LOST
            assert queue.reorders == (peer in self.reorders)

    @invariant()
    def who_may_answer_what(self) -> None:
        waited_for = {**self.open, **self.late, **self.lost}
        for number in [*self.seen, max(self.seen, default=0) + 1]:
            for peer in "ab":
                entry = waited_for.get(number)
                if entry is not None and entry.request.peer == peer:
                    assert self.tracker.get(peer, number) is entry
                elif self.forgotten.get(number) == peer:
                    assert self.tracker.get(peer, number) is None
                elif not any(whose == peer and n > number for n, whose in self.forgotten.items()):
                    with pytest.raises(Offence):
                        self.tracker.get(peer, number)


TestTracker = TrackerMachine.TestCase


def make(*peers: str) -> RequestTracker:
    tracker = RequestTracker()
    for peer in peers:
        tracker.join(peer)
    return tracker


def ask(tracker: RequestTracker, peer: str, start: int = 0, copy: bool = False) -> OpenRequest:
    return tracker.issue(peer, ViewRange(start, start + 10), 5, 1.0, copy, 0.0, 1.0)


def test_overlapping_requests_are_found() -> None:
    tracker = make("a")
    low = ask(tracker, "a")
    ask(tracker, "a", 10)
    assert tracker.overlapping(ViewRange(5, 10)) == [low]
    assert tracker.find("a", low.request.request_id) is low
    assert low.queued is False


def test_a_peer_that_never_answers_can_always_be_asked_again() -> None:
    tracker = make("a")
    entries = []
    for _ in range(3 * (MAX_UNANSWERED + MAX_LOST)):
        assert len(tracker.queue("a").unanswered) < MAX_UNANSWERED
        entries.append(ask(tracker, "a"))
        tracker.mark_late(entries[-1])
    queue = tracker.queue("a")
    assert len(queue.lost) == MAX_LOST
    # What it answers after all is used, unless that was forgotten; that is no offence either.
    remembered = len(queue.unanswered) + MAX_LOST
    found = [tracker.get("a", entry.request.request_id) for entry in entries]
    assert found == [None] * (len(entries) - remembered) + entries[-remembered:]


def test_what_a_later_answer_passed_over_is_lost() -> None:
    tracker = make("a", "b")
    first, second, third, fourth = (ask(tracker, "a") for _ in range(4))
    other = ask(tracker, "b")
    tracker.mark_late(first)
    assert tracker.note_order(third) == (second,)
    tracker.close(third)
    assert list(tracker.queue("a").unanswered.values()) == [fourth]
    assert list(tracker.open_requests()) == [fourth, other]
    # It comes after all: the peer does not answer in order, so nothing is concluded from it again.
    assert tracker.get("a", second.request.request_id) is second
    assert tracker.note_order(second) == ()
    tracker.close(second)
    last = ask(tracker, "a")
    assert tracker.note_order(last) == ()
    assert list(tracker.queue("a").unanswered.values()) == [fourth, last]


def test_what_a_copy_did_not_bring_may_be_asked_of_one_more() -> None:
    tracker = make("a", "b")
    original = ask(tracker, "a")
    for end in (tracker.close, tracker.mark_late):
        copy = ask(tracker, "b", copy=True)
        copy.note_copy(original, is_probe=False)
        assert tracker.copies == 1 and original.copied == [copy.request.views]
        end(copy)
        assert original.copied == []
        assert tracker.copies == 0


def test_nothing_depends_on_a_probe() -> None:
    tracker = make("a", "b")
    original = ask(tracker, "a")
    probe = ask(tracker, "b", copy=True)
    probe.note_copy(original, is_probe=True)
    assert original.copied == [] and original.probes == 1
    assert tracker.overlapping(original.request.views) == [original]
    tracker.close(probe)
    assert original.probes == 0


def test_the_front_is_the_oldest_that_is_not_late() -> None:
    tracker = make("a")
    entries = [ask(tracker, "a") for _ in range(3)]
    for entry, front in zip(entries, entries[1:]):
        tracker.mark_late(entry)
        assert tracker.queue("a").front is front


def test_what_is_put_off_is_excused_until_it_ends() -> None:
    tracker = make("a")
    ends = (tracker.close, tracker.mark_late)
    for end in ends:
        entry = ask(tracker, "a")
        tracker.extend(entry, 50.0)
        tracker.extend(entry, 60.0)
        assert tracker.excused == 1 and entry.is_excused
        end(entry)
        assert tracker.excused == 0
    tracker.extend(ask(tracker, "a"), 50.0)
    tracker.leave("a")
    assert tracker.excused == 0
