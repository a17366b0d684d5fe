"""Ranges against plain sets of views."""
from typing import List, Set, Tuple

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, ViewRanges, clip, normalise, range_at

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)
NORMAL = PAIRS.map(normalise)


def views_of(ranges: ViewRanges) -> Set[int]:
    return {view for views in ranges for view in range(*views)}


def check_normal(ranges: ViewRanges) -> None:
    assert all(isinstance(views, ViewRange) and views.start < views.stop for views in ranges)
    assert all(low.stop < high.start for low, high in zip(ranges, ranges[1:]))


@given(PAIRS)
def test_normal_ranges_hold_the_same_views(pairs: List[Tuple[int, int]]) -> None:
    ranges = normalise(pairs)
    check_normal(ranges)
    assert views_of(ranges) == {view for pair in pairs for view in range(*pair)}
    assert normalise(ranges) == ranges


@given(NORMAL, st.integers(0, 60), st.integers(0, 60))
def test_clipping_leaves_what_is_in_the_window(ranges: ViewRanges, low: int, high: int) -> None:
    clipped = clip(ranges, ViewRange(low, high))
    check_normal(clipped)
    assert views_of(clipped) == views_of(ranges) & set(range(low, high))


@given(NORMAL)
def test_the_range_at_a_view_is_found(ranges: ViewRanges) -> None:
    for view in range(-1, 62):
        holding = [views for views in ranges if view in views]
        assert range_at(ranges, view) == (holding[0] if holding else None)


def test_ranges_reach_up_to_the_limit() -> None:
    last = (ViewRange(5, VIEW_LIMIT),)
    assert range_at(last, VIEW_LIMIT - 1) == last[0]
    assert range_at(last, VIEW_LIMIT) is None
    top = ViewRange(VIEW_LIMIT - 1, VIEW_LIMIT)
    assert clip(last, top) == (top,)


def test_a_range_is_half_open() -> None:
    views = ViewRange(3, 5)
    assert [view in views for view in (2, 3, 4, 5)] == [False, True, True, False]
    assert "3" not in views  # type: ignore[comparison-overlap]
    assert views.length == 2
    assert str(views) == "3-4" and str(ViewRange(3, 4)) == "3"
