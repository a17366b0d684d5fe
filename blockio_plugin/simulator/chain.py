"""A modelled chain: which views hold a block, and what each peer can give of them."""
from bisect import bisect_left
from random import Random
from typing import List, NamedTuple, Tuple

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import range_at
from blockio_plugin.simulator.scenario import PeerModel, Scenario

GENESIS_HASH = b"genesis"
"""Stands for the block below view 0."""

BLOCK_RLP = bytes(256)
"""Stands for the encoding of each block."""


def draw_views(scenario: Scenario, random: Random) -> List[int]:
    """The views of ``scenario`` that hold a block, ascending; the first and the last one do."""
    filled = {0, scenario.views - 1}
    for (start, stop), probability in scenario.filled:
        stop = min(stop, scenario.views)
        if probability >= 1:
            filled.update(range(start, stop))
        elif probability > 0:
            filled.update(view for view in range(start, stop) if random.random() < probability)
    return sorted(filled)


def make_chain(views: List[int]) -> Tuple[Block, ...]:
    """Linked blocks at these views."""
    blocks: List[Block] = []
    parent_hash = GENESIS_HASH
    for number, view in enumerate(views):
        block_hash = view.to_bytes(8, "big")
        blocks.append(Block(view, number, block_hash, parent_hash, BLOCK_RLP))
        parent_hash = block_hash
    return tuple(blocks)


class Answer(NamedTuple):
    """An answer as the wire carries it, and its blocks decoded."""

    message: BlocksByView
    blocks: Tuple[Block, ...]


class Library:
    """What one peer holds of the chain, and how it answers from that."""

    def __init__(self, model: PeerModel, chain: Tuple[Block, ...], random: Random) -> None:
        self._model = model
        if model.omits:
            chain = tuple(block for block in chain if random.random() >= model.omits)
        self._chain = chain
        self._views = [block.view for block in chain]

    def holds(self, view: int) -> bool:
        """Whether it would give the block at ``view``."""
        index = bisect_left(self._views, view)
        return (
            index < len(self._views)
            and self._views[index] == view
            and range_at(self._model.holds, view) is not None
        )

    def answer(self, request: GetBlocksByView) -> Answer:
        """Its answer, true or not."""
        start, stop = request.views
        if self._model.lies:
            message = BlocksByView(request.request_id, start, request.length, 0, ())
            return Answer(message, ())
        held = range_at(self._model.holds, start)
        if held is None:
            return Answer(BlocksByView(request.request_id, start, 0, 0, ()), ())
        stop = min(stop, held.stop)
        low, high = bisect_left(self._views, start), bisect_left(self._views, stop)
        most = min(request.max_blocks, self._model.max_blocks)
        if high - low > most:
            high = low + most
            stop = self._views[high - 1] + 1
        blocks = self._chain[low:high]
        next_view = 0
        if self._model.hints and high < len(self._views) and self._views[high] < held.stop:
            next_view = self._views[high]
        raw = tuple(block.rlp for block in blocks)
        return Answer(
            BlocksByView(request.request_id, start, stop - start, next_view, raw), blocks
        )
