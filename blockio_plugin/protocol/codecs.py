"""
The encodings of ``bio/1``, safe against any bytes.

The codecs that come with p2p bound nothing: not what snappy expands to, not how deep lists nest,
not how long an integer is; and what they raise on garbage ends the node. Here each size is checked
before anything is allocated, and whatever is wrong is a ``MalformedMessage``, which ends the
connection alone.
"""
from abc import abstractmethod
from typing import Generic, List, Sequence, Tuple, TypeVar, Union

from p2p.abc import CompressionCodecAPI, SerializationCodecAPI
from p2p.exceptions import MalformedMessage
import rlp
import snappy

from blockio_plugin.rules.messages import (
    MAX_ANSWER_BLOCKS,
    MAX_RANGES,
    Availability,
    BlocksByView,
    GetBlocksByView,
    Offence,
)
from blockio_plugin.rules.rlp_items import (
    Item,
    read_document,
    read_fields,
    read_list,
    read_string,
    read_uint,
)
from blockio_plugin.rules.schemes import MAX_SCHEME_NAME_LENGTH
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, ViewRanges

MAX_AVAILABILITY_SIZE = 64 * 1024
"""Bytes of an advert, decompressed, most (wire protocol)."""

MAX_GET_BLOCKS_SIZE = 256
"""Bytes of a request, decompressed, most (wire protocol)."""

MAX_BLOCKS_SIZE = 16 * 1024 * 1024
"""Bytes of an answer, decompressed, most (wire protocol)."""

UINT_SIZE = 8
"""Bytes of an integer, most: all are below 2**64 (wire protocol)."""

MAX_VARINT_SIZE = 5
"""Bytes of the length that begins a snappy block, most: it is below 2**32 (snappy's format)."""

TPayload = TypeVar("TPayload")

Encodable = Union[bytes, Sequence["Encodable"]]
"""What RLP encodes: bytes, and lists of it."""


