import asyncio
from typing import Any, List

from lahja import AsyncioEndpoint
from p2p.tools.factories import SessionFactory
import pytest
from trinity.constants import NETWORKING_EVENTBUS_ENDPOINT

from blockio_plugin.protocol.events import (
    DropPeerCommand,
    SendAvailabilityCommand,
    SendBlocksByViewCommand,
    SendGetBlocksByViewCommand,
)
from blockio_plugin.protocol.proxy import ProxyBlockIOAPI
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView

SESSION = SessionFactory()
ADVERT = Availability("number", 7, ())
REQUEST = GetBlocksByView(1, 2, 3, 4)
ANSWER = BlocksByView(1, 2, 3, 0, (b"block",))


async def send_all(endpoint_name: str) -> List[Any]:
    """What a process of that name gets of one command of each kind."""
    received: List[Any] = []
    async with AsyncioEndpoint(endpoint_name).run() as event_bus:
        for event_type in (
            SendAvailabilityCommand,
            SendGetBlocksByViewCommand,
            SendBlocksByViewCommand,
            DropPeerCommand,
        ):
            event_bus.subscribe(event_type, received.append)
        wire = ProxyBlockIOAPI(event_bus)
        wire.send_availability(SESSION, ADVERT)
        wire.send_request(SESSION, REQUEST)
        wire.send_answer(SESSION, ANSWER)
        wire.drop(SESSION, "two blocks at view 7")
        await asyncio.sleep(1)
    return received


async def test_commands_reach_the_process_with_the_connections() -> None:
    assert await send_all(NETWORKING_EVENTBUS_ENDPOINT) == [
        SendAvailabilityCommand(SESSION, ADVERT),
        SendGetBlocksByViewCommand(SESSION, REQUEST),
        SendBlocksByViewCommand(SESSION, ANSWER),
        DropPeerCommand(SESSION, "two blocks at view 7"),
    ]


@pytest.mark.parametrize("name", ["blockio", "discovery"])
async def test_and_no_other(name: str) -> None:
    assert await send_all(name) == []


async def test_whoever_waits_knows_when_an_answer_has_left() -> None:
    received: List[Any] = []
    async with AsyncioEndpoint(NETWORKING_EVENTBUS_ENDPOINT).run() as event_bus:
        event_bus.subscribe(SendBlocksByViewCommand, received.append)
        wire = ProxyBlockIOAPI(event_bus)
        wire.send_answer(SESSION, ANSWER)
        assert not received
        await wire.wait_sent()
        assert received == [SendBlocksByViewCommand(SESSION, ANSWER)]
        await wire.wait_sent()
