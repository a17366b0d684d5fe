"""Adverts, what is held against them, and the segments they cut."""
from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.availability import MAX_EXCLUSIONS, MAX_SEGMENTS, AvailabilityTable
from blockio_plugin.rules.views import ViewRange, normalise

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6).map(normalise)


def make(*adverts: object) -> AvailabilityTable:
    table = AvailabilityTable()
    for number, ranges in enumerate(adverts):
        table.join(number)
        table.advertise(number, 0, ranges)  # type: ignore[arg-type]
    return table


@given(st.lists(RANGES, max_size=5), st.integers(0, 30), st.integers(31, 60))
def test_segments_tell_exactly_who_advertises_what(
    adverts: object, start: int, stop: int
) -> None:
    table = make(*adverts)  # type: ignore[misc]
    partition = table.partition(ViewRange(start, stop))
    assert partition.views == (start, stop)
    line = [view for segment in partition.segments for view in range(segment.start, segment.stop)]
    assert line == list(range(start, stop))
    for number, segment in enumerate(partition.segments):
        for view in range(segment.start, segment.stop):
            covering = tuple(peer for peer in table if table.covering(peer, view) is not None)
            assert segment.holders == covering
        for peer in table:
            assert (number in partition.of_peer.get(peer, ())) == (peer in segment.holders)


def test_there_are_not_more_segments_than_the_bound() -> None:
    table = make(normalise((10 * n, 10 * n + 5) for n in range(1024)))
    partition = table.partition(ViewRange(0, 10 ** 9))
    assert len(partition.segments) == MAX_SEGMENTS
    assert partition.views.stop < 10 ** 9


def test_a_newer_advert_ends_exclusions() -> None:
    table = make((ViewRange(0, 100),))
    table.exclude(0, ViewRange(10, 20), float("inf"))
    assert not table.may_ask(0, 15, 5.0)
    assert table.may_ask(0, 20, 5.0)
    table.advertise(0, 99, (ViewRange(0, 100),))
    assert table.may_ask(0, 15, 5.0)


def test_exclusions_end_by_time_and_are_bounded() -> None:
    table = make((ViewRange(0, 1000),))
    for view in range(2 * MAX_EXCLUSIONS):
        table.exclude(0, ViewRange(view, view + 1), 10.0)
    assert len(table.excluded(0)) == MAX_EXCLUSIONS
    last = 2 * MAX_EXCLUSIONS - 1
    assert not table.may_ask(0, last, 9.0)
    assert table.may_ask(0, last, 10.0)


def test_declines_in_a_row_shrink_the_advert_by_ever_more() -> None:
    table = make((ViewRange(0, 10 ** 6),))
    view, declines = 0, 0
    while view < 600_000:
        declines += 1
        table.declined(0, ViewRange(view, view + 10), declines, 1.0)
        view = table.excluded(0)[-1].views.stop
    assert declines < 10
    assert table.may_ask(0, 0, 12.0)


def test_the_version_tells_of_changes() -> None:
    table = make((ViewRange(0, 10),))
    before = table.version
    table.advertise(0, 10, (ViewRange(0, 10),))
    assert table.version == before
    table.advertise(0, 11, (ViewRange(0, 11),))
    assert table.version > before
    table.leave(0)
    assert list(table) == []
