"""A peer that a test plays by hand, connected to a real node over real RLPx."""
import asyncio
import contextlib
import os
from typing import AsyncIterator, Type

from async_service import background_asyncio_service
from eth.abc import AtomicDatabaseAPI, ChainAPI
from eth_keys import keys
from p2p.abc import ProtocolAPI
from p2p.constants import DEVP2P_V5
from p2p.exceptions import PeerConnectionLost
from p2p.kademlia import Node
from p2p.transport import Transport
from trinity.db.eth1.header import AsyncHeaderDB
from trinity.protocol.common.context import ChainContext

from blockio_plugin.protocol.api import BlockIOAPI, Payload
from blockio_plugin.protocol.peer import BlockIOPeer, BlockIOPeerFactory
from blockio_plugin.protocol.proto import BlockIOProtocol

HEADER_DATA = b"\xc2\x80\x80"
"""What follows the size in the header of each frame of RLPx."""


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
        context = ChainContext(
            headerdb=AsyncHeaderDB(db),
            network_id=network_id,
            vm_configuration=type(chain).vm_configuration,
            client_version_string="scripted",
            listen_port=30303,
            p2p_version=DEVP2P_V5,
        )
        factory = BlockIOPeerFactory(keys.PrivateKey(os.urandom(32)), context)
        peer = await factory.handshake(Node.from_uri(enode))
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
