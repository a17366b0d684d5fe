"""
Answers what Trinity's components ask of a syncer, where none of Trinity's runs.

Without it `eth_syncing` would hang, and each block that a peer announces would hold up the
component that hears of new blocks for five seconds, and end in a warning.
"""
import asyncio
from typing import Awaitable, Callable

from async_service import Service
from eth_typing import BlockNumber
from lahja import EndpointAPI
from trinity.sync.common.events import (
    BlockWitnessResult,
    FetchBlockWitness,
    SyncingRequest,
    SyncingResponse,
)
from trinity.sync.common.types import SyncProgress

from blockio_plugin.events import (
    TO_BLOCKIO_BROADCAST_CONFIG,
    BlockIOStatus,
    GetBlockIOStatusRequest,
)

STATUS_TIMEOUT = 1.0
"""Seconds that the blockio process has to tell its status; it may still be starting."""


class SyncerStandIn(Service):
    """
    Runs in the networking process, which is where a syncer would be asked.

    :param fetch_head_number: gives the block number of the chain's head
    """

    def __init__(
        self, event_bus: EndpointAPI, fetch_head_number: Callable[[], Awaitable[int]]
    ) -> None:
        self._event_bus = event_bus
        self._fetch_head_number = fetch_head_number

    async def run(self) -> None:
        self.manager.run_daemon_task(self._answer_witness_requests)
        async for request in self._event_bus.stream(SyncingRequest):
            await self._event_bus.broadcast(await self._respond(), request.broadcast_config())

    async def _answer_witness_requests(self) -> None:
        """Only a node that beam-syncs needs the witness of a block, so we have none."""
        async for request in self._event_bus.stream(FetchBlockWitness):
            await self._event_bus.broadcast(BlockWitnessResult(()), request.broadcast_config())

    async def _respond(self) -> SyncingResponse:
        if not self._event_bus.is_any_endpoint_subscribed_to(GetBlockIOStatusRequest):
            return await self._respond_unknowing()
        try:
            response = await asyncio.wait_for(
                self._event_bus.request(GetBlockIOStatusRequest(), TO_BLOCKIO_BROADCAST_CONFIG),
                STATUS_TIMEOUT,
            )
        except asyncio.TimeoutError:
            return await self._respond_unknowing()
        return describe_progress(response.status)

    async def _respond_unknowing(self) -> SyncingResponse:
        """Who is just starting, or too busy to say how it stands, is not known to be synced."""
        number = BlockNumber(await self._fetch_head_number())
        return SyncingResponse(True, SyncProgress(number, number, number))


def describe_progress(status: BlockIOStatus) -> SyncingResponse:
    """
    What `eth_syncing` says. Its highest block is the one that a peer gave at the view of its head;
    until then it is the least that it can be, so that it does not fall.
    """
    if not status.syncing:
        return SyncingResponse(False, None)
    highest = status.target_number
    if highest is None:
        highest = status.head_number + 1
    return SyncingResponse(
        True,
        SyncProgress(
            BlockNumber(status.starting_number),
            BlockNumber(status.head_number),
            BlockNumber(highest),
        ),
    )
