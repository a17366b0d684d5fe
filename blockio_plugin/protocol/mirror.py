"""
A connection to any node, whatever its network: in the handshake of ``eth`` we say of ourselves what
the node has just said of itself. For looking at a node, not for taking part in its network.
"""
import asyncio
import contextlib
import os
from typing import Any, AsyncIterator, Tuple, Type

from async_service import background_asyncio_service
from eth_keys import keys
from p2p.abc import HandshakerAPI, MultiplexerAPI, NodeAPI, ProtocolAPI
from p2p.constants import DEVP2P_V5
from p2p.exceptions import HandshakeFailure, PeerConnectionLost
from p2p.handshake import Handshaker
from p2p.peer import BasePeerContext
from trinity.protocol.eth.commands import Status, StatusV63
from trinity.protocol.eth.handshaker import ETHHandshakeReceipt, ETHV63HandshakeReceipt
from trinity.protocol.eth.proto import ETHProtocolV63, ETHProtocolV64, ETHProtocolV65

from blockio_plugin.protocol.handshaker import BlockIOHandshaker
from blockio_plugin.protocol.peer import BlockIOPeer, BlockIOPeerFactory

CLIENT = "blockio-probe"
"""What we call ourselves."""

LISTEN_PORT = 30303
"""The port that we say we listen on; nobody dials it."""


ATTEMPTS = 3
"""Times that a node is dialled, most: a busy one turns some away."""

ATTEMPT_INTERVAL = 1.0
"""Seconds between two of them."""


class MirrorHandshaker(Handshaker[Any]):
    """Waits for the status of the other side, which comes unasked, and sends it back."""

    def __init__(self, protocol_class: Type[ProtocolAPI]) -> None:
        self.protocol_class = protocol_class

    async def do_handshake(self, multiplexer: MultiplexerAPI, protocol: Any) -> Any:
        """
        What the other side says of itself.

        :raise HandshakeFailure: it says something else first
        """
        async for command in multiplexer.stream_protocol_messages(protocol):
            if isinstance(command, StatusV63):
                protocol.send(StatusV63(command.payload))
                return ETHV63HandshakeReceipt(protocol, command.payload)
            if isinstance(command, Status):
                protocol.send(Status(command.payload))
                return ETHHandshakeReceipt(protocol, command.payload)
            break
        raise HandshakeFailure("it does not begin with its status")


class MirrorFactory(BlockIOPeerFactory):
    """Dials as one that is on the network of the node that is dialled."""

    async def get_handshakers(self) -> Tuple[HandshakerAPI[Any], ...]:
        """``eth`` in each version that Trinity has, and ours."""
        versions = (ETHProtocolV63, ETHProtocolV64, ETHProtocolV65)
        return (*map(MirrorHandshaker, versions), BlockIOHandshaker())


async def _shake_hands(factory: MirrorFactory, remote: NodeAPI) -> BlockIOPeer:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            peer = await factory.handshake(remote)
            break
        except (HandshakeFailure, PeerConnectionLost):
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(ATTEMPT_INTERVAL)
    assert isinstance(peer, BlockIOPeer)
    return peer


@contextlib.asynccontextmanager
async def dial(remote: NodeAPI, timeout: float) -> AsyncIterator[BlockIOPeer]:
    """
    Connect to ``remote``, and stay until the context ends.

    :param timeout: seconds that it may take
    :raise BaseP2PError: it cannot be reached, or refuses
    :raise asyncio.TimeoutError: it does not answer
    """
    context = BasePeerContext(CLIENT, LISTEN_PORT, DEVP2P_V5)
    factory = MirrorFactory(keys.PrivateKey(os.urandom(32)), context)
    peer = await asyncio.wait_for(_shake_hands(factory, remote), timeout)
    async with background_asyncio_service(peer.connection):
        await peer.connection.run_peer(peer)
        yield peer
