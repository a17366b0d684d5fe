"""A modelled chain: which views hold a block, and what each peer can give of them."""
from bisect import bisect_left, bisect_right
from itertools import accumulate
from random import Random
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import MAX_ANSWER_BYTES, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRanges, range_at
from blockio_plugin.simulator.models import (
    MEAN_BLOCK_BYTES,
    SIZE_SPREAD,
    PeerModel,
    Scenario,
    extend,
    views_at,
)

GENESIS_HASH = b"genesis"
"""Stands for the block below view 0."""

BLOCK_RLP = bytes(int(MEAN_BLOCK_BYTES))
"""Stands for the encoding of a block whose size nobody asked for."""


class Chain(NamedTuple):
    """All blocks, those that are born later included; each of those is in a view of its own."""

    blocks: Tuple[Block, ...]
    views: int
    births: Tuple[float, ...] = ()

    def stop_at(self, time: float) -> int:
        """The first view past the chain as it is at ``time`` (s)."""
        return self.views + bisect_right(self.births, time)


def draw_views(scenario: Scenario, random: Random) -> List[int]:
    """The views of ``scenario`` that hold a block, ascending; the first and the last one do."""
    filled = {0, scenario.views - 1}
    for (start, stop), probability in scenario.filled:
        stop = min(stop, scenario.views)
        if probability >= 1:
            filled.update(range(start, stop))
        elif probability > 0:
            filled.update(view for view in range(start, stop) if random.random() < probability)
    filled.update(range(scenario.views, scenario.all_views))
    return sorted(filled)


def draw_sizes(scenario: Scenario, views: Sequence[int], random: Random) -> List[int]:
    """The bytes of the block at each of ``views``, which ascend; at least 1."""
    means = [MEAN_BLOCK_BYTES] * len(views)
    for (start, stop), mean in scenario.sizes:
        low, high = bisect_left(views, start), bisect_left(views, stop)
        means[low:high] = [mean] * (high - low)
    return [max(1, round(mean * random.uniform(*SIZE_SPREAD))) for mean in means]


def make_chain(
    views: Sequence[int], sizes: Optional[Sequence[int]] = None
) -> Tuple[Block, ...]:
    """Linked blocks at these views; ``sizes``: the bytes of each."""
    # The rules ask how long an encoding is and never look into it, so all share the same zeros.
    zeros = memoryview(bytes(max(sizes, default=0))) if sizes is not None else None
    encodings: Dict[int, bytes] = {}
    blocks: List[Block] = []
    parent_hash = GENESIS_HASH
    for number, view in enumerate(views):
        block_hash = view.to_bytes(8, "big")
        rlp = BLOCK_RLP
        if sizes is not None and zeros is not None:
            rlp = encodings.setdefault(sizes[number], zeros[: sizes[number]])
        blocks.append(Block(view, number, block_hash, parent_hash, rlp))
        parent_hash = block_hash
    return tuple(blocks)


class Answer(NamedTuple):
    """An answer as the wire carries it, and its blocks decoded."""

    message: BlocksByView
    blocks: Tuple[Block, ...]

    @property
    def bytes(self) -> int:
        """Bytes of its blocks."""
        return sum(map(len, self.message.blocks))


def decline(request: GetBlocksByView) -> Answer:
    """What says that the sender does not want to answer."""
    return Answer(BlocksByView(request.request_id, request.start_view, 0, 0, ()), ())


class Shelf(NamedTuple):
    """Blocks, and beside them for the search their views, and the bytes of all up to each."""

    blocks: Tuple[Block, ...]
    views: List[int]
    ends: List[int]

    def fit(self, low: int, high: int) -> int:
        """Where an answer of the blocks from ``low`` to ``high`` is cut by its bytes."""
        before = self.ends[low - 1] if low else 0
        return min(high, max(low + 1, bisect_right(self.ends, before + MAX_ANSWER_BYTES)))


class Library:
    """What one peer holds of the chain, and how it answers from that."""

    def __init__(
        self, model: PeerModel, chain: Chain, random: Random, whole: Optional[Shelf] = None
    ) -> None:
        """``whole``: all blocks of ``chain``; it may be the same for all peers."""
        self._model = model
        self._chain = chain
        share = model.omits.share
        self._whole = self._left = make_shelf(chain.blocks) if whole is None else whole
        if share:
            self._left = make_shelf(
                tuple(block for block in chain.blocks if random.random() >= share)
            )

    def _shelf(self, time: float) -> Shelf:
        return self._left if self._model.omits.share_at(time) else self._whole

    def _grow(self, ranges: ViewRanges, time: float) -> ViewRanges:
        """Whoever has the last view of the chain has those that came after it too."""
        if not self._chain.births:
            return ranges
        return extend(ranges, self._chain.views - 1, self._chain.stop_at(time))

    def holdings(self, time: float) -> ViewRanges:
        """The views that it truly holds at ``time`` (s)."""
        return self._grow(views_at(self._model.holds, time), time)

    def advert(self, time: float) -> ViewRanges:
        """The views that it says at ``time`` (s) that it covers."""
        return self._grow(views_at(self._model.adverts, time), time)

    def gives(self, view: int, time: float) -> bool:
        """Whether it would give a block at ``view``, where it answers truly."""
        views = self._shelf(time).views
        index = bisect_left(views, view)
        return (
            index < len(views)
            and views[index] == view
            and range_at(self.holdings(time), view) is not None
        )

    def answer(self, request: GetBlocksByView, time: float) -> Answer:
        """Its answer, true or not, where it turns to the request at ``time`` (s)."""
        start, stop = request.views
        model = self._model
        if model.lies.share_at(time):
            return Answer(BlocksByView(request.request_id, start, request.length, 0, ()), ())
        holdings = self.holdings(time)
        held = range_at(holdings, start)
        if held is None:
            return self._answer_without(request, holdings, time)
        shelf = self._shelf(time)
        blocks, views, _ = shelf
        stop = min(stop, held.stop)
        born = self._chain.stop_at(time)
        low, high = bisect_left(views, start), bisect_left(views, min(stop, born))
        cut = shelf.fit(low, min(high, low + min(request.max_blocks, model.max_blocks)))
        if cut < high:
            high = cut
            stop = views[high - 1] + 1
        next_view = 0
        if model.hints and high < len(views) and views[high] < min(held.stop, born):
            next_view = views[high] + model.hint_error
        given = blocks[low:high]
        raw = tuple(block.rlp for block in given)
        return Answer(
            BlocksByView(request.request_id, start, stop - start, next_view, raw), given
        )

    def _answer_without(
        self, request: GetBlocksByView, holdings: ViewRanges, time: float
    ) -> Answer:
        """What it says where it does not hold the first view that is asked for."""
        start, stop = request.views
        told = range_at(self.advert(time), start)
        if told is None or not self._model.overclaims:
            return decline(request)
        above = (views.start for views in holdings if views.start > start)
        stop = min([stop, told.stop, *above])
        return Answer(BlocksByView(request.request_id, start, stop - start, 0, ()), ())


def make_shelf(blocks: Tuple[Block, ...]) -> Shelf:
    """These blocks, which ascend."""
    ends = list(accumulate(len(block.rlp) for block in blocks))
    return Shelf(blocks, [block.view for block in blocks], ends)
