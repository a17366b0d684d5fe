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
    syncing=True,
    head_timestamp=0,
    target_number=None,
    percent=None,
    eta_seconds=None,
    blocks_per_second=0.0,
    bytes_per_second=0.0,
    wanted_views=30,
    memory_budget=2 ** 26,
    imported_blocks=7,
    served_blocks=0,
    served_bytes=0,
    imported_history=(),
    view_bar="",
    news=(),
)


async def fetch_head_number() -> int:
    return 4


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
    async with background_asyncio_service(SyncerStandIn(networking, fetch_head_number)):
        await asker.wait_until_any_endpoint_subscribed_to(SyncingRequest)
        response = await asyncio.wait_for(asker.request(SyncingRequest()), 5)
    assert response == SyncingResponse(True, SyncProgress(4, 4, 4))


async def test_there_is_no_witness(buses: Tuple[EndpointAPI, EndpointAPI]) -> None:
    networking, asker = buses
    async with background_asyncio_service(SyncerStandIn(networking, fetch_head_number)):
        await asker.wait_until_any_endpoint_subscribed_to(FetchBlockWitness)
        request = FetchBlockWitness(None, bytes(32), 7)
        response = await asyncio.wait_for(asker.request(request), 5)
    assert response == BlockWitnessResult(())


def test_progress_while_syncing() -> None:
    known = STATUS._replace(target_number=14)
    assert describe_progress(known) == SyncingResponse(True, SyncProgress(3, 10, 14))


def test_the_highest_block_is_a_number_even_before_a_peer_gave_it() -> None:
    assert describe_progress(STATUS) == SyncingResponse(True, SyncProgress(3, 10, 11))


def test_no_progress_where_there_is_nothing_to_get() -> None:
    assert describe_progress(STATUS._replace(syncing=False)) == SyncingResponse(False, None)
