"""The tracker against a plain model."""
from typing import Dict, List, Set

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
import pytest

from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.requests import OpenRequest, RequestTracker
from blockio_plugin.rules.views import ViewRange


class TrackerMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.tracker = RequestTracker()
        self.open: Dict[int, OpenRequest] = {}
        self.late: Dict[int, OpenRequest] = {}
        self.seen: Set[int] = set()
        self.peers: List[str] = ["a", "b"]
        for peer in self.peers:
            self.tracker.join(peer)

    @rule(
        peer=st.sampled_from("ab"),
        start=st.integers(0, 50),
        copy=st.booleans(),
        deadline=st.floats(0, 100),
    )
    def issue(self, peer: str, start: int, copy: bool, deadline: float) -> None:
        views = ViewRange(start, start + 5)
        entry = self.tracker.issue(peer, views, 5, 2.0, copy, 0.0, deadline)
        assert entry.request.request_id not in self.seen
        self.seen.add(entry.request.request_id)
        self.open[entry.request.request_id] = entry

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def time_out(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        entry = self.open.pop(number)
        self.tracker.mark_late(entry)
        self.late[number] = entry

    @precondition(lambda self: self.open)
    @rule(data=st.data(), deadline=st.floats(0, 200))
    def extend(self, data: st.DataObject, deadline: float) -> None:
        entry = self.open[data.draw(st.sampled_from(sorted(self.open)))]
        self.tracker.extend(entry, deadline)

    @precondition(lambda self: self.open or self.late)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted([*self.open, *self.late])))
        entry = self.open.pop(number, None) or self.late.pop(number)
        peer = str(entry.request.peer)
        with pytest.raises(Offence):
            self.tracker.get("b" if peer == "a" else "a", number)
        assert self.tracker.get(peer, number) is entry
        self.tracker.close(entry)
        with pytest.raises(Offence):
            self.tracker.get(peer, number)

    @rule(peer=st.sampled_from("ab"))
    def leave_and_come_back(self, peer: str) -> None:
        lost = {entry.request.request_id for entry in self.tracker.leave(peer)}
        assert lost == {n for n, entry in self.open.items() if entry.request.peer == peer}
        for known in (self.open, self.late):
            for number in [n for n, entry in known.items() if entry.request.peer == peer]:
                del known[number]
        self.tracker.join(peer)

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
            mine = [e for e in [*self.open.values(), *self.late.values()] if e.request.peer == peer]
            assert len(queue.unanswered) == len(mine)
            assert queue.blocks == pytest.approx(2.0 * len(mine))
            assert queue.late == sum(entry.is_late for entry in mine)


TestTracker = TrackerMachine.TestCase


def test_overlapping_requests_are_found() -> None:
    tracker = RequestTracker()
    tracker.join("a")
    low = tracker.issue("a", ViewRange(0, 10), 5, 1.0, False, 0.0, 1.0)
    tracker.issue("a", ViewRange(10, 20), 5, 1.0, False, 0.0, 1.0)
    assert tracker.overlapping(ViewRange(5, 10)) == [low]
    assert tracker.find(low.request.request_id) is low
    assert low.queued is False
