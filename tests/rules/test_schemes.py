from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.schemes import (
    MAX_SCHEME_NAME_LENGTH,
    InvalidScheme,
    NumberScheme,
    SlotScheme,
    parse_scheme,
)
from blockio_plugin.rules.views import VIEW_LIMIT


class Header(NamedTuple):
    block_number: int
    timestamp: int
    extra_data: bytes = b""


GENESIS = Header(0, 1000)


def test_number_scheme() -> None:
    scheme = parse_scheme("number").bind(GENESIS)
    assert isinstance(scheme, NumberScheme)
    assert scheme.name == "number"
    assert scheme.view_of(Header(17, 1000)) == 17


def test_slot_scheme_counts_from_genesis() -> None:
    scheme = parse_scheme("slot:30").bind(GENESIS)
    assert isinstance(scheme, SlotScheme)
    assert scheme.name == "slot:30"
    views = [scheme.view_of(Header(1, timestamp)) for timestamp in (1000, 1029, 1030, 4000)]
    assert views == [0, 0, 1, 100]


def test_genesis_is_view_0_under_both() -> None:
    for text in ("number", "slot:1", "slot:86400"):
        assert parse_scheme(text).bind(GENESIS).view_of(GENESIS) == 0


def test_slot_before_genesis_is_below_0() -> None:
    assert parse_scheme("slot:30").bind(GENESIS).view_of(Header(1, 999)) == -1


@given(st.integers(1, VIEW_LIMIT - 1), st.integers(0, 2 ** 40), st.integers(0, 2 ** 40))
def test_views_do_not_descend(seconds: int, one: int, other: int) -> None:
    scheme = parse_scheme(f"slot:{seconds}").bind(GENESIS)
    early, late = sorted((one, other))
    assert scheme.view_of(Header(1, early)) <= scheme.view_of(Header(2, late))


@given(st.integers(1, VIEW_LIMIT - 1))
def test_name_reads_back_and_is_short(seconds: int) -> None:
    name = parse_scheme(f"slot:{seconds}").bind(GENESIS).name
    assert parse_scheme(name).name == name
    assert len(name) < MAX_SCHEME_NAME_LENGTH


def test_name_has_one_form() -> None:
    assert parse_scheme("slot:007").name == "slot:7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Number",
        "number:1",
        "slot",
        "slot:",
        "slot:0",
        "slot:-1",
        "slot:+1",
        "slot:1.5",
        "slot: 5",
        "slot:5s",
        "slot:1_000",
        "slot:\N{ARABIC-INDIC DIGIT FIVE}",
        f"slot:{2 ** 63}",
        "epoch:5",
    ],
)
def test_invalid(text: str) -> None:
    with pytest.raises(InvalidScheme):
        parse_scheme(text)


@given(st.text())
def test_any_text_is_a_scheme_or_invalid(text: str) -> None:
    try:
        spec = parse_scheme(text)
    except InvalidScheme:
        return
    assert spec.bind(GENESIS).name == spec.name
