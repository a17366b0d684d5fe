"""A chain that is just a list of blocks in memory, for tests of what reads chains."""
from typing import Optional, Sequence

from blockio_plugin.rules.backfill import Gap
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.branches import Position
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead, ChainReaderAPI


class MemoryChain(ChainReaderAPI):
    """Holds ``blocks``, ascending from genesis, and covers every view up to the last."""

    def __init__(self, blocks: Sequence[Block], scheme_name: str = "number") -> None:
        self.blocks = list(blocks)
        self._scheme_name = scheme_name

    @classmethod
    def of_views(cls, views: Sequence[int]) -> "MemoryChain":
        """A linked chain with a block in each of ``views``; contents are made up."""
        blocks, parent = [], bytes(32)
        for number, view in enumerate(views):
            own = view.to_bytes(32, "big")
            blocks.append(Block(view, number, own, parent, b"block" + own))
            parent = own
        return cls(blocks)

    def fetch_head(self) -> ChainHead:
        head = self.blocks[-1]
        return ChainHead(head.view, head.number, head.hash)

    def fetch_availability(self) -> Availability:
        head = self.fetch_head()
        return Availability(self._scheme_name, head.view, (ViewRange(0, head.view + 1),))

    def fetch_position(self, view: int) -> Optional[Position]:
        block = [block for block in self.blocks if block.view <= view][-1]
        return Position(block.view, block.number, block.hash)

    def fetch_position_of_block(self, number: int) -> Optional[Position]:
        for block in self.blocks:
            if block.number == number:
                return Position(block.view, number, block.hash)
        return None

    def fetch_timestamp(self, number: int) -> Optional[int]:
        return number if number < len(self.blocks) else None

    def holds_state(self, number: int) -> bool:
        return number < len(self.blocks)

    def fetch_gap(self) -> Optional[Gap]:
        return None

    def fetch_blocks(self, request: GetBlocksByView) -> BlocksByView:
        wanted = [block for block in self.blocks if block.view in request.views]
        given, rest = wanted[: request.max_blocks], wanted[request.max_blocks :]
        stop = rest[0].view if rest else request.views.stop
        after = [block.view for block in self.blocks if block.view >= stop]
        return BlocksByView(
            request.request_id,
            request.start_view,
            stop - request.start_view,
            after[0] if after else 0,
            tuple(block.rlp for block in given),
        )
