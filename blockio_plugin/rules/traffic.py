"""What came from peers, what went to them, and what was imported, since the start and lately."""
from typing import Dict, NamedTuple

from blockio_plugin.rules.meter import Meter
from blockio_plugin.rules.requests import PeerID


class Served(NamedTuple):
    """What was given to peers in a stretch of time."""

    blocks: int
    bytes: int
    peers: int


class Traffic:
    """
    The meters of one node.

    :param now: when they begin to count (s)
    """

    def __init__(self, now: float) -> None:
        self.imported = Meter(now)
        """Blocks."""
        self.received_bytes = Meter(now)
        """Bytes of blocks, whatever became of them."""
        self.served = Meter(now)
        """Blocks."""
        self.served_bytes = Meter(now)
        """Bytes of blocks."""
        self._served_to: Dict[PeerID, None] = {}
        self._told_blocks = self._told_bytes = 0

    def note_served(self, peer: PeerID, blocks: int, size: int, now: float) -> None:
        """``peer`` was given so many blocks of ``size`` bytes together."""
        if blocks:
            self.served.note(blocks, now)
            self.served_bytes.note(size, now)
            self._served_to[peer] = None

    def take_served(self) -> Served:
        """What was given since this was asked last. Of peers only those count that got a block."""
        blocks, size = self.served.total, self.served_bytes.total
        served = Served(blocks - self._told_blocks, size - self._told_bytes, len(self._served_to))
        self._told_blocks, self._told_bytes = blocks, size
        self._served_to.clear()
        return served
