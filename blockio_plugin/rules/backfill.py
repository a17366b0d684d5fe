"""
Filling a gap of the local chain downward: whom to ask for which views, and what of it is proven.

1. The block above a gap is held and names its parent, so the highest missing block is known by its
   hash, and once it is there the next one. No block is believed on any other ground.
2. One peer is asked at a time, for a slice of views that reaches up to the block above the gap and
   should take it ``SLICE_TIME``, so that a new block at the head hardly waits. Slices begin with
   what one request to that peer holds, double while they come quickly and halve where they do not.
3. Peers whose last answers were of use come first, among them the lowest score.
4. A slice without a block of the chain is made to reach further down. Who has nothing as far down
   as it covers, or another block, is not asked for this one again for a while.
"""
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.views import ViewRange

RETRY_TIME = 15.0
"""Seconds after which a peer may have what it had not: the longest time between two adverts."""

SLICE_TIME = 0.25
"""Seconds in which a slice should come, most: what a new block may wait for behind it."""

LEAST_STRETCH = 2.0 ** -10
"""Part of a usual slice that is asked for at least. The usual one holds up to 512 blocks, so this
is a view or so, where they are dense."""


class Gap(NamedTuple):
    """Blocks that are missing from the canonical chain, between two that are held."""

    first: int
    """The number of the lowest missing block."""
    last: int
    """The number of the highest missing block."""
    last_hash: bytes
    """Its hash, as the block above it says."""
    floor: int
    """The lowest view that a missing block can be in."""
    ceiling: int
    """The view of the block above the gap."""


class Slice(NamedTuple):
    """The views to ask a peer for."""

    peer: PeerID
    views: ViewRange
    is_deepest: bool
    """Whether the peer covers nothing of the gap below it."""


class Backfill:
    """Decides which slice is next. Its peers are those of ``book``."""

    def __init__(self, book: PeerBook) -> None:
        self._book = book
        self._failures: Dict[PeerID, int] = {}
        self._sizes: Dict[PeerID, float] = {}
        self._wanted = b""
        self._tried_at: Dict[PeerID, float] = {}
        self._stretch = 1.0

    def next_slice(self, gap: Gap, now: float) -> Optional[Slice]:
        """The next slice; None where there is nobody to be asked now."""
        if gap.last_hash != self._wanted:
            self._begin(gap.last_hash)
        book = self._book
        self._failures = {peer: n for peer, n in self._failures.items() if peer in book}
        self._sizes = {peer: size for peer, size in self._sizes.items() if peer in book}
        slices: List[Slice] = []
        for peer, score in book.scores.items():
            retry_at = self._tried_at.get(peer, float("-inf")) + RETRY_TIME
            found = self._slice(gap, peer)
            if found is not None and max(score.paused_until, retry_at) <= now:
                slices.append(found)
        return min(slices, key=self._preference) if slices else None

    def _preference(self, found: Slice) -> Tuple[int, float]:
        return self._failures.get(found.peer, 0), self._book.scores[found.peer].value

    def _begin(self, wanted: bytes) -> None:
        self._wanted = wanted
        self._tried_at.clear()
        self._stretch = 1.0

    def _slice(self, gap: Gap, peer: PeerID) -> Optional[Slice]:
        table = self._book.availability
        # A peer whose head is the highest missing block covers nothing between it and ours.
        covered = table.covering(peer, min(gap.ceiling - 1, table.head_view(peer)))
        if covered is None or covered.stop <= gap.floor:
            return None
        views_per_block = (gap.ceiling - gap.floor) / (gap.last - gap.first + 1)
        blocks = self._stretch * self._size(peer)
        start = gap.ceiling - max(1, int(blocks * views_per_block))
        limit = max(gap.floor, covered.start)
        stop = min(covered.stop, gap.ceiling)
        return Slice(peer, ViewRange(max(limit, min(start, stop - 1)), stop), start <= limit)

    def _size(self, peer: PeerID) -> float:
        return self._sizes.get(peer, self._book.scores[peer].request_blocks)

    def settle(
        self, gap: Gap, asked: Slice, blocks: Mapping[bytes, Block], took: float, now: float
    ) -> Tuple[Block, ...]:
        """
        Those of the blocks that came, by hash, which fill the gap from its top, descending.

        :param took: seconds from asking to the last of them
        """
        linked = link_down(gap, blocks)
        if linked:
            self._failures.pop(asked.peer, None)
            if asked.peer in self._book:
                self._adapt(asked.peer, took)
            return linked
        self._failures[asked.peer] = self._failures.get(asked.peer, 0) + 1
        if asked.is_deepest or any(block.number == gap.last for block in blocks.values()):
            self._tried_at[asked.peer] = now
        else:
            self._stretch *= 2
        return ()

    def _adapt(self, peer: PeerID, took: float) -> None:
        size = self._size(peer)
        if took > SLICE_TIME:
            self._sizes[peer] = max(size / 2, 1.0)
        elif took < SLICE_TIME / 2:
            self._sizes[peer] = min(size * 2, float(MAX_ANSWER_BLOCKS))

    def narrow(self) -> None:
        """A slice had more bytes than may be held: ask for less."""
        self._stretch = max(self._stretch / 2, LEAST_STRETCH)


def link_down(gap: Gap, blocks: Mapping[bytes, Block]) -> Tuple[Block, ...]:
    """The blocks, of ``blocks`` by hash, that fill the gap from its top without a hole."""
    linked: List[Block] = []
    wanted = gap.last_hash
    for number in range(gap.last, gap.first - 1, -1):
        block = blocks.get(wanted)
        if block is None or block.number != number:
            break
        linked.append(block)
        wanted = block.parent_hash
    return tuple(linked)
