import argparse

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.node.commands.view_ranges import count_views, parse_views, tell_ranges


@given(st.integers(0, 2 ** 62), st.integers(1, 2 ** 62))
def test_ranges_as_people_write_them(start: int, length: int) -> None:
    assert parse_views(f"{start}..{start + length}") == (start, start + length)


@pytest.mark.parametrize(
    "text", ["", "5", "5-9", "..", "5..", "..9", "9..5", "5..5", "a..b", "-1..5", "1.5..9", "٣..٩"]
    + [f"0..{2 ** 63 + 1}", "1..2..3"],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_views(text)
    assert repr(text) in str(caught.value)


def test_few_are_told_and_all_are_counted() -> None:
    assert tell_ranges([(0, 5), (7, 8)]) == "0..5, 7..8"
    many = [(10 * index, 10 * index + 5) for index in range(20)]
    assert tell_ranges(many).endswith("70..75 and 12 more")
    assert count_views(many) == 100 and count_views([]) == 0
