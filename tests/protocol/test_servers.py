"""The bridge with Trinity's own peer pool and a bus between two endpoints, like two processes."""
import asyncio
import contextlib
from pathlib import Path
import time
from typing import Any, AsyncIterator, Callable, Dict, List, NamedTuple, Type

from async_service import background_asyncio_service
from lahja import AsyncioEndpoint, ConnectionConfig
from p2p.disconnect import DisconnectReason
from p2p.tools.factories import PrivateKeyFactory
from p2p.tools.factories.connection import ConnectionPairFactoryNotRunning
import pytest
from trinity.constants import NETWORKING_EVENTBUS_ENDPOINT, TO_NETWORKING_BROADCAST_CONFIG
from trinity.protocol.eth.peer import ETHPeerFactory, ETHPeerPool

from blockio_plugin.protocol import api, servers
from blockio_plugin.protocol.api import decline
from blockio_plugin.protocol.events import (
    AvailabilityReceived,
    BlockIOPeerJoined,
    BlockIOPeerLeft,
    BlocksReceived,
    BlocksRequested,
    DropPeerCommand,
    GetBlockIOPeersRequest,
    RequestVoided,
)
from blockio_plugin.protocol.peer import BlockIOPeerFactory
from blockio_plugin.protocol.proxy import ProxyBlockIOAPI
from blockio_plugin.protocol.servers import BlockIOEventServer
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange

ADVERT = Availability("number", 7, (ViewRange(0, 8),))
FACTS = (
    BlockIOPeerJoined,
    BlockIOPeerLeft,
    AvailabilityReceived,
    BlocksRequested,
    BlocksReceived,
    RequestVoided,
)


def request(request_id: int) -> GetBlocksByView:
    return GetBlocksByView(request_id, 0, 8, 3)


