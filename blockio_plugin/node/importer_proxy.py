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
from blockio_plugin.services.byte_gate import ByteGate


class ProxyImporter(ImporterAPI, GapFillerAPI):
    """
    Hands blocks over. Where the other process dies, Trinity ends the node and us with it.

    :param memory: bytes of blocks that the other process may hold
    """

    def __init__(self, event_bus: EndpointAPI, memory: int) -> None:
        self._event_bus = event_bus
        self._gate = ByteGate(memory)

    async def import_blocks(self, blocks: Tuple[bytes, ...], announce: bool) -> ImportResult:
        await self._event_bus.wait_until_endpoint_subscribed_to(
            IMPORT_ENDPOINT, ImportBlocksRequest
        )
        async with self._gate.carry(sum(map(len, blocks))):
            response = await self._event_bus.request(
                ImportBlocksRequest(blocks, announce), TO_IMPORT_BROADCAST_CONFIG
            )
        return response.result

    async def backfill_blocks(self, blocks: Tuple[bytes, ...]) -> BackfillResult:
        await self._event_bus.wait_until_endpoint_subscribed_to(
            IMPORT_ENDPOINT, BackfillBlocksRequest
        )
        async with self._gate.carry(sum(map(len, blocks))):
            response = await self._event_bus.request(
                BackfillBlocksRequest(blocks), TO_IMPORT_BROADCAST_CONFIG
            )
        return response.result
