"""Answers ``eth_syncing`` where no syncer of Trinity's runs, so that the call does not hang."""
import asyncio

from async_service import Service
from eth_typing import BlockNumber
from lahja import EndpointAPI
from trinity.sync.common.events import SyncingRequest, SyncingResponse
from trinity.sync.common.types import SyncProgress

from blockio_plugin.events import (
    TO_BLOCKIO_BROADCAST_CONFIG,
    BlockIOStatus,
    GetBlockIOStatusRequest,
)

STATUS_TIMEOUT = 1.0
"""Seconds that the blockio process has to tell its status; it may still be starting."""


class SyncingResponder(Service):
    """Runs in the networking process, the only one that is asked."""

    def __init__(self, event_bus: EndpointAPI) -> None:
        self._event_bus = event_bus

    async def run(self) -> None:
        async for request in self._event_bus.stream(SyncingRequest):
            await self._event_bus.broadcast(await self._respond(), request.broadcast_config())

    async def _respond(self) -> SyncingResponse:
        if not self._event_bus.is_any_endpoint_subscribed_to(GetBlockIOStatusRequest):
            return SyncingResponse(False, None)
        try:
            response = await asyncio.wait_for(
                self._event_bus.request(GetBlockIOStatusRequest(), TO_BLOCKIO_BROADCAST_CONFIG),
                STATUS_TIMEOUT,
            )
        except asyncio.TimeoutError:
            return SyncingResponse(False, None)
        return self._describe(response.status)

    @staticmethod
    def _describe(status: BlockIOStatus) -> SyncingResponse:
        if status.synced or status.target_view <= status.head_view:
            return SyncingResponse(False, None)
        # Only views are known of what is ahead. No block has a number above its view.
        ahead = status.target_view - status.head_view
        return SyncingResponse(
            True,
            SyncProgress(
                BlockNumber(status.starting_number),
                BlockNumber(status.head_number),
                BlockNumber(status.head_number + ahead),
            ),
        )
