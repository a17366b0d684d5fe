"""What runs in the process ``blockio-import``: blocks come over the bus, and into the database."""
import asyncio
from concurrent.futures import ThreadPoolExecutor
import logging
from pathlib import Path
from typing import Callable, Tuple, TypeVar

from async_service import Service, background_asyncio_service
from lahja import EndpointAPI
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.constants import FIRE_AND_FORGET_BROADCASTING
from trinity.db.manager import DBClient
from trinity.sync.common.events import NewBlockImported

from blockio_plugin.events import BLOCKIO_ENDPOINT
from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.disk import describe_trouble
from blockio_plugin.node.gap_filler import GapFiller
from blockio_plugin.node.import_events import (
    BackfillBlocksRequest,
    BackfillBlocksResponse,
    ImportBlocksRequest,
    ImportBlocksResponse,
)
from blockio_plugin.rules.limits import MemoryBudget
from blockio_plugin.rules.schemes import SchemeSpec

Stored = TypeVar("Stored")
"""What came of storing blocks."""


class ImportServer(Service):
    """
    Imports what it is sent, one call after another, in a thread, so that the bus goes on.

    :param data_dir: where the database is
    """

    logger = logging.getLogger("blockio_plugin.node.ImportServer")

    def __init__(
        self,
        event_bus: EndpointAPI,
        importer: BlockImporter,
        filler: GapFiller,
        data_dir: Path,
    ) -> None:
        self._event_bus = event_bus
        self._importer = importer
        self._filler = filler
        self._data_dir = data_dir
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blockio-import")

    async def run(self) -> None:
        # Who can reach us before we can reach them would wait for ever for a response.
        await self._event_bus.wait_until_connected_to(BLOCKIO_ENDPOINT)
        self.manager.run_daemon_task(self._serve_imports)
        self.manager.run_daemon_task(self._serve_backfills)
        await self.manager.wait_finished()

    async def _serve_imports(self) -> None:
        async for request in self._event_bus.stream(ImportBlocksRequest):
            imported = await self._work(self._importer.import_blocks, request.blocks)
            await self._event_bus.broadcast(
                ImportBlocksResponse(imported.result), request.broadcast_config()
            )
            if request.announce and imported.new_head is not None:
                await self._event_bus.broadcast(
                    NewBlockImported(imported.new_head), FIRE_AND_FORGET_BROADCASTING
                )

    async def _serve_backfills(self) -> None:
        async for request in self._event_bus.stream(BackfillBlocksRequest):
            result = await self._work(self._filler.fill, request.blocks)
            await self._event_bus.broadcast(
                BackfillBlocksResponse(result), request.broadcast_config()
            )

    async def _work(
        self, store: Callable[[Tuple[bytes, ...]], Stored], blocks: Tuple[bytes, ...]
    ) -> Stored:
        try:
            return await asyncio.get_event_loop().run_in_executor(self._executor, store, blocks)
        except Exception as err:
            # Trinity ends the node when a component ends; this says why. What the database's own
            # process met is in its log alone: to us it has just closed the connection.
            reason = describe_trouble(self._data_dir) or err
            self.logger.error("Cannot import, so the node stops: %s", reason)
            raise


async def run_import(
    event_bus: EndpointAPI, trinity_config: TrinityConfig, spec: SchemeSpec, memory: MemoryBudget
) -> None:
    """Import what is asked for until the node ends."""
    db = DBClient.connect(trinity_config.database_ipc_path)
    with db:
        chain_config = trinity_config.get_app_config(Eth1AppConfig).get_chain_config()
        chain_class = chain_config.full_chain_class
        scheme = spec.bind(chain_class(db).get_canonical_block_header_by_number(0))
        importer = BlockImporter(db, chain_class, scheme, memory=memory.writes)
        filler = GapFiller(db, chain_class(db), scheme)
        async with background_asyncio_service(
            ImportServer(event_bus, importer, filler, trinity_config.data_dir)
        ) as manager:
            await manager.wait_finished()
