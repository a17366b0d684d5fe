from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.durations import UNITS, describe_seconds


@pytest.mark.parametrize(
    "seconds, told",
    [
        (-5, "0s"),
        (0.4, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (61, "1m1s"),
        (3600, "1h"),
        (3605, "1h"),
        (93_600, "1d2h"),
        (365 * 86400 + 86400 * 7, "1y7d"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert describe_seconds(seconds) == told


@given(st.floats(1, 1e11))
def test_what_is_left_out_is_small(seconds: float) -> None:
    left = describe_seconds(seconds)
    told = 0
    for name, size in UNITS:
        amount, found, rest = left.partition(name)
        if found:
            told, left = told + int(amount) * size, rest
    assert left == "" and 0.98 * seconds - 1 < told <= seconds
