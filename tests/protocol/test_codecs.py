"""Any bytes give a payload or ``MalformedMessage``, soon and in little memory."""
import time
import tracemalloc
from typing import Any, Callable, List, Tuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from p2p.exceptions import MalformedMessage
import pytest
import rlp
import snappy

from blockio_plugin.protocol.codecs import (
    MAX_AVAILABILITY_SIZE,
    MAX_BLOCKS_SIZE,
    MAX_GET_BLOCKS_SIZE,
    AvailabilityCodec,
    BlocksByViewCodec,
    BoundedRLPCodec,
    BoundedSnappyCodec,
    GetBlocksByViewCodec,
    decode_ranges,
    encode_ranges,
)
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView, Offence
from blockio_plugin.rules.schemes import MAX_SCHEME_NAME_LENGTH
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, normalise

CODECS = (AvailabilityCodec(), GetBlocksByViewCodec(), BlocksByViewCodec())

HOSTILE_SECONDS = 2.0
"""
How long the worst payload may take here: far above what it does (tens of milliseconds), far below
the minutes that a decoder without bounds takes.
"""

uint64 = st.integers(0, 2 ** 64 - 1)
view = st.integers(0, VIEW_LIMIT - 1)

adverts = st.builds(
    Availability,
    scheme=st.text(st.characters(min_codepoint=0, max_codepoint=127), max_size=64),
    head_view=uint64,
    ranges=st.lists(st.tuples(view, view), max_size=20).map(normalise),
)


@st.composite
def requests(draw: Any) -> GetBlocksByView:
    start = draw(view)
    length = draw(st.integers(1, VIEW_LIMIT - start))
    return GetBlocksByView(draw(uint64), start, length, draw(st.integers(1, 2 ** 64 - 1)))


@st.composite
def answers(draw: Any) -> BlocksByView:
    blocks = tuple(draw(st.lists(st.binary(max_size=100), max_size=20)))
    start = draw(st.integers(0, VIEW_LIMIT - len(blocks)))
    length = draw(st.integers(len(blocks), VIEW_LIMIT - start))
    return BlocksByView(draw(uint64), start, length, draw(uint64), blocks)


nested = st.recursive(
    st.binary(max_size=12),
    lambda children: st.lists(children, max_size=6),
    max_leaves=40,
)
"""What encodes to well-formed RLP of any shape."""


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
class TestAnyBytes:
    @given(data=st.binary(max_size=400))
    @settings(max_examples=300)
    def test_bytes(self, codec: BoundedRLPCodec[Any], data: bytes) -> None:
        decode_or_be_malformed(codec, data)

    @given(items=nested)
    @settings(max_examples=300)
    def test_well_formed_rlp(self, codec: BoundedRLPCodec[Any], items: Any) -> None:
        decode_or_be_malformed(codec, rlp.encode(items, infer_serializer=False))


@given(st.one_of(adverts, requests(), answers()), st.data())
@settings(max_examples=500)
def test_damaged_payloads(payload: Any, data: st.DataObject) -> None:
    codec = CODECS[(Availability, GetBlocksByView, BlocksByView).index(type(payload))]
    damaged = bytearray(codec.encode(payload))
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(damaged) - 1))
        damaged[index] = data.draw(st.integers(0, 255))
    decode_or_be_malformed(codec, bytes(damaged))


def decode_or_be_malformed(codec: BoundedRLPCodec[Any], data: bytes) -> None:
    try:
        payload = codec.decode(data)
    except MalformedMessage:
        return
    # There is one encoding of a payload, but that a long scheme is cut off.
    if not isinstance(payload, Availability) or len(payload.scheme) < MAX_SCHEME_NAME_LENGTH:
        assert codec.encode(payload) == data


class TestRoundTrip:
    @given(adverts)
    def test_availability(self, advert: Availability) -> None:
        codec = AvailabilityCodec()
        assert codec.decode(codec.encode(advert)) == advert

    @given(requests())
    def test_get_blocks_by_view(self, request: GetBlocksByView) -> None:
        codec = GetBlocksByViewCodec()
        assert codec.decode(codec.encode(request)) == request

    @given(answers())
    def test_blocks_by_view(self, answer: BlocksByView) -> None:
        codec = BlocksByViewCodec()
        assert codec.decode(codec.encode(answer)) == answer

    @given(st.lists(st.tuples(view, view), max_size=50).map(normalise))
    def test_ranges(self, ranges: Tuple[ViewRange, ...]) -> None:
        assert decode_ranges(encode_ranges(ranges)) == ranges

    @given(st.lists(st.tuples(uint64, uint64), max_size=8))
    def test_any_pairs_give_normal_ranges(self, pairs: List[Tuple[int, int]]) -> None:
        try:
            ranges = decode_ranges(pairs)
        except Offence:
            return
        assert ranges == normalise(ranges)
        assert all(stop <= VIEW_LIMIT for _, stop in ranges)

    @given(st.binary(max_size=MAX_GET_BLOCKS_SIZE))
    def test_snappy(self, data: bytes) -> None:
        codec = BoundedSnappyCodec(MAX_GET_BLOCKS_SIZE)
        assert codec.decompress(codec.compress(data)) == data


