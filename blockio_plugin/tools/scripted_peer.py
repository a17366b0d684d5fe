"""A peer that a test plays by hand, connected to a real node over real RLPx."""
import asyncio
import contextlib
import os
from typing import AsyncIterator, Set, Type

from async_service import background_asyncio_service
from eth.abc import AtomicDatabaseAPI, ChainAPI
from eth_keys import keys
from p2p.abc import ProtocolAPI
from p2p.constants import DEVP2P_V5
from p2p.exceptions import PeerConnectionLost
from p2p.handshake import DevP2PHandshakeParams, receive_dial_in
from p2p.kademlia import Node
from p2p.peer import BasePeer
from p2p.transport import Transport
from trinity.db.eth1.header import AsyncHeaderDB
from trinity.protocol.common.context import ChainContext
from trinity.server import COMMON_RECEIVE_HANDSHAKE_EXCEPTIONS

from blockio_plugin.protocol.api import BlockIOAPI, Payload
from blockio_plugin.protocol.peer import BlockIOPeer, BlockIOPeerFactory
from blockio_plugin.protocol.proto import BlockIOProtocol

HEADER_DATA = b"\xc2\x80\x80"
"""What follows the size in the header of each frame of RLPx."""

CLIENT = "scripted"
"""What a peer says that it runs."""

LISTEN_PORT = 30303
"""The port that a peer says it listens on; nobody dials it."""


class RawMessage:
    """A frame of any bytes; the stock message has to begin with a command id."""

    def __init__(self, frame: bytes) -> None:
        self.header = len(frame).to_bytes(3, "big") + HEADER_DATA
        self.body = self.encoded_payload = frame
        self.command_id = 0


async def send_first_frame(enode: str, frame: bytes) -> None:
    """
    Dial a node, send any bytes in the place of the hello, and wait until it hangs up.

    :raise ConnectionError: it did so before that
    """
    transport = await Transport.connect(Node.from_uri(enode), keys.PrivateKey(os.urandom(32)))
    transport.send(RawMessage(frame))
    # Its own hello comes first.
    with contextlib.suppress(PeerConnectionLost):
        while True:
            await transport.read(1)


class ScriptedPeer:
    """One end of a connection; what comes is in ``inbox``, what goes is up to the test."""

    def __init__(self, peer: BlockIOPeer) -> None:
        self.peer = peer
        self.inbox: "asyncio.Queue[Payload]" = asyncio.Queue()
        peer.blockio_api.attach(self.inbox.put_nowait)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, enode: str, chain: ChainAPI, db: AtomicDatabaseAPI, network_id: int
    ) -> AsyncIterator["ScriptedPeer"]:
        """Dial a node as one that is on ``chain``, and stay until the context ends."""
        factory = _make_factory(keys.PrivateKey(os.urandom(32)), chain, db, network_id)
        peer = await factory.handshake(Node.from_uri(enode))
        async with cls._run(peer) as scripted:
            yield scripted

    @classmethod
    @contextlib.asynccontextmanager
    async def _run(cls, peer: BasePeer) -> AsyncIterator["ScriptedPeer"]:
        assert isinstance(peer, BlockIOPeer)
        async with background_asyncio_service(peer.connection):
            await peer.connection.run_peer(peer)
            scripted = cls(peer)
            peer.start_protocol_streams()
            yield scripted

    @property
    def api(self) -> BlockIOAPI:
        """Sends commands that are well-formed."""
        return self.peer.blockio_api

    def send_raw(self, command_id: int, body: bytes) -> None:
        """Send a frame of the sub-protocol with any id and any bytes."""
        self.send_to(BlockIOProtocol, command_id, body)

    def send_to(self, protocol_type: Type[ProtocolAPI], command_id: int, body: bytes) -> None:
        """Send a frame of one of the protocols with any id and any bytes."""
        protocol = self.peer.connection.get_protocol_by_type(protocol_type)
        self.send_frame(bytes([protocol.command_id_offset + command_id]) + body)

    def send_frame(self, frame: bytes) -> None:
        """Send a frame of any bytes."""
        self.peer.connection.get_multiplexer().get_transport().send(RawMessage(frame))

    async def wait_dropped(self) -> None:
        """Wait until the node ends the connection."""
        await self.peer.connection.get_manager().wait_finished()


class ScriptedListener:
    """
    An address at which a node that dials it finds such a peer. Trinity takes no more than two that
    dial it, and dials any number.
    """

    def __init__(self, factory: BlockIOPeerFactory, host: str) -> None:
        self._factory = factory
        self._handshake_params = DevP2PHandshakeParams(CLIENT, LISTEN_PORT, DEVP2P_V5)
        self._host = host
        self._port = 0
        self._taken: "asyncio.Queue[ScriptedPeer]" = asyncio.Queue()
        self._connections: Set["asyncio.Future[None]"] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, chain: ChainAPI, db: AtomicDatabaseAPI, network_id: int, host: str = "127.0.0.1"
    ) -> AsyncIterator["ScriptedListener"]:
        """
        Listen as one that is on ``chain`` until the context ends, and all its connections with it.

        :param host: an address of ours; Trinity dials no more than three at the same one
        """
        key = keys.PrivateKey(os.urandom(32))
        listener = cls(_make_factory(key, chain, db, network_id), host)
        server = await asyncio.start_server(listener._accept, host, 0)
        listener._port = server.sockets[0].getsockname()[1]
        try:
            yield listener
        finally:
            server.close()
            for connection in listener._connections:
                connection.cancel()
            await asyncio.gather(*listener._connections, return_exceptions=True)
            await server.wait_closed()

    @property
    def enode(self) -> str:
        """The address for a node to dial."""
        public_key = self._factory.privkey.public_key.to_hex()[2:]
        return f"enode://{public_key}@{self._host}:{self._port}"

    async def accept(self) -> ScriptedPeer:
        """Wait for the next node that dials."""
        return await self._taken.get()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._play(reader, writer))
        self._connections.add(connection)
        await asyncio.wait({connection})

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A node that gives up on the handshake dials again.
        with contextlib.suppress(*COMMON_RECEIVE_HANDSHAKE_EXCEPTIONS):
            connection = await receive_dial_in(
                reader,
                writer,
                self._factory.privkey,
                self._handshake_params,
                await self._factory.get_handshakers(),
            )
            async with ScriptedPeer._run(self._factory.create_peer(connection)) as peer:
                self._taken.put_nowait(peer)
                await peer.wait_dropped()


def _make_factory(
    key: keys.PrivateKey, chain: ChainAPI, db: AtomicDatabaseAPI, network_id: int
) -> BlockIOPeerFactory:
    context = ChainContext(
        headerdb=AsyncHeaderDB(db),
        network_id=network_id,
        vm_configuration=type(chain).vm_configuration,
        client_version_string=CLIENT,
        listen_port=LISTEN_PORT,
        p2p_version=DEVP2P_V5,
    )
    return BlockIOPeerFactory(key, context)
