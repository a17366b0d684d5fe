"""What the commands of ``bio/1`` carry, and the bounds of the protocol, free of any encoding."""
from typing import NamedTuple, Tuple

from blockio_plugin.rules.views import ViewRange, ViewRanges

MAX_RANGES = 1024
"""Ranges in one advert, most (wire protocol)."""

MAX_ANSWER_BLOCKS = 512
"""Blocks in one answer, most (wire protocol)."""

MAX_ANSWER_BYTES = 2 * 1024 * 1024
"""Bytes of blocks in one answer, most, unless a single block is larger (wire protocol)."""


class Availability(NamedTuple):
    """An advert: what its sender can answer for."""

    scheme: str
    head_view: int
    ranges: ViewRanges


class GetBlocksByView(NamedTuple):
    """A request for the lowest ``max_blocks`` blocks in ``length`` views from ``start_view`` on."""

    request_id: int
    start_view: int
    length: int
    max_blocks: int

    @property
    def views(self) -> ViewRange:
        """The views asked for."""
        return ViewRange(self.start_view, self.start_view + self.length)


class BlocksByView(NamedTuple):
    """
    The one answer to a request: the covered prefix, its blocks (RLP) ascending by view, and a hint.

    ``length`` 0 means declined. ``next_view`` is the lowest view past the prefix at which the
    sender holds a block, or 0 where it knows none.
    """

    request_id: int
    start_view: int
    length: int
    next_view: int
    blocks: Tuple[bytes, ...]

    @property
    def covered(self) -> ViewRange:
        """The views that the sender claims to have answered for."""
        return ViewRange(self.start_view, self.start_view + self.length)


class Offence(Exception):
    """A peer broke the protocol; its connection is dropped. The message says how."""
