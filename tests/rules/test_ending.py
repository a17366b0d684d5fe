"""When open requests and shared work are expected to end."""
from math import inf
from typing import List, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.ending import Supply, finish_times, time_to_supply
from blockio_plugin.rules.requests import RequestTracker
from blockio_plugin.rules.scoring import Score
from blockio_plugin.rules.views import ViewRange

SUPPLIES = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.floats(1.0, 1000.0)), min_size=1, max_size=8
)


def test_a_late_answer_is_expected_later_still() -> None:
    score, tracker = Score(), RequestTracker()
    score.supplied(0.0, False, 40, 1e-9, 0.5)
    tracker.join("a")
    tracker.issue("a", ViewRange(0, 10), 10, 10.0, False, 9.0, 99.0)
    tracker.issue("a", ViewRange(10, 20), 10, 10.0, False, 9.0, 99.0)
    early = [finish for _, finish in finish_times(tracker.queue("a"), score, 9.0)]
    late = [finish for _, finish in finish_times(tracker.queue("a"), score, 12.0)]
    assert early[0] < early[1] < 12.0 < late[0] < late[1]


@given(blocks=st.floats(0.01, 10_000), drawn=SUPPLIES)
def test_by_the_time_found_all_is_supplied_and_no_more(
    blocks: float, drawn: List[Tuple[float, float]]
) -> None:
    time = time_to_supply(blocks, [Supply(*pair) for pair in drawn])
    supplied = sum(rate * max(0.0, time - begin) for begin, rate in drawn)
    assert supplied == pytest.approx(blocks, rel=1e-6, abs=1e-6)


def test_nothing_takes_no_time_and_nobody_for_ever() -> None:
    assert time_to_supply(0.0, [Supply(3.0, 10.0)]) == 0.0
    assert time_to_supply(-5.0, []) == 0.0
    assert time_to_supply(1.0, []) == inf
