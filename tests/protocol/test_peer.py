import asyncio
import logging
from typing import Any, Callable, Tuple

from async_service import Service, background_asyncio_service
from p2p.abc import HandshakerAPI, MultiplexerAPI
from p2p.connection import Connection
from p2p.constants import RLPX_HEADER_DATA
from p2p.disconnect import DisconnectReason
from p2p.handshake import DevP2PHandshakeParams, negotiate_protocol_handshakes
from p2p.message import Message
from p2p.tools.factories import MemoryTransportPairFactory
import pytest

from blockio_plugin.protocol.handshaker import BlockIOHandshaker
from blockio_plugin.protocol.peer import BlockIOPeer, BlockIOPeerFactory
from blockio_plugin.protocol.proto import BlockIOProtocol
from blockio_plugin.rules.messages import Availability

Connect = Callable[..., Any]


async def test_drop_says_why(
    connect: Connect, ended: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with connect() as (alice, bob):
        with caplog.at_level(logging.INFO):
            bob.drop("two blocks at view 7")
        await ended(alice)
        assert alice.remote_disconnect_reason is DisconnectReason.BAD_PROTOCOL
        assert bob.local_disconnect_reason is DisconnectReason.BAD_PROTOCOL
    lines = [record for record in caplog.records if "two blocks at view 7" in record.getMessage()]
    assert len(lines) == 1 and lines[0].levelno == logging.WARNING


async def test_drop_ends_a_connection_on_which_frames_keep_coming(
    connect: Connect, ended: Callable[..., Any]
) -> None:
    """A cancellation can get lost among them."""
    for _ in range(20):
        async with connect() as (alice, bob):
            for _ in range(50):
                alice.blockio_api.send_availability(Availability("number", 0, ()))
            arriving = asyncio.ensure_future(send_on(alice))
            try:
                bob.drop("enough")
                await ended(bob)
            finally:
                arriving.cancel()


async def send_on(peer: BlockIOPeer) -> None:
    while True:
        peer.blockio_api.send_availability(Availability("number", 0, ()))
        await asyncio.sleep(0.01)


class GarbageHandshaker(BlockIOHandshaker):
    """Sends a frame of garbage, some turns of the loop after the handshake."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    async def do_handshake(self, multiplexer: MultiplexerAPI, protocol: BlockIOProtocol) -> Any:
        self.sending = asyncio.ensure_future(self._send(protocol))
        return await super().do_handshake(multiplexer, protocol)

    async def _send(self, protocol: BlockIOProtocol) -> None:
        for _ in range(self._turns):
            await asyncio.sleep(0)
        body = bytes([protocol.command_id_offset]) + b"\xff" * 20
        header = len(body).to_bytes(3, "big") + RLPX_HEADER_DATA
        protocol.transport.send(Message(header, body))


class Parent(Service):
    """Runs a connection like Trinity's peer pool does, and so ends as that would."""

    def __init__(self, peer: BlockIOPeer) -> None:
        self._peer = peer

    async def run(self) -> None:
        connection = self._peer.connection
        self.manager.run_child_service(connection)
        await connection.get_manager().wait_started()
        await connection.run_peer(self._peer)
        self._peer.start_protocol_streams()
        await connection.get_manager().wait_finished()


@pytest.mark.parametrize("turns", range(0, 60, 2))
async def test_garbage_at_any_moment_of_the_start(chain_context: Any, turns: int) -> None:
    """
    An exception between the handshake and the first frame that is handled would end the node.

    With one, this fails for some numbers of turns: the parent, who stands for the peer pool, hangs
    or ends with an error.
    """
    params = DevP2PHandshakeParams("test", 30303, 5)
    ours, theirs = MemoryTransportPairFactory()
    factory = BlockIOPeerFactory(None, chain_context)
    handshakers: Tuple[HandshakerAPI[Any], ...] = await factory.get_handshakers()
    garbage = GarbageHandshaker(turns)
    (multiplexer, receipt, receipts), (hostile, _, _) = await asyncio.gather(
        negotiate_protocol_handshakes(ours, params, handshakers),
        negotiate_protocol_handshakes(theirs, params, (*handshakers[:-1], garbage)),
    )
    peer = factory.create_peer(Connection(multiplexer, receipt, receipts, is_dial_out=False))
    async with background_asyncio_service(Parent(peer)) as manager:
        await asyncio.wait_for(manager.wait_finished(), 30)
    assert peer.local_disconnect_reason is DisconnectReason.BAD_PROTOCOL
    await hostile.stop_streaming()
    await garbage.sending
