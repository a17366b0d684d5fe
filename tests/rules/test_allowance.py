from typing import List, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.allowance import Allowance

RATE, STOCK = 4.0, 10.0


def test_what_is_there_can_be_spent_at_once() -> None:
    allowance = Allowance(RATE, STOCK)
    for _ in range(10):
        assert allowance.wait_time(5.0) == 0.0
        allowance.spend(1.0, 5.0)
    assert allowance.wait_time(5.0) == 1 / RATE
    assert allowance.wait_time(5.0 + 1 / RATE) == 0.0


def test_what_it_covers_leaves_nothing_owed() -> None:
    allowance = Allowance(RATE, STOCK)
    assert allowance.covers(STOCK, 3.0) and not allowance.covers(STOCK + 1, 3.0)
    allowance.spend(8.0, 3.0)
    assert allowance.covers(2.0, 3.0) and not allowance.covers(3.0, 3.0)
    assert allowance.covers(6.0, 4.0)


def test_what_is_owed_fills_up_first() -> None:
    allowance = Allowance(RATE, STOCK)
    allowance.spend(50.0, 0.0)
    assert allowance.wait_time(0.0) == 41 / RATE
    assert allowance.wait_time(40 / RATE) == 1 / RATE
    assert allowance.wait_time(41 / RATE) == 0.0


def test_what_is_given_back_is_there_again() -> None:
    allowance = Allowance(RATE, STOCK)
    allowance.spend(STOCK, 0.0)
    allowance.spend(-1.0, 0.0)
    assert allowance.wait_time(0.0) == 0.0
    allowance.spend(-10 * STOCK, 0.0)
    allowance.spend(STOCK, 0.0)
    assert allowance.wait_time(0.0) > 0.0


@given(
    st.sampled_from((0.0, -1e4, 3600.0, 1e6)),
    st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 30.0)), min_size=1, max_size=50),
)
def test_no_more_is_spent_than_came_in(start: float, asked: List[Tuple[float, float]]) -> None:
    """Who waits as told never spends more than the stock, the rate, and one amount beyond."""
    allowance = Allowance(RATE, STOCK)
    now, spent = start, 0.0
    for pause, amount in asked:
        now += pause
        wait = allowance.wait_time(now)
        assert wait <= (1 + 30.0) / RATE + 1e-6
        now += wait
        # Rounding may leave a trifle to wait for.
        assert allowance.wait_time(now) == pytest.approx(0.0, abs=1 / RATE + 1e-6)
        spent += amount
        allowance.spend(amount, now)
        assert spent <= STOCK + (now - start) * RATE + 30.0 + 1e-6
