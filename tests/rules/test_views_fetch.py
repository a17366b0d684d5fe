from typing import Any

import pytest

from blockio_plugin.rules.outlet import DEFAULT_WINDOW
from blockio_plugin.rules.views_fetch import (
    MAX_FETCH_RANGES,
    MAX_WINDOW,
    InvalidRanges,
    check_ranges,
    check_window,
)


def test_ranges_become_normal() -> None:
    assert check_ranges(((5, 9), (0, 2), (8, 12), (2, 3))) == ((0, 3), (5, 12))
    assert check_ranges(()) == ()
    assert check_ranges(((0, 2 ** 63),)) == ((0, 2 ** 63),)


@pytest.mark.parametrize(
    "ranges",
    [
        None,
        [],
        [(0, 5)],
        "0-5",
        5,
        ((5, 0),),
        ((5, 5),),
        ((-1, 5),),
        ((-5, -1),),
        ((0, 2 ** 63 + 1),),
        ((2 ** 70, 2 ** 71),),
        ([0, 5],),
        ((0, 5, 9),),
        ((0,),),
        (7,),
        ((0.0, 5.0),),
        ((False, True),),
        (("0", "5"),),
        ((None, None),),
        ((10 ** 1000, 5),),
        ((0, 1),) * (MAX_FETCH_RANGES + 1),
        ((0, 1),) * 10 ** 6,
    ],
    ids=lambda ranges: repr(ranges)[:30],
)
def test_what_are_no_ranges(ranges: Any) -> None:
    with pytest.raises(InvalidRanges) as refusal:
        check_ranges(ranges)
    assert len(str(refusal.value)) <= 200


def test_windows() -> None:
    assert check_window(0) == DEFAULT_WINDOW
    assert check_window(7) == 7
    for window in (-1, MAX_WINDOW + 1, 1.5, None, "7", True):
        with pytest.raises(InvalidRanges):
            check_window(window)
