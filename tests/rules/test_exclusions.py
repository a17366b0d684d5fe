"""What one peer is not asked for, against a plain dict of views and the times at which they end."""
import copy
from typing import Dict, Iterator, List, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules import exclusions
from blockio_plugin.rules.exclusions import MAX_EXCLUSIONS, Exclusions
from blockio_plugin.rules.views import ViewRange

LAST = 130
"""Views below this are looked at."""

FEW = 8
"""Ranges that are kept where it is to be seen what merging does."""

ADDS = st.lists(
    st.tuples(
        st.integers(0, LAST - 30), st.integers(0, 12), st.floats(0.0, 20.0), st.floats(0.0, 2.0)
    ),
    max_size=40,
)
"""Where each range starts, its views, for how long it lasts, and when after the one before (s)."""


def play(
    adds: List[Tuple[int, int, float, float]]
) -> Iterator[Tuple[Exclusions, Dict[int, float], float]]:
    """After each range that was added: what is left out, what has to be, and the time."""
    left_out, until, now = Exclusions(), {view: 0.0 for view in range(LAST)}, 0.0
    for start, length, seconds, passed in adds:
        now += passed
        left_out.add(ViewRange(start, start + length), now + seconds, now)
        for view in range(start, start + length):
            until[view] = max(until[view], now + seconds)
        yield left_out, until, now


@given(ADDS, st.floats(0.0, 20.0))
def test_what_was_left_out_stays_so_until_it_ends(
    adds: List[Tuple[int, int, float, float]], later: float
) -> None:
    for left_out, until, now in play(adds):
        for view, end in until.items():
            for at in (now, now + later):
                assert left_out.holds(view, at) or end <= at


@given(ADDS)
def test_what_was_never_left_out_is_not(adds: List[Tuple[int, int, float, float]]) -> None:
    for left_out, until, now in play(adds):
        assert not any(left_out.holds(view, now) for view, end in until.items() if not end)
        assert not any(left_out.holds(view, max(until.values())) for view in until)


@given(ADDS)
def test_ranges_that_do_not_touch_end_each_at_its_own_time(
    adds: List[Tuple[int, int, float, float]]
) -> None:
    left_out = Exclusions()
    places = [(index * 20, length, seconds) for index, (_, length, seconds, _) in enumerate(adds)]
    for start, length, seconds in places:
        left_out.add(ViewRange(start, start + length), seconds, 0.0)
    for start, length, seconds in places:
        for at in (0.0, 5.0, 10.0):
            for view in range(start, start + 20):
                assert left_out.holds(view, at) == (view < start + length and at < seconds)


@given(ADDS, st.floats(0.0, 20.0))
def test_finding_and_holding_agree(
    adds: List[Tuple[int, int, float, float]], later: float
) -> None:
    for left_out, _, now in play(adds):
        for at in (now, now + later):
            held = [view for view in range(LAST) if left_out.holds(view, at)]
            for view in range(LAST):
                found = left_out.find(view, at)
                above = [other for other in held if other >= view]
                assert (found is None) == (not above)
                if found is not None:
                    assert max(found.start, view) == above[0]
                    assert set(range(*found)) <= set(held)


@given(
    st.lists(
        st.tuples(
            st.integers(0, LAST - 3), st.integers(1, 3), st.floats(1.0, 50.0), st.just(0.1)
        ),
        min_size=20,
        max_size=40,
    )
)
def test_past_the_bound_views_are_only_added(
    adds: List[Tuple[int, int, float, float]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exclusions, "MAX_EXCLUSIONS", FEW)
        for left_out, until, now in play(adds):
            assert len(left_out) <= FEW
            added = [view for view, end in until.items() if end]
            for view, end in until.items():
                for at in (now, max(now, (now + end) / 2), max(now, end - 0.01)):
                    assert left_out.holds(view, at) or end <= at
                if left_out.holds(view, now):
                    assert min(added) <= view <= max(added)


def test_what_lies_nearest_becomes_one_range() -> None:
    left_out = Exclusions()
    # Pairs of ranges three views apart, and a hundred views between two pairs.
    for number in range(MAX_EXCLUSIONS + 1):
        start = 100 * (number // 2) + 3 * (number % 2)
        left_out.add(ViewRange(start, start + 1), 10.0, 0.0)
    assert len(left_out) < MAX_EXCLUSIONS
    views = range(100 * (MAX_EXCLUSIONS // 2))
    assert all(view % 100 <= 3 for view in views if left_out.holds(view, 0.0))
    assert any(view % 100 == 2 for view in views if left_out.holds(view, 0.0))


def test_what_has_ended_gives_its_place_up_first() -> None:
    left_out = Exclusions()
    for number in range(MAX_EXCLUSIONS):
        left_out.add(ViewRange(10 * number, 10 * number + 1), 1.0 if number % 2 else 9.0, 0.0)
    left_out.add(ViewRange(10 * MAX_EXCLUSIONS, 10 * MAX_EXCLUSIONS + 1), 9.0, 5.0)
    assert len(left_out) == MAX_EXCLUSIONS // 2 + 1
    held = [view for view in range(10 * MAX_EXCLUSIONS + 10) if left_out.holds(view, 5.0)]
    assert held == [20 * number for number in range(MAX_EXCLUSIONS // 2 + 1)]


def test_what_has_ended_does_not_come_back_with_what_overlaps_it() -> None:
    left_out = Exclusions()
    left_out.add(ViewRange(0, 10), 1.0, 0.0)
    left_out.add(ViewRange(5, 15), 9.0, 5.0)
    assert [view for view in range(20) if left_out.holds(view, 5.0)] == list(range(5, 15))


def test_no_views_are_none() -> None:
    left_out = Exclusions()
    left_out.add(ViewRange(5, 5), 10.0, 0.0)
    assert not len(left_out) and left_out.find(0, 1.0) is None


@given(ADDS, st.floats(0.0, 20.0), st.integers(0, 50))
def test_all_of_it_as_one_set(
    adds: List[Tuple[int, int, float, float]], later: float, base: int
) -> None:
    for left_out, _, now in play(adds):
        for at in (now, now + later):
            held = [view for view in range(base, LAST) if left_out.holds(view, at)]
            # Time does not go back: to ask about later leaves out what has ended by then.
            views = (copy.deepcopy(left_out) if at > now else left_out).views(base, at)
            assert [view for view in range(base, LAST) if view in views] == held
