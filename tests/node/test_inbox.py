import asyncio
from pathlib import Path
from typing import AsyncIterator

from lahja import AsyncioEndpoint, ConnectionConfig
from p2p.session import Session
from p2p.tools.factories import NodeFactory
import pytest
from trinity.constants import NETWORKING_EVENTBUS_ENDPOINT
from trinity.protocol.eth.commands import NewBlockHashes
from trinity.protocol.eth.events import NewBlockHashesEvent
from trinity.protocol.eth.payloads import NewBlockHash

from blockio_plugin.node.inbox import BusInbox
from blockio_plugin.protocol.events import (
    BlockIOPeerJoined,
    BlockIOPeerLeft,
    BlocksReceived,
    GetBlockIOPeersRequest,
    GetBlockIOPeersResponse,
)
from blockio_plugin.rules.messages import BlocksByView
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.services.abc import (
    AnswerReceived,
    HeadAnnounced,
    PeerJoined,
    PeerLeft,
    RequestVoided,
)


@pytest.fixture
async def networking(tmp_path: Path) -> AsyncIterator[AsyncioEndpoint]:
    """The other end of the bus, with no peers."""
    config = ConnectionConfig(NETWORKING_EVENTBUS_ENDPOINT, tmp_path / "networking.ipc")
    async with AsyncioEndpoint.serve(config) as endpoint:

        async def respond(request: GetBlockIOPeersRequest) -> None:
            await endpoint.broadcast(GetBlockIOPeersResponse(()), request.broadcast_config())

        endpoint.subscribe(GetBlockIOPeersRequest, respond)
        endpoint.config = config  # type: ignore[attr-defined]
        yield endpoint


async def test_answers_for_which_there_is_no_place_are_voided(
    networking: AsyncioEndpoint,
) -> None:
    session = Session(NodeFactory())
    async with AsyncioEndpoint("own").run() as own:
        await own.connect_to_endpoints(networking.config)  # type: ignore[attr-defined]
        own_inbox = BusInbox(own, NumberScheme(), memory=25)
        stream = own_inbox.stream()
        first = asyncio.ensure_future(stream.__anext__())
        await networking.wait_until_any_endpoint_subscribed_to(BlocksReceived)
        await networking.broadcast(BlockIOPeerJoined(session, "geth"))
        assert await asyncio.wait_for(first, 5) == PeerJoined(session, "geth")

        for request_id in range(1, 5):
            answer = BlocksByView(request_id, 7, 1, 9, (b"0123456789",))
            await networking.broadcast(BlocksReceived(session, answer, float(request_id)))
        # Only once they have all come is any taken.
        while len(own_inbox._queue) < 4:
            await asyncio.sleep(0.001)
        assert own_inbox.oldest_answer == 1.0
        events = [await asyncio.wait_for(stream.__anext__(), 5)]
        # What is being decoded still takes its place.
        await networking.broadcast(BlocksReceived(session, answer, 4.5))
        while len(own_inbox._queue) < 4:
            await asyncio.sleep(0.001)
        events += [await asyncio.wait_for(stream.__anext__(), 5) for _ in range(4)]
        answers = [event for event in events if isinstance(event, AnswerReceived)]
        assert [event.answer.request_id for event in answers] == [1, 2]
        assert [event.arrived_at for event in answers] == [1.0, 2.0]
        assert events[2:] == [RequestVoided(session, number) for number in (3, 4, 4)]
        # There is place again for what comes later.
        answer = BlocksByView(5, 7, 1, 9, (b"0" * 25,))
        await networking.broadcast(BlocksReceived(session, answer, 5.0))
        event = await asyncio.wait_for(stream.__anext__(), 5)
        assert isinstance(event, AnswerReceived) and len(event.answer.blocks) == 1
        await stream.aclose()  # type: ignore[attr-defined]


async def test_an_announced_head_waits_once_for_each_peer(networking: AsyncioEndpoint) -> None:
    session, stranger = Session(NodeFactory()), Session(NodeFactory())
    async with AsyncioEndpoint("own").run() as own:
        await own.connect_to_endpoints(networking.config)  # type: ignore[attr-defined]
        own_inbox = BusInbox(own, NumberScheme(), memory=0)
        stream = own_inbox.stream()
        first = asyncio.ensure_future(stream.__anext__())
        await networking.wait_until_any_endpoint_subscribed_to(NewBlockHashesEvent)
        await networking.broadcast(BlockIOPeerJoined(session, "geth"))
        assert await asyncio.wait_for(first, 5) == PeerJoined(session, "geth")

        for number in (5, 6):
            announced = NewBlockHashes((NewBlockHash(b"h" * 32, number),))
            # A peer that does not speak our protocol is of no use.
            for sender in (stranger, session):
                await networking.broadcast(NewBlockHashesEvent(sender, announced))
        await networking.broadcast(BlockIOPeerLeft(session, "garbage"))
        # One of each sender, and that the peer left.
        while len(own_inbox._queue) < 3:
            await asyncio.sleep(0.001)
        events = [await asyncio.wait_for(stream.__anext__(), 5) for _ in range(2)]
        assert events == [HeadAnnounced(session, 5), PeerLeft(session, "garbage")]
