"""What the importing process is handed, over a real bus."""
import asyncio
from pathlib import Path
from typing import List

from lahja import AsyncioEndpoint, ConnectionConfig

from blockio_plugin.node.import_events import (
    IMPORT_ENDPOINT,
    ImportBlocksRequest,
    ImportBlocksResponse,
)
from blockio_plugin.node.importer_proxy import ProxyImporter
from blockio_plugin.services.abc import ChainHead, ImportResult

RESULT = ImportResult(ChainHead(1, 1, b"head"), 1, None)

TIMEOUT = 10.0
"""Seconds for anything here, most."""


async def test_it_holds_no_more_than_its_memory_and_all_of_it_in_order(tmp_path: Path) -> None:
    config = ConnectionConfig(IMPORT_ENDPOINT, tmp_path / "import.ipc")
    held: List[int] = []
    order: List[int] = []
    async with AsyncioEndpoint.serve(config) as importing, AsyncioEndpoint("own").run() as own:

        async def take(request: ImportBlocksRequest) -> None:
            size = sum(map(len, request.blocks))
            held.append(size)
            order.append(size)
            assert sum(held) <= 100 or len(held) == 1
            for _ in range(10):
                await asyncio.sleep(0)
            held.remove(size)
            await importing.broadcast(ImportBlocksResponse(RESULT), request.broadcast_config())

        async def serve() -> None:
            async for request in importing.stream(ImportBlocksRequest):
                asyncio.ensure_future(take(request))

        serving = asyncio.ensure_future(serve())
        await own.connect_to_endpoints(config)
        importer = ProxyImporter(own, memory=100)
        sizes = [40, 50, 60, 30, 200, 10, 99]
        calls = [importer.import_blocks((bytes(size),), announce=False) for size in sizes]
        results = await asyncio.wait_for(asyncio.gather(*calls), TIMEOUT)
        serving.cancel()
    assert results == [RESULT] * len(sizes)
    assert order == sizes
