"""
The outlet of a fetch: blocks on their way to whoever asked for them, and how many more may come.

A block is unsettled from when it is put in until its taker says that it is done with it. A taker
that is slow, or gone, settles nothing, so its fetch stands still and holds a bounded amount.
"""
from collections import deque
from typing import Deque, NamedTuple, Optional, Sequence, Tuple

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.requests import PeerID

DEFAULT_WINDOW = 4096
"""Blocks of one fetch that may be unsettled before no more are asked for: eight full answers."""

WINDOW_BYTES = 16 * 1024 * 1024
"""Bytes of the same: eight full answers."""

OVERFLOW = 2
"""Answers are taken up to this many windows: others may have asked for what this fetch wants."""

FIRST_BLOCK_BYTES = 4096
"""Bytes that a block is taken to have before any came."""

SIZE_DECAY = 0.9
"""Weight that the mean size of blocks keeps when the next blocks come."""


class Delivery(NamedTuple):
    """Blocks that came together, ascending by view, and who sent them: None is our own chain."""

    peer: Optional[PeerID]
    blocks: Tuple[Block, ...]


class Outlet:
    """
    First in, first out.

    :param window: blocks that may be unsettled before no more are asked for
    """

    def __init__(self, window: int = DEFAULT_WINDOW) -> None:
        self._window = window
        self._waiting: Deque[Delivery] = deque()
        self._sizes: Deque[int] = deque()
        self._bytes = 0
        self.block_bytes = float(FIRST_BLOCK_BYTES)
        """The mean size of a block."""

    @property
    def unsettled(self) -> int:
        """Blocks that were put in and not settled."""
        return len(self._sizes)

    @property
    def unsettled_bytes(self) -> int:
        """The bytes of these blocks."""
        return self._bytes

    @property
    def room(self) -> float:
        """Blocks that may be asked for."""
        by_size = (WINDOW_BYTES - self._bytes) / self.block_bytes
        return max(0.0, min(self._window - len(self._sizes), by_size))

    @property
    def is_open(self) -> bool:
        """Whether an answer that comes anyway can be taken."""
        return (
            len(self._sizes) < OVERFLOW * self._window and self._bytes < OVERFLOW * WINDOW_BYTES
        )

    def put(self, peer: Optional[PeerID], blocks: Sequence[Block]) -> None:
        """Pass blocks on; at least one."""
        sizes = [len(block.rlp) for block in blocks]
        total = sum(sizes)
        self._waiting.append(Delivery(peer, tuple(blocks)))
        self._sizes.extend(sizes)
        self._bytes += total
        mean = max(1.0, total / len(sizes))
        self.block_bytes = self.block_bytes * SIZE_DECAY + mean * (1 - SIZE_DECAY)

    def take(self) -> Optional[Delivery]:
        """The oldest delivery that was not taken yet; None where there is none."""
        return self._waiting.popleft() if self._waiting else None

    @property
    def is_empty(self) -> bool:
        """Whether everything was taken."""
        return not self._waiting

    def settle(self, blocks: int) -> None:
        """The taker is done with the oldest ``blocks`` blocks; more than there are is no error."""
        for _ in range(min(blocks, len(self._sizes))):
            self._bytes -= self._sizes.popleft()
