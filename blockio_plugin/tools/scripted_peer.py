"""A peer that a test plays by hand, connected to a real node over real RLPx."""
import asyncio
import contextlib
import os
from typing import AsyncIterator

from async_service import background_asyncio_service
from eth.abc import AtomicDatabaseAPI, ChainAPI
from eth_keys import keys
from p2p.constants import DEVP2P_V5
from p2p.kademlia import Node
from p2p.message import Message
from trinity.db.eth1.header import AsyncHeaderDB
from trinity.protocol.common.context import ChainContext

from blockio_plugin.protocol.api import BlockIOAPI, Payload
from blockio_plugin.protocol.peer import BlockIOPeer, BlockIOPeerFactory
from blockio_plugin.protocol.proto import BlockIOProtocol


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
        protocol = self.peer.connection.get_protocol_by_type(BlockIOProtocol)
        frame = bytes([protocol.command_id_offset + command_id]) + body
        header = len(frame).to_bytes(3, "big") + b"\xc2\x80\x80"
        self.peer.connection.get_multiplexer().get_transport().send(Message(header, frame))

    async def wait_dropped(self) -> None:
        """Wait until the node ends the connection."""
        await self.peer.connection.get_manager().wait_finished()