class BoundedSnappyCodec(CompressionCodecAPI):
    """Snappy that expands to ``max_size`` bytes at most, by what the data itself declares."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size

    def compress(self, data: bytes) -> bytes:
        """The snappy block that holds ``data``."""
        compressed: bytes = snappy.compress(data)
        return compressed

    def decompress(self, data: bytes) -> bytes:
        """
        What the snappy block ``data`` holds.

        :raise MalformedMessage: where it declares more than the bound, or is not a snappy block
        """
        if read_declared_size(data) > self._max_size:
            raise MalformedMessage(f"snappy declares more than {self._max_size} bytes")
        try:
            decompressed: bytes = snappy.decompress(data)
        # The library does not say what it may raise, and anything else would end the node.
        except Exception as err:
            raise MalformedMessage(f"not a snappy block: {err!r}") from err
        return decompressed


def read_declared_size(data: bytes) -> int:
    """
    How many bytes the snappy block ``data`` says that it holds.

    :raise MalformedMessage: where it does not begin with a length
    """
    size = 0
    for index, byte in enumerate(data[:MAX_VARINT_SIZE]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return size
    raise MalformedMessage("snappy block without a length")


class BoundedRLPCodec(SerializationCodecAPI[TPayload], Generic[TPayload]):
    """RLP of ``max_size`` bytes at most, read item by item. What we send we also check."""

    max_size: int

    def encode(self, payload: TPayload) -> bytes:
        """
        The RLP of ``payload``.

        :raise ValueError: where a peer that keeps to the protocol would refuse it
        """
        encoded: bytes = rlp.encode(self.to_items(payload), infer_serializer=False)
        try:
            self.decode(encoded)
        except MalformedMessage as err:
            raise ValueError(f"not sendable: {err}") from err
        return encoded

    def decode(self, data: bytes) -> TPayload:
        """
        The payload that ``data`` encodes.

        :raise MalformedMessage: where it does not, or breaks a bound of the protocol
        """
        # Without snappy the bound is not checked yet.
        if len(data) > self.max_size:
            raise MalformedMessage(f"payload of more than {self.max_size} bytes")
        try:
            return self.read_payload(data, read_document(data))
        except Offence as err:
            raise MalformedMessage(str(err)) from err

    @abstractmethod
    def to_items(self, payload: TPayload) -> Encodable:
        """The payload as nested lists of bytes."""

    @abstractmethod
    def read_payload(self, data: bytes, document: Item) -> TPayload:
        """
        Read the payload that is the list ``document`` in ``data``.

        :raise Offence: where something is wrong with it
        """


class AvailabilityCodec(BoundedRLPCodec[Availability]):
    """``[scheme, head_view, [[gap, length], ...]]``."""

    max_size = MAX_AVAILABILITY_SIZE

    def to_items(self, payload: Availability) -> Encodable:
        pairs = [
            [_encode_uint(gap), _encode_uint(length)]
            for gap, length in encode_ranges(payload.ranges)
        ]
        return [payload.scheme.encode(), _encode_uint(payload.head_view), pairs]

    def read_payload(self, data: bytes, document: Item) -> Availability:
        scheme, head_view, ranges = read_fields(data, document, 3)
        pairs = []
        for item in read_list(data, ranges, MAX_RANGES):
            gap, length = read_fields(data, item, 2)
            pairs.append((read_uint(data, gap, UINT_SIZE), read_uint(data, length, UINT_SIZE)))
        return Availability(
            _read_scheme(data, scheme),
            read_uint(data, head_view, UINT_SIZE),
            decode_ranges(pairs),
        )


class GetBlocksByViewCodec(BoundedRLPCodec[GetBlocksByView]):
    """``[request_id, start_view, length, max_blocks]``."""

    max_size = MAX_GET_BLOCKS_SIZE

    def to_items(self, payload: GetBlocksByView) -> Encodable:
        return [_encode_uint(value) for value in payload]

    def read_payload(self, data: bytes, document: Item) -> GetBlocksByView:
        fields = read_fields(data, document, 4)
        request = GetBlocksByView(*(read_uint(data, field, UINT_SIZE) for field in fields))
        if request.length < 1:
            raise Offence("a request for no views")
        if request.max_blocks < 1:
            raise Offence("a request for no blocks")
        if request.start_view + request.length > VIEW_LIMIT:
            raise Offence("a request for views of 2**63 or more")
        return request


class BlocksByViewCodec(BoundedRLPCodec[BlocksByView]):
    """``[request_id, start_view, length, next_view, [block, ...]]``."""

    max_size = MAX_BLOCKS_SIZE

    def to_items(self, payload: BlocksByView) -> Encodable:
        *integers, blocks = payload
        return [*(_encode_uint(value) for value in integers), list(blocks)]

    def read_payload(self, data: bytes, document: Item) -> BlocksByView:
        *integers, blocks = read_fields(data, document, 5)
        request_id, start_view, length, next_view = (
            read_uint(data, item, UINT_SIZE) for item in integers
        )
        if start_view + length > VIEW_LIMIT:
            raise Offence("an answer for views of 2**63 or more")
        elements = read_list(data, blocks, MAX_ANSWER_BLOCKS)
        if len(elements) > length:
            raise Offence(f"{len(elements)} blocks in {length} views")
        return BlocksByView(
            request_id,
            start_view,
            length,
            next_view,
            tuple(read_string(data, element) for element in elements),
        )


def encode_ranges(ranges: ViewRanges) -> List[Tuple[int, int]]:
    """The normal ``ranges`` as gaps and lengths: each gap counts from the end of the last range."""
    pairs = []
    end = 0
    for start, stop in ranges:
        pairs.append((start - end, stop - start))
        end = stop
    return pairs


def decode_ranges(pairs: Sequence[Tuple[int, int]]) -> ViewRanges:
    """
    The ranges that gaps and lengths stand for, normal because of the bounds on both.

    :raise Offence: where a gap or a length is too small, or a range reaches too far
    """
    ranges: List[ViewRange] = []
    end = 0
    for gap, length in pairs:
        if length < 1:
            raise Offence("a range without a view")
        if gap < 1 and ranges:
            raise Offence("ranges without a gap between them")
        start, end = end + gap, end + gap + length
        if end > VIEW_LIMIT:
            raise Offence("a range of views of 2**63 or more")
        ranges.append(ViewRange(start, end))
    return tuple(ranges)


def _read_scheme(data: bytes, item: Item) -> str:
    """
    The scheme's name. The protocol does not bound it, so a long one is no offence; but ours are
    short, and what is cut off here would only fill logs.
    """
    name = read_string(data, item)
    if not name.isascii():
        raise Offence("a scheme that is not ASCII")
    return name[:MAX_SCHEME_NAME_LENGTH].decode("ascii")


def _encode_uint(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
