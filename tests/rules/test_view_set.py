"""The bitmap wrapper against plain sets, at the edges of its width too."""
from typing import Optional, Set

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
import pytest

from blockio_plugin.rules.view_set import MAX_WIDTH, ViewSet

BASE = 1000
TOP = BASE + MAX_WIDTH
NEAR = st.one_of(
    st.integers(BASE - 20, BASE + 80), st.integers(BASE + 65_500, BASE + 65_600)
)
EDGE = st.one_of(NEAR, st.integers(TOP - 30, TOP + 30), st.just(2 ** 63))


class ViewSetMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.views = ViewSet(BASE)
        self.model: Set[int] = set()

    @staticmethod
    def inside(start: int, stop: int) -> Set[int]:
        return set(range(max(start, BASE), min(stop, TOP)))

    @rule(start=NEAR, length=st.integers(-3, 50))
    def add(self, start: int, length: int) -> None:
        self.views.add(start, start + length)
        self.model |= self.inside(start, start + length)

    @rule(length=st.integers(0, 40))
    def add_at_the_top(self, length: int) -> None:
        self.views.add(TOP - length, TOP + 5)
        self.model |= self.inside(TOP - length, TOP + 5)

    @rule(views=st.sets(st.integers(BASE, BASE + 100), max_size=5))
    def add_views(self, views: Set[int]) -> None:
        self.views.add_views(views)
        self.model |= views

    @rule(start=EDGE, length=st.integers(-3, 100))
    def remove(self, start: int, length: int) -> None:
        self.views.remove(start, start + length)
        self.model -= set(range(start, start + length))

    @rule(start=st.integers(0, 200), step=st.sampled_from([-40, 7, 60]))
    def rebase(self, start: int, step: int) -> None:
        base = BASE + step
        moved = ViewSet(BASE)
        moved.update(self.views)
        moved.rebase(base)
        assert moved.base == base
        kept = {view for view in self.model if base <= view < base + MAX_WIDTH}
        assert {v for run in moved.runs(0, 2 ** 63) for v in range(*run)} == kept

    @rule(view=EDGE)
    def look(self, view: int) -> None:
        assert (view in self.views) == (view in self.model)
        above: Optional[int] = min((v for v in self.model if v >= view), default=None)
        assert self.views.next_at(view) == above
        below = max((v for v in self.model if v < view), default=None)
        assert self.views.previous(view) == below
        if BASE <= view < TOP:
            missing = view
            while missing in self.model:
                missing += 1
            assert self.views.next_missing(view) == missing

    @rule(start=EDGE, length=st.integers(-3, 200))
    def measure(self, start: int, length: int) -> None:
        part = {view for view in self.model if start <= view < start + length}
        assert self.views.count(start, start + length) == len(part)
        runs = list(self.views.runs(start, start + length))
        assert {view for run in runs for view in range(*run)} == part
        assert all(a.stop < b.start for a, b in zip(runs, runs[1:]))
        assert list(self.views.first_runs(start, start + length, 2)) == runs[:2]
        if length > 0:
            assert self.views.covers(start, start + length) == (len(part) == length)

    @invariant()
    def same(self) -> None:
        assert len(self.views) == len(self.model)
        assert bool(self.views) == bool(self.model)


TestViewSet = ViewSetMachine.TestCase

SETS = st.sets(st.integers(0, 300), max_size=60)


def make(views: Set[int]) -> ViewSet:
    return ViewSet(0, ((view, view + 1) for view in views))


def flatten(views: ViewSet) -> Set[int]:
    return {view for run in views.runs(0, 2 ** 40) for view in range(*run)}


@given(SETS, SETS)
def test_algebra_is_that_of_sets(here: Set[int], there: Set[int]) -> None:
    assert flatten(make(here) | make(there)) == here | there
    assert flatten(make(here) & make(there)) == here & there
    assert flatten(make(here) - make(there)) == here - there
    assert (make(here) == make(there)) == (here == there)


def test_runs_across_many_spans() -> None:
    views = ViewSet(5, [(10, 10 ** 6), (3 * 10 ** 6, 3 * 10 ** 6 + 1), (2 ** 31, 2 ** 31 + 9)])
    assert [tuple(run) for run in views.runs(0, 2 ** 63)] == [
        (10, 10 ** 6),
        (3 * 10 ** 6, 3 * 10 ** 6 + 1),
        (2 ** 31, 2 ** 31 + 9),
    ]
    assert views.next_missing(11) == 10 ** 6


def test_hostile_ranges_end_at_the_width() -> None:
    views = ViewSet(0, [(0, 2 ** 63)])
    assert len(views) == MAX_WIDTH
    assert views.next_missing(7) == MAX_WIDTH
    views.remove(-(2 ** 62), 2 ** 62)
    assert not views and views.next_at(0) is None


def test_sets_of_different_bases_do_not_combine() -> None:
    with pytest.raises(ValueError):
        ViewSet(0) | ViewSet(1)
    with pytest.raises(ValueError):
        ViewSet(0).update(ViewSet(1))
