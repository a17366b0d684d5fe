"""The ledger: no view is lost, whatever is asked, answered and disproved."""
from typing import List

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from blockio_plugin.rules.ledger import HORIZON_VIEWS, Ledger
from blockio_plugin.rules.view_set import MAX_WIDTH, ViewSet
from blockio_plugin.rules.views import ViewRange

VIEWS = st.tuples(st.integers(0, 120), st.integers(1, 40)).map(
    lambda item: ViewRange(item[0], item[0] + item[1])
)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(0)
        self.ledger.set_target(100)
        self.flying: List[ViewRange] = []

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        runs = self.ledger.wanted.first_runs(0, 200, 5)
        if runs:
            run = data.draw(st.sampled_from(runs))
            stop = data.draw(st.integers(run.start + 1, run.stop))
            self.ledger.take(ViewRange(run.start, stop))
            self.flying.append(ViewRange(run.start, stop))

    @rule(data=st.data(), covered=st.integers(0, 40))
    def land(self, data: st.DataObject, covered: int) -> None:
        if self.flying:
            views = data.draw(st.sampled_from(self.flying))
            self.flying.remove(views)
            self.ledger.land(views, self.flying)
            stop = min(views.start + covered, views.stop)
            self.ledger.answer(ViewRange(views.start, stop))
            self.ledger.want_again(ViewRange(stop, views.stop))

    @rule(views=VIEWS)
    def late_answer(self, views: ViewRange) -> None:
        self.ledger.answer(views)

    @rule(views=VIEWS)
    def skip(self, views: ViewRange) -> None:
        self.ledger.skip_to(*views)
        assert self.ledger.wanted.count(*views) == 0

    @rule(views=VIEWS)
    def disprove(self, views: ViewRange) -> None:
        self.ledger.reopen(views)
        assert self.ledger.answered.count(*views) == 0

    @rule(step=st.integers(0, 5))
    def advance(self, step: int) -> None:
        self.ledger.advance(min(self.ledger.front + step, self.ledger.target))

    @rule(limit=st.integers(0, 150))
    def retarget(self, limit: int) -> None:
        self.ledger.set_target(limit)
        # What was asked beyond a shrunken target is answered into nothing.
        top = self.ledger.target
        self.flying = [ViewRange(s, min(e, top)) for s, e in self.flying if s < top]

    @invariant()
    def nothing_is_lost(self) -> None:
        ledger = self.ledger
        assert not ledger.wanted & ledger.in_flight
        assert not ledger.wanted & ledger.answered
        everything = ViewSet(0, [(ledger.front, ledger.horizon)])
        assert ledger.wanted | ledger.in_flight | ledger.answered == everything
        assert ledger.horizon == ledger.target
        flying = ViewSet(0, (ledger.clip(views) for views in self.flying))
        assert flying == ledger.in_flight
        open_views = (ledger.wanted | ledger.in_flight) - ledger.answered
        assert ledger.lowest_open() == open_views.next_at(ledger.front)


TestLedger = LedgerMachine.TestCase


def test_the_horizon_follows_the_lowest_wanted_view() -> None:
    ledger = Ledger(0)
    ledger.set_target(2 ** 62)
    assert ledger.horizon == HORIZON_VIEWS
    ledger.skip_to(0, HORIZON_VIEWS - 5)
    ledger.extend()
    assert ledger.horizon == 2 * HORIZON_VIEWS - 5
    ledger.skip_to(0, 2 ** 50)
    ledger.extend()
    assert ledger.horizon == MAX_WIDTH


def test_the_bitmaps_move_on_with_the_front() -> None:
    ledger = Ledger(0)
    ledger.set_target(2 ** 62)
    front = 0
    for _ in range(40):
        ledger.skip_to(front, front + 2 ** 29)
        front += 2 ** 29
        ledger.advance(front)
        ledger.extend()
        assert ledger.wanted.next_at(0) == front
        assert ledger.lowest_open() == front
    assert ledger.wanted.base > 2 ** 33
