"""The importer as the blockio process sees it: calls go to the importing process over the bus."""
from typing import Tuple

from lahja import EndpointAPI

from blockio_plugin.node.import_events import (
    IMPORT_ENDPOINT,
    TO_IMPORT_BROADCAST_CONFIG,
    BackfillBlocksRequest,
    ImportBlocksRequest,
)
from blockio_plugin.services.abc import BackfillResult, GapFillerAPI, ImporterAPI, ImportResult


class ProxyImporter(ImporterAPI, GapFillerAPI):
    """Hands blocks over. Where the other process dies, Trinity ends the node and us with it."""

    def __init__(self, event_bus: EndpointAPI) -> None:
        self._event_bus = event_bus

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        await self._event_bus.wait_until_endpoint_subscribed_to(
            IMPORT_ENDPOINT, ImportBlocksRequest
        )
        response = await self._event_bus.request(
            ImportBlocksRequest(blocks, announce), TO_IMPORT_BROADCAST_CONFIG
        )
        return response.result

    async def backfill_blocks(self, blocks: Tuple[bytes, ...]) -> BackfillResult:
        await self._event_bus.wait_until_endpoint_subscribed_to(
            IMPORT_ENDPOINT, BackfillBlocksRequest
        )
        response = await self._event_bus.request(
            BackfillBlocksRequest(blocks), TO_IMPORT_BROADCAST_CONFIG
        )
        return response.result
