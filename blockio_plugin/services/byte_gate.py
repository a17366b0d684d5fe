"""Bytes that are on their way at a time, bounded: who has more waits in line."""
import asyncio
from contextlib import asynccontextmanager
from typing import AsyncIterator


class ByteGate:
    """
    First come, first through, so that what is large is not passed over for ever.

    :param size: bytes at a time, most, unless something alone is larger
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._turn = asyncio.Lock()
        self._left = asyncio.Event()
        self.bytes = 0
        """Bytes that are on their way."""

    @asynccontextmanager
    async def carry(self, size: int) -> AsyncIterator[None]:
        """Wait until there is room for ``size`` bytes, which are on their way while this lasts."""
        async with self._turn:
            while self.bytes and self.bytes + size > self._size:
                self._left.clear()
                await self._left.wait()
            self.bytes += size
        try:
            yield
        finally:
            self.bytes -= size
            self._left.set()
