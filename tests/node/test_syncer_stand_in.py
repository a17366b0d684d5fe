import asyncio
from pathlib import Path
from typing import AsyncIterator, Tuple

from async_service import background_asyncio_service
from lahja import AsyncioEndpoint, ConnectionConfig, EndpointAPI
import pytest
from trinity.sync.common.events import (
    BlockWitnessResult,
    FetchBlockWitness,
    SyncingRequest,
    SyncingResponse,
)
from trinity.sync.common.types import SyncProgress

from blockio_plugin.events import BlockIOStatus
from blockio_plugin.node.syncer_stand_in import SyncerStandIn, describe_progress

STATUS = BlockIOStatus(
    drives=True,
    scheme="number",
    synced=False,
    starting_number=3,
    head_number=10,
    head_view=20,
    head_hash=bytes(32),
    target_view=50,
    blocks_in_flight=0,
    blocks_cached=0,
    bytes_cached=0,
    idle_reason=None,
    peers=(),
)


@pytest.fixture
async def buses(tmp_path: Path) -> AsyncIterator[Tuple[EndpointAPI, EndpointAPI]]:
    """The endpoint of the networking process, and one that asks."""
    config = ConnectionConfig.from_name("networking", tmp_path)
    async with AsyncioEndpoint.serve(config) as networking:
        async with AsyncioEndpoint("asker").run() as asker:
            await asker.connect_to_endpoints(config)
            yield networking, asker


async def test_eth_syncing_gets_an_answer_before_block_io_is_up(
    buses: Tuple[EndpointAPI, EndpointAPI]
) -> None:
    networking, asker = buses
    async with background_asyncio_service(SyncerStandIn(networking)):
        await asker.wait_until_any_endpoint_subscribed_to(SyncingRequest)
        response = await asyncio.wait_for(asker.request(SyncingRequest()), 5)
    assert response == SyncingResponse(False, None)


async def test_there_is_no_witness(buses: Tuple[EndpointAPI, EndpointAPI]) -> None:
    networking, asker = buses
    async with background_asyncio_service(SyncerStandIn(networking)):
        await asker.wait_until_any_endpoint_subscribed_to(FetchBlockWitness)
        request = FetchBlockWitness(None, bytes(32), 7)
        response = await asyncio.wait_for(asker.request(request), 5)
    assert response == BlockWitnessResult(())


def test_progress_while_syncing() -> None:
    assert describe_progress(STATUS) == SyncingResponse(True, SyncProgress(3, 10, 40))


def test_no_progress_where_there_is_nothing_to_get() -> None:
    assert describe_progress(STATUS._replace(synced=True)) == SyncingResponse(False, None)
    assert describe_progress(STATUS._replace(target_view=20)) == SyncingResponse(False, None)