TOO_MANY_RANGES = tuple(ViewRange(start, start + 1) for start in range(0, 2050, 2))


def test_long_scheme_is_cut_off() -> None:
    encoded = rlp.encode([b"x" * 1000, b"", []], infer_serializer=False)
    advert = AvailabilityCodec().decode(encoded)
    assert advert == Availability("x" * MAX_SCHEME_NAME_LENGTH, 0, ())


@pytest.mark.parametrize(
    "codec, payload",
    [
        (AvailabilityCodec(), Availability("number", 2 ** 64, ())),
        (AvailabilityCodec(), Availability("number", 0, (ViewRange(0, 1), ViewRange(1, 2)))),
        (AvailabilityCodec(), Availability("number", 0, (ViewRange(0, 2 ** 63 + 1),))),
        (AvailabilityCodec(), Availability("number", 0, TOO_MANY_RANGES)),
        (AvailabilityCodec(), Availability("\N{LATIN SMALL LETTER E WITH ACUTE}", 0, ())),
        (GetBlocksByViewCodec(), GetBlocksByView(1, 0, 0, 1)),
        (BlocksByViewCodec(), BlocksByView(1, 0, 1, 0, (b"a", b"b"))),
        (BlocksByViewCodec(), BlocksByView(1, 0, 1, 0, (bytes(MAX_BLOCKS_SIZE),))),
    ],
)
def test_nothing_is_sent_that_we_would_refuse(
    codec: BoundedRLPCodec[Any], payload: Any
) -> None:
    with pytest.raises(ValueError):
        codec.encode(payload)


class TestSnappyBytes:
    @given(st.binary(max_size=400))
    @settings(max_examples=300)
    @example(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
    @example(b"\x05\x00")
    def test_any(self, data: bytes) -> None:
        try:
            decompressed = BoundedSnappyCodec(MAX_GET_BLOCKS_SIZE).decompress(data)
        except MalformedMessage:
            return
        assert len(decompressed) <= MAX_GET_BLOCKS_SIZE

    @given(st.binary(min_size=1, max_size=200), st.data())
    @settings(max_examples=300)
    def test_damaged(self, content: bytes, data: st.DataObject) -> None:
        damaged = bytearray(snappy.compress(content * 4))
        index = data.draw(st.integers(0, len(damaged) - 1))
        damaged[index] = data.draw(st.integers(0, 255))
        try:
            decompressed = BoundedSnappyCodec(MAX_BLOCKS_SIZE).decompress(bytes(damaged))
        except MalformedMessage:
            return
        assert len(decompressed) <= MAX_BLOCKS_SIZE


def in_lists(data: bytes, depth: int) -> bytes:
    """``data`` inside ``depth`` lists, built from the inside."""
    for _ in range(depth):
        prefix: bytes = rlp.codec.length_prefix(len(data), 0xC0)
        data = prefix + data
    return data


def as_list(payload: bytes) -> bytes:
    prefix: bytes = rlp.codec.length_prefix(len(payload), 0xC0)
    return prefix + payload


HOSTILE = {
    "nested lists": lambda limit: in_lists(b"\xc0", min(limit // 4, 15000)),
    "open lists": lambda limit: b"\xc1" * (limit - 1),
    "many integers": lambda limit: as_list(b"\x01" * (limit - 5)),
    "many empty lists": lambda limit: as_list(b"\xc0" * (limit - 5)),
    "huge integer": lambda limit: as_list(
        rlp.codec.length_prefix(limit - 10, 0x80) + b"\xff" * (limit - 10)
    ),
    "many small blocks": lambda limit: as_list(
        b"\x01\x01\x88\x7f\xff\xff\xff\xff\xff\xff\xff\x01" + as_list(b"\x01" * (limit - 20))
    ),
    "many ranges": lambda limit: as_list(
        b"\x01\x01" + as_list(b"\xc2\x01\x01" * ((limit - 9) // 3))
    ),
}


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_payloads(codec: BoundedRLPCodec[Any], make: Callable[[int], bytes]) -> None:
    data = make(codec.max_size)
    assert len(data) <= codec.max_size
    tracemalloc.start()
    started = time.perf_counter()
    try:
        with pytest.raises(MalformedMessage):
            codec.decode(data)
        assert time.perf_counter() - started < HOSTILE_SECONDS
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024, "nothing of the payload is copied before it is checked"


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
def test_size_is_bounded_without_snappy_too(codec: BoundedRLPCodec[Any]) -> None:
    with pytest.raises(MalformedMessage, match="more than"):
        codec.decode(bytes(codec.max_size + 1))


@pytest.mark.parametrize(
    "limit", [MAX_AVAILABILITY_SIZE, MAX_GET_BLOCKS_SIZE, MAX_BLOCKS_SIZE]
)
def test_snappy_bomb_takes_no_memory(limit: int) -> None:
    bomb = snappy.compress(bytes(limit + 1))
    tracemalloc.start()
    try:
        with pytest.raises(MalformedMessage, match="declares more"):
            BoundedSnappyCodec(limit).decompress(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 1024
