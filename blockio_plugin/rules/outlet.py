"""
The outlet of a fetch: blocks on their way to whoever asked for them, and how many more may come.

A block is unsettled from when it is put in until its taker says that it is done with it. A taker
that is slow, or gone, settles nothing, so its fetch stands still and holds a bounded amount: a
window of blocks, and its part of the memory that all fetches for others share.
"""
from collections import deque
from typing import Deque, List, NamedTuple, Optional, Sequence, Tuple

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.memory_pool import Holding
from blockio_plugin.rules.requests import PeerID

DEFAULT_WINDOW = 4096
"""Blocks of one fetch that may be unsettled before no more are asked for: eight full answers."""

OVERFLOW = 2
"""Answers are taken up to this many windows: others may have asked for what this fetch wants."""

DELIVERY_BYTES = 128 * 1024
"""Bytes that are delivered at a time, most, unless one block is larger. While they travel there are
copies of them, for each fetch."""

FIRST_BLOCK_BYTES = 4096
"""Bytes that a block is taken to have before any came."""

SIZE_DECAY = 0.9
"""Weight that the mean size of blocks keeps when the next blocks come."""


class Delivery(NamedTuple):
    """Blocks that came together, ascending by view, and who sent them: None is our own chain."""

    peer: Optional[PeerID]
    blocks: Tuple[Block, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all blocks."""
        return sum(len(block.rlp) for block in self.blocks)


class Outlet:
    """
    First in, first out.

    :param window: blocks that may be unsettled before no more are asked for
    :param holding: the memory for unsettled blocks
    """

    def __init__(self, window: int, holding: Holding) -> None:
        self._window = window
        self._holding = holding
        self._waiting: Deque[Delivery] = deque()
        self._sizes: Deque[int] = deque()
        self._expected = 0.0
        self.block_bytes = float(FIRST_BLOCK_BYTES)
        """The mean memory of a block."""

    @property
    def unsettled(self) -> int:
        """Blocks that were put in and not settled."""
        return len(self._sizes)

    @property
    def unsettled_bytes(self) -> int:
        """The memory that these blocks take (bytes)."""
        return self._holding.held

    def expect(self, blocks: float) -> None:
        """So many blocks were asked for and did not come yet."""
        self._expected = blocks
        self._holding.promise(blocks * self.block_bytes)

    @property
    def room(self) -> float:
        """Blocks that may be asked for beside those that are expected."""
        by_memory = self._holding.room / self.block_bytes
        if by_memory < 1 and not self._expected:
            by_memory = self._first_block
        return max(0.0, min(self._window - len(self._sizes) - self._expected, by_memory))

    @property
    def space(self) -> float:
        """The same, were none expected."""
        by_memory = self._holding.space / self.block_bytes
        if by_memory < 1:
            by_memory = self._first_block
        return max(0.0, min(self._window - len(self._sizes), by_memory))

    @property
    def _first_block(self) -> float:
        """A single block, however large: as soon as the others leave room where there is none."""
        free = self._holding.pool.free + self._holding.promised
        return float(not self._holding.held and self.block_bytes <= free)

    def fit(self, blocks: Sequence[Block], is_own: bool) -> int:
        """
        How many of the blocks that came, from the first on, can be put in.

        :param is_own: whether this fetch asked for them. What others asked for has to keep to what
            this one could have asked for. Where not all that was asked for fit, it expects as large
            ones from now on, and asks for fewer
        """
        most = float("inf") if is_own else self._holding.space
        fitting = memory = 0
        for block in blocks[: OVERFLOW * self._window - len(self._sizes)]:
            memory += block.memory
            if memory > most or not (self._holding.takes(memory) or self._is_first(memory, block)):
                break
            fitting += 1
        if is_own and fitting < len(blocks):
            mean = sum(block.memory for block in blocks) / len(blocks)
            self.block_bytes = max(self.block_bytes, mean)
        return fitting

    def _is_first(self, memory: int, block: Block) -> bool:
        """A single block is taken even where it is more than a part, as long as there is room."""
        pool = self._holding.pool
        return not self._holding.held and memory == block.memory and pool.fits(memory)

    def put(self, peer: Optional[PeerID], blocks: Sequence[Block]) -> None:
        """Pass blocks on; at least one."""
        sizes = [block.memory for block in blocks]
        total = sum(sizes)
        for part in _split(blocks):
            self._waiting.append(Delivery(peer, part))
        self._sizes.extend(sizes)
        self._holding.hold(self._holding.held + total)
        self.block_bytes = self.block_bytes * SIZE_DECAY + total / len(sizes) * (1 - SIZE_DECAY)

    def take(self) -> Optional[Delivery]:
        """The oldest delivery that was not taken yet; None where there is none."""
        return self._waiting.popleft() if self._waiting else None

    @property
    def is_empty(self) -> bool:
        """Whether everything was taken."""
        return not self._waiting

    def settle(self, blocks: int) -> None:
        """The taker is done with the oldest ``blocks`` blocks; more than there are is no error."""
        settled = sum(self._sizes.popleft() for _ in range(min(blocks, len(self._sizes))))
        self._holding.hold(self._holding.held - settled)

    def close(self) -> None:
        """Nobody takes anything any more."""
        self._waiting.clear()
        self._sizes.clear()
        self._holding.close()


def _split(blocks: Sequence[Block]) -> List[Tuple[Block, ...]]:
    """Parts of at most ``DELIVERY_BYTES``, one block at least."""
    parts: List[Tuple[Block, ...]] = []
    start = size = 0
    for index, block in enumerate(blocks):
        size += len(block.rlp)
        if size > DELIVERY_BYTES and index > start:
            parts.append(tuple(blocks[start:index]))
            start, size = index, len(block.rlp)
    parts.append(tuple(blocks[start:]))
    return parts
