"""Looks at the canonical head of a running node, plugin or not, through its database."""
import asyncio
import contextlib
from pathlib import Path
from typing import Callable, NamedTuple

from eth.db.chain import ChainDB
from eth.exceptions import CanonicalHeadNotFound
from trinity.db.manager import DBClient

POLL_INTERVAL = 0.05
"""Seconds between two looks: a hundredth of the shortest sync that is measured."""


class Head(NamedTuple):
    """A canonical head."""

    number: int
    hash: bytes


class SyncTime(NamedTuple):
    """How long a node took from its first imported blocks to its last."""

    blocks: int
    seconds: float

    @property
    def rate(self) -> float:
        """Blocks/s."""
        return self.blocks / self.seconds


class HeadProbe:
    """Reads the head over the socket that the node's own processes use."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "ipcs-eth1" / "db.ipc"

    def fetch(self) -> Head:
        """The head now. :raise OSError: where the node does not run"""
        db = DBClient.connect(self._path)
        with db:
            header = ChainDB(db).get_canonical_head()
            return Head(header.block_number, header.hash)

    async def wait_for(self, number: int, timeout: float) -> Head:
        """Wait until the head is at least block ``number``. :raise asyncio.TimeoutError: if not"""

        loop = asyncio.get_event_loop()

        async def poll() -> Head:
            while True:
                # A node that has just been started for the first time may have no genesis yet.
                with contextlib.suppress(CanonicalHeadNotFound):
                    # A node that starts may take seconds to answer, and links run in this loop.
                    head = await loop.run_in_executor(None, self.fetch)
                    if head.number >= number:
                        return head
                await asyncio.sleep(POLL_INTERVAL)

        return await asyncio.wait_for(poll(), timeout)

    def fetch_missing(self) -> int:
        """Blocks missing in gaps below the head. :raise OSError: where the node does not run"""
        db = DBClient.connect(self._path)
        with db:
            gaps, _ = ChainDB(db).get_chain_gaps()
            return sum(high - low + 1 for low, high in gaps)

    async def wait_for_missing(self, most: int, timeout: float) -> int:
        """Wait until no more than ``most`` are. :raise asyncio.TimeoutError: if not"""

        loop = asyncio.get_event_loop()

        async def poll() -> int:
            while True:
                missing = await loop.run_in_executor(None, self.fetch_missing)
                if missing <= most:
                    return missing
                await asyncio.sleep(POLL_INTERVAL)

        return await asyncio.wait_for(poll(), timeout)

    async def time_sync(
        self, number: int, timeout: float, on_start: Callable[[], None] = lambda: None
    ) -> SyncTime:
        """Time the sync to block ``number``, from the moment that the first blocks are there."""
        loop = asyncio.get_event_loop()
        first = await self.wait_for(0, timeout)
        started = await self.wait_for(first.number + 1, timeout)
        started_at = loop.time()
        on_start()
        await self.wait_for(number, timeout)
        return SyncTime(number - started.number, loop.time() - started_at)
