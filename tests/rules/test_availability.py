"""Adverts, what is held against them, and the segments they cut."""
from typing import List, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.availability import EXCLUDED_TIME, MAX_SEGMENTS, AvailabilityTable
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange, ViewRanges, normalise

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6).map(normalise)

VIEWS = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(
    lambda views: ViewRange(views[0], views[0] + views[1])
)


def make(*adverts: ViewRanges) -> AvailabilityTable:
    table = AvailabilityTable()
    for number, ranges in enumerate(adverts):
        table.join(number)
        table.advertise(number, 0, ranges)
    return table


@given(st.lists(RANGES, max_size=5), st.integers(0, 30), st.integers(31, 60))
def test_segments_tell_exactly_who_advertises_what(
    adverts: List[ViewRanges], start: int, stop: int
) -> None:
    table = make(*adverts)
    partition = table.partition(ViewRange(start, stop))
    assert partition.views == (start, stop)
    line = [view for segment in partition.segments for view in range(segment.start, segment.stop)]
    assert line == list(range(start, stop))
    for segment in partition.segments:
        for view in range(segment.start, segment.stop):
            covering = tuple(peer for peer in table if table.covering(peer, view) is not None)
            assert segment.holders == covering


@given(st.lists(RANGES, max_size=5))
def test_segments_of_the_same_peers_share_one_tuple(adverts: List[ViewRanges]) -> None:
    segments = make(*adverts).partition(ViewRange(0, 60)).segments
    assert len({id(s.holders) for s in segments}) == len({s.holders for s in segments})


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(0, 5000))
def test_there_are_not_more_segments_than_the_bound(widths: List[int], start: int) -> None:
    table = make(
        *(normalise((n, n + width) for n in range(0, 40_000, 4 * width)) for width in widths)
    )
    partition = table.partition(ViewRange(start, 10 ** 9))
    assert len(partition.segments) == MAX_SEGMENTS
    assert partition.views == (start, partition.segments[-1].stop)
    for segment in partition.segments:
        for view in (segment.start, segment.stop - 1):
            covering = tuple(peer for peer in table if table.covering(peer, view) is not None)
            assert segment.holders == covering


def test_a_peer_is_not_asked_for_a_while_for_what_it_was_wrong_about() -> None:
    table = make((ViewRange(0, 100),))
    for now in (0.0, 1e4):
        table.disprove(0, ViewRange(10, 20), now)
        ends = now + EXCLUDED_TIME
        for view, is_out in ((9, False), (10, True), (19, True), (20, False)):
            assert table.is_disproved(0, view, ends - 0.1) == is_out
            assert table.may_ask(0, view, ends - 0.1) == (not is_out)
            assert table.may_ask(0, view, ends)


def test_others_are_asked_first_for_what_rests_though_it_was_not_disproved() -> None:
    table = make((ViewRange(0, 100),))
    table.rest(0, ViewRange(10, 20), 5.0, 1.0)
    assert table.is_excluded(0, 15, 4.0) and not table.is_disproved(0, 15, 4.0)
    assert not table.may_ask(0, 15, 4.0) and table.may_ask(0, 15, 5.0)
    # Time in which it rests does not shorten what it is not asked for, nor the other way round.
    table.disprove(0, ViewRange(10, 20), 1.0)
    assert table.is_excluded(0, 15, 1.0 + EXCLUDED_TIME - 0.1)


@pytest.mark.parametrize("seconds", [1.0, 1000.0])
def test_an_advert_ends_nothing_but_to_be_forgiven_does(seconds: float) -> None:
    table = make((ViewRange(0, 100),))
    table.disprove(0, ViewRange(10, 20), 0.0)
    table.rest(0, ViewRange(30, 40), seconds, 0.0)
    table.advertise(0, 99, (ViewRange(0, 99),))
    assert not table.may_ask(0, 15, 0.5) and not table.may_ask(0, 35, 0.5)
    table.forgive(0)
    assert table.may_ask(0, 15, 0.5) and table.may_ask(0, 35, 0.5)
    assert table.exclusions(0) == 0


@given(st.lists(st.tuples(VIEWS, st.floats(0, 20), st.booleans()), max_size=12))
def test_the_next_excluded_range_is_the_lowest_of_both_kinds(
    excluded: List[Tuple[ViewRange, float, bool]]
) -> None:
    table = make((ViewRange(0, 1000),))
    for views, until, is_wrong in excluded:
        if is_wrong:
            table.disprove(0, views, 0.0)
        else:
            table.rest(0, views, until, 0.0)
    for now in (0.0, 10.0, EXCLUDED_TIME):
        together = table.excluded(0, 0, now)
        left_out = [view for view in range(90) if table.is_excluded(0, view, now)]
        for view in range(90):
            assert table.may_ask(0, view, now) == (view not in left_out)
            assert (together is not None and view in together) == (view in left_out)
            found = table.next_excluded(0, view, now)
            above = [other for other in left_out if other >= view]
            assert (found is None) == (not above)
            if found is not None:
                assert max(found.start, view) == above[0]
                assert set(range(*found)) <= set(left_out)


def test_what_is_said_of_those_who_are_gone_is_ignored() -> None:
    table = make((ViewRange(0, 100),))
    table.leave(0)
    table.disprove(0, ViewRange(10, 20), 0.0)
    table.rest(0, ViewRange(10, 20), 9.0, 0.0)
    assert list(table) == []
    table.join(0)
    table.advertise(0, 99, (ViewRange(0, 100),))
    assert table.may_ask(0, 15, 0.0)


def test_the_version_tells_of_changes() -> None:
    table = make((ViewRange(0, 10),))
    before = table.version
    table.advertise(0, 10, (ViewRange(0, 10),))
    assert table.version == before and table.head_view(0) == 10
    table.advertise(0, 11, (ViewRange(0, 11),))
    assert table.version > before
    table.leave(0)
    assert list(table) == []


@given(
    ranges=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12),
    wanted=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6),
    start=st.integers(0, 40),
    length=st.integers(1, 40),
)
def test_ranges_in_which_nothing_is_wanted_do_not_count(
    ranges: List[Tuple[int, int]], wanted: List[Tuple[int, int]], start: int, length: int
) -> None:
    table = AvailabilityTable()
    table.join("a")
    views = ViewRange(start, start + length)
    advertised = normalise((low, low + size) for low, size in ranges)
    table.advertise("a", 100, advertised)
    in_demand = ViewSet(0, [(low, low + size) for low, size in wanted])
    held = {
        view
        for segment in table.partition(views, in_demand).segments
        for view in range(segment.start, segment.stop)
        if segment.holders
    }
    assert held == {
        view
        for low, high in advertised
        for view in range(max(low, views.start), min(high, views.stop))
        if in_demand.count(max(low, views.start), min(high, views.stop))
    }
