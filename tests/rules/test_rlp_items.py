from typing import Any, List, Tuple, Union

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
import rlp

from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.rlp_items import (
    Item,
    check_shape,
    iterate_list,
    read_document,
    read_fields,
    read_item,
    read_list,
    read_string,
    read_uint,
)

Nested = Union[bytes, List[Any]]

nested = st.recursive(
    st.binary(max_size=70), lambda children: st.lists(children, max_size=5), max_leaves=30
)


def encode(items: Nested) -> bytes:
    encoded: bytes = rlp.encode(items, infer_serializer=False)
    return encoded


def read_all(data: bytes, item: Item) -> Nested:
    """What a decoder without bounds would return."""
    if not item.is_list:
        return read_string(data, item)
    return [read_all(data, child) for child in iterate_list(data, item)]


@given(nested)
def test_reads_what_pyrlp_encodes(items: Nested) -> None:
    data = encode(items)
    item = read_item(data, 0, len(data))
    assert item.stop == len(data)
    assert read_all(data, item) == items


@given(st.binary(max_size=80))
@settings(max_examples=500)
def test_reads_what_is_canonical_and_nothing_else(data: bytes) -> None:
    try:
        item = read_item(data, 0, len(data))
        items = read_all(data, item)
    except Offence:
        try:
            items = rlp.decode(data, strict=False)
        except rlp.DecodingError:
            return
        # pyrlp takes some encodings that are not canonical.
        assert not data.startswith(encode(items))
    else:
        assert data.startswith(encode(items))


@pytest.mark.parametrize(
    "data, reason",
    [
        ("", "ends where"),
        ("01", "not a list"),
        ("80", "not a list"),
        ("c000", "bytes follow"),
        ("c1", "past its end"),
        ("f8", "past its end"),
        ("f8370000", "not canonical"),
        ("f90038", "not canonical"),
        ("fb00ffffff", "not canonical"),
        ("fbffffffff", "past its end"),
        ("fcffffffffff", "past its end"),
        ("ffffffffffffffffff", "past its end"),
    ],
)
def test_documents_that_are_none(data: str, reason: str) -> None:
    with pytest.raises(Offence, match=reason):
        read_document(bytes.fromhex(data))


def test_list_with_a_bound() -> None:
    data = encode([b"a", b"b", b"c"])
    item = read_document(data)
    assert len(read_list(data, item, 3)) == 3
    with pytest.raises(Offence, match="more than 2"):
        read_list(data, item, 2)
    with pytest.raises(Offence, match="3 items where 4"):
        read_fields(data, item, 4)


def test_the_wrong_kind() -> None:
    data = encode([b"a", []])
    string, empty = read_fields(data, read_document(data), 2)
    with pytest.raises(Offence, match="in the place of a list"):
        read_list(data, string, 1)
    with pytest.raises(Offence, match="in the place of a string"):
        read_string(data, empty)
    with pytest.raises(Offence, match="in the place of an integer"):
        read_uint(data, empty, 8)


@given(st.integers(0, 2 ** 80))
def test_uint(value: int) -> None:
    data = rlp.encode(value)
    item = read_item(data, 0, len(data))
    if value < 2 ** 64:
        assert read_uint(data, item, 8) == value
    else:
        with pytest.raises(Offence, match="more than 8 bytes"):
            read_uint(data, item, 8)


@pytest.mark.parametrize("data", ["00", "820001"])
def test_uint_with_leading_zeros(data: str) -> None:
    encoded = bytes.fromhex(data)
    with pytest.raises(Offence, match="leading zeros"):
        read_uint(encoded, read_item(encoded, 0, len(encoded)), 8)


def test_item_keeps_to_its_limit() -> None:
    data = encode([b"ab"]) + b"more"
    with pytest.raises(Offence, match="past its end"):
        read_item(data, 1, 3)


def measure(item: Nested) -> Tuple[int, int, int]:
    """How deep lists nest in an item, how many items it is, and the most in one list."""
    if not isinstance(item, list):
        return 0, 1, 0
    inner = [measure(child) for child in item]
    return (
        1 + max((depth for depth, _, _ in inner), default=0),
        1 + sum(items for _, items, _ in inner),
        max([len(item), *(most for _, _, most in inner)]),
    )


@given(nested, st.binary(max_size=3))
def test_shape_is_measured_to_the_last_item(item: Nested, rest: bytes) -> None:
    encoded = encode(item) + rest
    depth, items, most = measure(item)
    check_shape(encoded, depth, items, most)
    for bounds in ((depth - 1, items, most), (depth, items - 1, most), (depth, items, most - 1)):
        # An item alone, and what is no list, has no bound below.
        if min(bounds) >= 0 and bounds[1] > 0:
            with pytest.raises(Offence):
                check_shape(encoded, *bounds)


@given(st.binary(max_size=60))
def test_shape_of_anything(data: bytes) -> None:
    try:
        check_shape(data, 8, 100, 50)
    except Offence:
        pass


def test_shape_of_deep_nesting() -> None:
    with pytest.raises(Offence, match="16 lists"):
        check_shape(bytes(range(0xC0 + 50, 0xC0 - 1, -1)), 16, 100, 100)
