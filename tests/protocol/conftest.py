"""
Real connections in memory, between peers of any kind.

They run in virtual time, where a sleep takes none, but for the modules that put the real loop back.
"""
import asyncio
import contextlib
from typing import Any, AsyncContextManager, AsyncIterator, Callable, List, NamedTuple, Type

import async_solipsism
from p2p.constants import RLPX_HEADER_DATA
from p2p.message import Message
from p2p.peer import BasePeer
from p2p.tools.factories import PeerPairFactory
import pytest
from trinity.protocol.eth.peer import ETHPeerFactory
from trinity.tools.factories import ChainContextFactory

from blockio_plugin.protocol.peer import BlockIOPeer, BlockIOPeerFactory
from blockio_plugin.protocol.proto import BlockIOProtocol


class VirtualTimePolicy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return async_solipsism.EventLoop()


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTimePolicy()


@pytest.fixture(scope="session")
def chain_context() -> Any:
    """One chain for all, so that every pair agrees on genesis."""
    return ChainContextFactory()


Connect = Callable[..., AsyncContextManager["Pair"]]


class Pair(NamedTuple):
    """Two connected peers: ``alice`` is what Alice sees, so it sends to Bob."""

    alice: BlockIOPeer
    bob: BlockIOPeer


@pytest.fixture
def connect(chain_context: Any) -> Connect:
    @contextlib.asynccontextmanager
    async def connect(
        alice: Type[ETHPeerFactory] = BlockIOPeerFactory,
        bob: Type[ETHPeerFactory] = BlockIOPeerFactory,
        **kwargs: Any,
    ) -> AsyncIterator[Pair]:
        async with PeerPairFactory(
            alice_peer_context=chain_context,
            alice_peer_factory_class=alice,
            bob_peer_context=chain_context,
            bob_peer_factory_class=bob,
            **kwargs,
        ) as peers:
            yield Pair(*peers)

    return connect


class Inbox:
    """What a peer is told, in order."""

    def __init__(self, peer: BlockIOPeer) -> None:
        self.payloads: List[Any] = []
        self._arrived = asyncio.Event()
        peer.blockio_api.attach(self._take)

    def _take(self, payload: Any) -> None:
        self.payloads.append(payload)
        self._arrived.set()

    async def next(self, count: int = 1) -> List[Any]:
        """Wait for ``count`` payloads, take them out and return them."""
        while len(self.payloads) < count:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 5)
        taken, self.payloads = self.payloads[:count], self.payloads[count:]
        return taken


@pytest.fixture
def make_inbox() -> Type[Inbox]:
    return Inbox


@pytest.fixture
def send_frame() -> Callable[[BlockIOPeer, int, bytes], None]:
    def send_frame(peer: BlockIOPeer, command_id: int, body: bytes) -> None:
        """Send a frame of the sub-protocol with any id and any bytes."""
        protocol = peer.connection.get_protocol_by_type(BlockIOProtocol)
        frame = bytes([protocol.command_id_offset + command_id]) + body
        header = len(frame).to_bytes(3, "big") + RLPX_HEADER_DATA
        protocol.transport.send(Message(header, frame))

    return send_frame


@pytest.fixture
def ended() -> Callable[[BasePeer], Any]:
    async def ended(peer: BasePeer) -> None:
        """Wait until the connection has ended. Parts of p2p notice that after 5 seconds only."""
        await asyncio.wait_for(peer.connection.get_manager().wait_finished(), 10)

    return ended
