from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.meter import BUCKET_TIME, HISTORY_BUCKETS, RATE_BUCKETS, Meter

STARTS = st.floats(-1e6, 1e9)


@given(STARTS, st.integers(1, 10 ** 6), st.floats(1.0, 1e4))
def test_a_steady_flow_is_the_rate(start: float, amount: int, seconds: float) -> None:
    meter = Meter(start)
    steps = int(seconds)
    for step in range(steps):
        meter.note(amount, start + step + 0.5)
    assert meter.total == amount * steps
    # Half a step is all that can be counted too much or too little.
    error = 0.5 / min(steps, RATE_BUCKETS * BUCKET_TIME) + 1e-3
    assert meter.rate(start + steps) == pytest.approx(amount, rel=error)


@given(STARTS)
def test_what_stops_is_forgotten(start: float) -> None:
    meter = Meter(start)
    meter.note(100, start + 1)
    assert meter.rate(start + 2) == pytest.approx(50.0, rel=1e-3)
    over = start + 1 + (RATE_BUCKETS + 1) * BUCKET_TIME
    assert meter.rate(over) == 0.0 and meter.total == 100
    assert sum(meter.history(over)) == 100
    long_after = start + (HISTORY_BUCKETS + 5) * BUCKET_TIME
    assert meter.history(long_after) == (0,) * HISTORY_BUCKETS


def test_nothing_is_no_rate() -> None:
    meter = Meter(5.0)
    assert meter.rate(5.0) == 0.0 and meter.history(5.0) == ()


def test_history_is_of_whole_buckets_the_oldest_first() -> None:
    meter = Meter(0.0)
    for bucket in range(4):
        meter.note(bucket, bucket * BUCKET_TIME + 1)
    assert meter.history(3 * BUCKET_TIME + 2) == (0, 1, 2)
    assert meter.history(5 * BUCKET_TIME) == (0, 1, 2, 3, 0)


def test_when_something_came_last() -> None:
    meter = Meter(0.0)
    meter.note(0, 1.0)
    assert meter.last_at < 0
    meter.note(1, 2.0)
    meter.note(0, 3.0)
    assert meter.last_at == 2.0


def test_a_clock_that_goes_back_a_little_harms_nothing() -> None:
    meter = Meter(0.0)
    meter.note(1, BUCKET_TIME + 0.1)
    meter.note(1, BUCKET_TIME - 0.1)
    assert meter.total == 2 and meter.history(2 * BUCKET_TIME) == (0, 2)
