"""
A reader of RLP for bytes that a stranger sent.

Libraries decode a whole document at once, recursively, into objects: a few kilobytes of nested
lists end the process. Here the caller walks the items it expects, one at a time, and nothing is
copied before its size and its shape are known. Only the canonical encoding is read.
"""
from typing import Iterator, List, NamedTuple

from blockio_plugin.rules.messages import Offence

MAX_LENGTH_SIZE = 4
"""Bytes of a length prefix, most: no frame of RLPx, and so no item in one, reaches 2**32 bytes."""


class Item(NamedTuple):
    """One item: what it is, and where in the data its payload lies."""

    is_list: bool
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return self.stop - self.start


def read_item(data: bytes, position: int, limit: int) -> Item:
    """
    Read the head of the item at ``position``, which has to end at or before ``limit``.

    :raise Offence: where there is none, it reaches past ``limit``, or it is not canonical
    """
    if position >= limit:
        raise Offence("RLP ends where an item is expected")
    first = data[position]
    if first < 0x80:
        return Item(False, position, position + 1)
    is_list = first >= 0xC0
    short = first - (0xC0 if is_list else 0x80)
    if short < 56:
        start = position + 1
        stop = start + short
    else:
        start = position + short - 54
        if short - 55 > MAX_LENGTH_SIZE or start > limit:
            raise Offence("RLP item reaches past its end")
        length = int.from_bytes(data[position + 1:start], "big")
        if length < 56 or data[position + 1] == 0:
            raise Offence("RLP length is not canonical")
        stop = start + length
    if stop > limit:
        raise Offence("RLP item reaches past its end")
    if first == 0x81 and data[start] < 0x80:
        raise Offence("RLP string is not canonical")
    return Item(is_list, start, stop)


def read_document(data: bytes) -> Item:
    """
    Read the one list that ``data`` has to be, with nothing after it.

    :raise Offence: where it is anything else
    """
    item = read_item(data, 0, len(data))
    if not item.is_list:
        raise Offence("RLP is not a list")
    if item.stop != len(data):
        raise Offence("bytes follow the RLP")
    return item


def iterate_list(data: bytes, item: Item) -> Iterator[Item]:
    """
    The items of the list ``item``, in order.

    :raise Offence: where it is not a list, or an item in it is malformed
    """
    if not item.is_list:
        raise Offence("RLP string in the place of a list")
    position, limit = item.start, item.stop
    while position < limit:
        child = read_item(data, position, limit)
        yield child
        position = child.stop


def read_list(data: bytes, item: Item, most: int) -> List[Item]:
    """
    All items of the list ``item``.

    :raise Offence: where it is not a list, an item is malformed, or there are more than ``most``
    """
    children: List[Item] = []
    for child in iterate_list(data, item):
        if len(children) == most:
            raise Offence(f"RLP list of more than {most} items")
        children.append(child)
    return children


def read_fields(data: bytes, item: Item, count: int) -> List[Item]:
    """
    The items of the list ``item``, which has to have exactly ``count`` of them.

    :raise Offence: where it is not a list, an item is malformed, or their number differs
    """
    children = read_list(data, item, count)
    if len(children) < count:
        raise Offence(f"RLP list of {len(children)} items where {count} belong")
    return children


def read_string(data: bytes, item: Item) -> bytes:
    """
    The payload of the string ``item``.

    :raise Offence: where it is a list
    """
    if item.is_list:
        raise Offence("RLP list in the place of a string")
    return data[item.start:item.stop]


def read_uint(data: bytes, item: Item, size: int) -> int:
    """
    The integer that the string ``item`` encodes, big-endian, in at most ``size`` bytes.

    :raise Offence: where it is a list, longer, or has leading zeros
    """
    if item.is_list:
        raise Offence("RLP list in the place of an integer")
    if item.size > size:
        raise Offence(f"integer of more than {size} bytes")
    if item.size and data[item.start] == 0:
        raise Offence("integer with leading zeros")
    return int.from_bytes(data[item.start:item.stop], "big")


def check_shape(data: bytes, max_depth: int, max_items: int, max_list_items: int) -> None:
    """
    Make sure that a decoder can read the item that ``data`` begins with: how deep its lists nest,
    how many items it has in all, and how many each list has. What follows it is not looked at.

    :raise Offence: where a bound is broken, or an item is malformed
    """
    item = read_item(data, 0, len(data))
    stops: List[int] = []
    counts: List[int] = []
    items = 1
    while True:
        if item.is_list:
            if len(stops) == max_depth:
                raise Offence(f"RLP of more than {max_depth} lists in each other")
            stops.append(item.stop)
            counts.append(0)
            position = item.start
        else:
            position = item.stop
        while stops and position == stops[-1]:
            del stops[-1], counts[-1]
        if not stops:
            return
        item = read_item(data, position, stops[-1])
        items += 1
        counts[-1] += 1
        if items > max_items or counts[-1] > max_list_items:
            raise Offence(f"RLP of more than {max_items} items, or {max_list_items} in a list")
