"""One thread for everything that reads the chain, so that no read holds up the event loop."""
import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from blockio_plugin.rules.backfill import Gap
from blockio_plugin.rules.branches import Position
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.services.abc import ChainHead, ChainReaderAPI


class ChainThread:
    """The methods of a ``ChainReaderAPI`` as coroutines; calls queue up, first in, first out."""

    def __init__(self, reader: ChainReaderAPI) -> None:
        self._reader = reader
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blockio-chain")

    async def fetch_head(self) -> ChainHead:
        """See :meth:`ChainReaderAPI.fetch_head`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, self._reader.fetch_head)

    async def fetch_availability(self) -> Availability:
        """See :meth:`ChainReaderAPI.fetch_availability`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, self._reader.fetch_availability)

    async def fetch_position(self, view: int) -> Optional[Position]:
        """See :meth:`ChainReaderAPI.fetch_position`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, self._reader.fetch_position, view)

    async def fetch_position_of_block(self, number: int) -> Optional[Position]:
        """See :meth:`ChainReaderAPI.fetch_position_of_block`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(
            self._executor, self._reader.fetch_position_of_block, number
        )

    async def fetch_timestamp(self, number: int) -> Optional[int]:
        """See :meth:`ChainReaderAPI.fetch_timestamp`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, self._reader.fetch_timestamp, number)

    async def holds_state(self, number: int) -> bool:
        """See :meth:`ChainReaderAPI.holds_state`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, self._reader.holds_state, number)

    async def fetch_gap(self) -> Optional[Gap]:
        """See :meth:`ChainReaderAPI.fetch_gap`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, self._reader.fetch_gap)

    async def fetch_blocks(self, request: GetBlocksByView) -> BlocksByView:
        """See :meth:`ChainReaderAPI.fetch_blocks`."""
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, self._reader.fetch_blocks, request)