def answer(request_id: int) -> BlocksByView:
    return BlocksByView(request_id, 0, 4, 5, (b"one", b"two"))


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The bus between processes is a real socket, and the peer pool reads the real clock."""
    return asyncio.DefaultEventLoopPolicy()


class Process:
    """The process of block I/O: it hears facts, in one order, and commands through the proxy."""

    def __init__(self, event_bus: AsyncioEndpoint) -> None:
        self.event_bus = event_bus
        self.wire = ProxyBlockIOAPI(event_bus)
        self._facts: "asyncio.Queue[Any]" = asyncio.Queue()

    async def listen(self) -> None:
        for event_type in FACTS:
            self.event_bus.subscribe(event_type, self._facts.put_nowait)

    async def next(self) -> Any:
        return await asyncio.wait_for(self._facts.get(), 15)


class Node(NamedTuple):
    """The process of the connections."""

    server: BlockIOEventServer
    event_bus: AsyncioEndpoint
    pool: ETHPeerPool
    unsent: Dict[str, int]
    """What a connection is said to hold unsent, under ``bytes``."""
    join: Callable[..., Any]
    """Connect a remote peer to the pool and return what that one sees."""


@pytest.fixture
async def process(node: Node, tmp_path: Path) -> AsyncIterator[Process]:
    config = ConnectionConfig.from_name("blockio", tmp_path)
    async with AsyncioEndpoint.serve(config) as event_bus:
        await event_bus.connect_to_endpoints(
            ConnectionConfig.from_name(NETWORKING_EVENTBUS_ENDPOINT, tmp_path)
        )
        await event_bus.wait_until_endpoint_subscribed_to(
            NETWORKING_EVENTBUS_ENDPOINT, GetBlockIOPeersRequest
        )
        process = Process(event_bus)
        await process.listen()
        await node.event_bus.wait_until_any_endpoint_subscribed_to(BlocksReceived)
        yield process


@pytest.fixture
async def node(chain_context: Any, tmp_path: Path) -> AsyncIterator[Node]:
    async with contextlib.AsyncExitStack() as stack:
        config = ConnectionConfig.from_name(NETWORKING_EVENTBUS_ENDPOINT, tmp_path)
        event_bus = await stack.enter_async_context(AsyncioEndpoint.serve(config))
        pool = ETHPeerPool(PrivateKeyFactory(), chain_context)
        pool.peer_factory_class = BlockIOPeerFactory
        unsent = {"bytes": 0}
        server = BlockIOEventServer(
            event_bus, pool, "blockio", lambda connection: unsent["bytes"]
        )
        await stack.enter_async_context(background_asyncio_service(pool))
        await stack.enter_async_context(background_asyncio_service(server))

        async def join(factory_class: Type[ETHPeerFactory] = BlockIOPeerFactory) -> Any:
            factory = factory_class(None, chain_context)
            ours, theirs = await ConnectionPairFactoryNotRunning(
                alice_handshakers=await pool.get_peer_factory().get_handshakers(),
                bob_handshakers=await factory.get_handshakers(),
            )
            remote = factory.create_peer(theirs)
            await stack.enter_async_context(background_asyncio_service(theirs))
            await theirs.run_peer(remote)
            remote.start_protocol_streams()
            await pool.add_outbound_peer(pool.get_peer_factory().create_peer(ours))
            return remote

        yield Node(server, event_bus, pool, unsent, join)


Inbox = Type[Any]


async def test_what_peers_send_reaches_the_bus(node: Node, process: Process) -> None:
    remote = await node.join()
    joined = await process.next()
    assert isinstance(joined, BlockIOPeerJoined)
    remote.blockio_api.send_availability(ADVERT)
    assert await process.next() == AvailabilityReceived(joined.session, ADVERT)
    remote.blockio_api.send_request(request(1))
    assert await process.next() == BlocksRequested(joined.session, request(1))
    remote.drop("enough")
    assert await process.next() == BlockIOPeerLeft(joined.session, None)


async def test_commands_reach_the_peer(
    node: Node, process: Process, make_inbox: Inbox
) -> None:
    remote = await node.join()
    inbox = make_inbox(remote)
    session = (await process.next()).session
    process.wire.send_availability(session, ADVERT)
    assert await inbox.next() == [ADVERT]
    process.wire.send_request(session, request(1))
    assert await inbox.next() == [request(1)]
    remote.blockio_api.send_answer(answer(1))
    assert (await process.next()).answer == answer(1)
    remote.blockio_api.send_request(request(9))
    assert await process.next() == BlocksRequested(session, request(9))
    process.wire.send_answer(session, answer(9))
    assert await inbox.next() == [answer(9)]


async def test_an_answer_says_when_it_arrived(
    node: Node, process: Process, make_inbox: Inbox
) -> None:
    remote = await node.join()
    inbox = make_inbox(remote)
    session = (await process.next()).session
    process.wire.send_request(session, request(1))
    await inbox.next()
    began = time.monotonic()
    remote.blockio_api.send_answer(answer(1))
    fact = await process.next()
    assert began <= fact.arrived_at <= time.monotonic()


async def test_a_request_that_cannot_be_sent_is_voided(
    node: Node, process: Process, make_inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_OPEN_REQUESTS", 2)
    remote = await node.join()
    inbox = make_inbox(remote)
    session = (await process.next()).session
    for request_id in (7, 8, 9):
        process.wire.send_request(session, request(request_id))
    assert await process.next() == RequestVoided(session, 9)
    assert await inbox.next(2) == [request(7), request(8)]


async def test_drop(node: Node, process: Process, ended: Callable[..., Any]) -> None:
    remote, other = await node.join(), await node.join()
    session = (await process.next()).session
    await process.next()
    process.wire.drop(session, "two blocks at view 7")
    await ended(remote)
    assert remote.remote_disconnect_reason is DisconnectReason.BAD_PROTOCOL
    assert await process.next() == BlockIOPeerLeft(session, "two blocks at view 7")
    assert other.is_alive


async def test_peer_without_the_protocol_is_not_reported(node: Node, process: Process) -> None:
    vanilla = await node.join(ETHPeerFactory)
    await node.join()
    joined = await process.next()
    assert len(node.pool.connected_nodes) == 2
    assert node.pool.connected_nodes[joined.session].speaks_blockio
    # Neither is it called what it is not.
    for session, peer in node.pool.connected_nodes.items():
        kind = "BlockIOPeer" if session == joined.session else "ETHPeer"
        assert str(peer).startswith(kind + " ")
    assert vanilla.is_alive


async def test_who_comes_late_learns_who_is_there(
    node: Node, process: Process, tmp_path: Path
) -> None:
    remote, silent = await node.join(), await node.join()
    joined = [await process.next() for _ in range(2)]
    assert all(event.client for event in joined)
    remote.blockio_api.send_availability(ADVERT)
    first = await process.next()
    response = await process.event_bus.request(
        GetBlockIOPeersRequest(), TO_NETWORKING_BROADCAST_CONFIG
    )
    assert list(response.peers) == joined
    # What is known of them comes after the response, as if it had just been said.
    assert await process.next() == first
    assert silent.is_alive


async def test_who_does_not_listen_yet_is_not_told_who_is_there(
    node: Node, tmp_path: Path
) -> None:
    await node.join()
    networking = ConnectionConfig.from_name(NETWORKING_EVENTBUS_ENDPOINT, tmp_path)
    async with AsyncioEndpoint.serve(ConnectionConfig.from_name("other", tmp_path)) as other:
        await other.connect_to_endpoints(networking)
        await other.wait_until_endpoint_subscribed_to(networking.name, DropPeerCommand)
        # Nobody asks before a response can reach block I/O.
        assert not other.is_endpoint_subscribed_to(networking.name, GetBlockIOPeersRequest)
    async with AsyncioEndpoint.serve(ConnectionConfig.from_name("blockio", tmp_path)) as event_bus:
        await event_bus.connect_to_endpoints(networking)
        await event_bus.wait_until_endpoint_subscribed_to(networking.name, GetBlockIOPeersRequest)
        asked = asyncio.ensure_future(
            event_bus.request(GetBlockIOPeersRequest(), TO_NETWORKING_BROADCAST_CONFIG)
        )
        # What was sent after it is done, so the request has come.
        await event_bus.broadcast(
            DropPeerCommand(next(iter(node.pool.connected_nodes)), "enough"),
            TO_NETWORKING_BROADCAST_CONFIG,
        )
        while node.pool.connected_nodes:
            await asyncio.sleep(0.001)
        assert not asked.done()
        process = Process(event_bus)
        await process.listen()
        assert (await asyncio.wait_for(asked, 15)).peers == ()


async def test_commands_to_a_peer_that_is_gone_do_nothing(
    node: Node, process: Process, make_inbox: Inbox
) -> None:
    remote, other = await node.join(), await node.join()
    inbox = make_inbox(other)
    session, session_of_other = [(await process.next()).session for _ in range(2)]
    remote.drop("enough")
    assert await process.next() == BlockIOPeerLeft(session, None)
    process.wire.send_availability(session, ADVERT)
    process.wire.send_request(session, request(1))
    process.wire.send_answer(session, answer(1))
    process.wire.drop(session, "enough")
    process.wire.send_availability(session_of_other, ADVERT)
    assert await inbox.next() == [ADVERT]


async def test_what_cannot_be_sent_is_logged_and_ends_nothing(
    node: Node, process: Process, make_inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    remote = await node.join()
    inbox = make_inbox(remote)
    session = (await process.next()).session
    process.wire.send_availability(session, ADVERT._replace(head_view=2 ** 64))
    process.wire.send_availability(session, ADVERT)
    assert await inbox.next() == [ADVERT]
    logged = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(logged) == 1
    assert logged[0].startswith("Could not do what a SendAvailabilityCommand says: ValueError")


async def test_requests_are_declined_while_nobody_serves(node: Node, make_inbox: Inbox) -> None:
    remote = await node.join()
    inbox = make_inbox(remote)
    remote.blockio_api.send_request(request(1))
    assert await inbox.next() == [decline(1, 0)]


async def test_a_peer_that_does_not_read_gets_no_blocks(
    node: Node, process: Process, make_inbox: Inbox
) -> None:
    remote = await node.join()
    inbox = make_inbox(remote)
    session = (await process.next()).session
    for request_id, unsent in ((1, servers.MAX_UNSENT_BYTES), (2, servers.MAX_UNSENT_BYTES + 1)):
        node.unsent["bytes"] = unsent
        remote.blockio_api.send_request(request(request_id))
        await process.next()
        process.wire.send_answer(session, answer(request_id))
        expected = answer(1) if request_id == 1 else decline(2, 0)
        assert await inbox.next() == [expected]


async def test_answers_that_the_bus_does_not_take_are_lost(
    node: Node,
    process: Process,
    make_inbox: Inbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(servers, "MAX_OUTBOX_BYTES", 1)
    remote = await node.join()
    inbox = make_inbox(remote)
    session = (await process.next()).session
    taken: List[Any] = []
    voided: List[int] = []
    for request_id in range(3):
        process.wire.send_request(session, request(request_id))
    await inbox.next(3)
    # They arrive one after the other, before the outbox gets its turn.
    for request_id in range(3):
        remote.blockio_api.send_answer(answer(request_id))
    remote.blockio_api.send_availability(ADVERT)
    fact = await process.next()
    while isinstance(fact, BlocksReceived):
        taken.append(fact)
        fact = await process.next()
    while isinstance(fact, RequestVoided):
        voided.append(fact.request_id)
        fact = await process.next()
    assert fact == AvailabilityReceived(session, ADVERT)
    lost = [record for record in caplog.records if "Lost an answer" in record.getMessage()]
    assert taken and len(taken) + len(lost) == 3
    assert voided == list(range(len(taken), 3))
