"""The pace of all arrivals together."""
import pytest

from blockio_plugin.rules.goodput import Goodput


def test_the_pace_is_that_of_the_last_second_or_so() -> None:
    goodput = Goodput()
    assert goodput.block_time == 0.0
    for tick in range(1, 101):
        goodput.note(10, tick * 0.1)
    assert goodput.block_time == pytest.approx(0.01, rel=0.1)
    for tick in range(1, 51):
        goodput.note(10, 10 + tick * 0.5)
    assert goodput.block_time == pytest.approx(0.05, rel=0.1)
