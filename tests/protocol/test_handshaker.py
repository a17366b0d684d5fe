"""What is negotiated between peers of both kinds."""
import asyncio
from typing import Any, Callable

import pytest
from trinity.protocol.eth.peer import ETHPeer, ETHPeerFactory
from trinity.protocol.eth.proto import ETHProtocolV65
from trinity.protocol.wit.proto import WitnessProtocol

from blockio_plugin.protocol.handshaker import BlockIOHandshakeReceipt
from blockio_plugin.protocol.peer import BlockIOPeer, BlockIOPeerFactory
from blockio_plugin.protocol.proto import BlockIOProtocol

Connect = Callable[..., Any]


async def test_two_plugin_peers(connect: Connect) -> None:
    async with connect() as (alice, bob):
        for peer in (alice, bob):
            assert isinstance(peer, BlockIOPeer) and peer.speaks_blockio
            protocols = [type(protocol) for protocol in peer.connection.get_protocols()][1:]
            # Capabilities are in the order of their names, and so are the ids of commands.
            assert protocols == [BlockIOProtocol, ETHProtocolV65, WitnessProtocol]
            offsets = [
                protocol.command_id_offset for protocol in peer.connection.get_protocols()[1:]
            ]
            assert offsets[:2] == [16, 16 + BlockIOProtocol.command_length]
            assert peer.connection.get_receipt_by_type(BlockIOHandshakeReceipt)
            assert peer.sub_proto.version == 65


@pytest.mark.parametrize("plugin_dials", [True, False])
async def test_plugin_peer_and_vanilla_peer(connect: Connect, plugin_dials: bool) -> None:
    factories = (BlockIOPeerFactory, ETHPeerFactory)
    async with connect(*(factories if plugin_dials else reversed(factories))) as pair:
        plugin, vanilla = pair if plugin_dials else reversed(pair)
        assert type(vanilla) is ETHPeer
        assert not plugin.speaks_blockio
        for peer in (plugin, vanilla):
            protocols = [type(protocol) for protocol in peer.connection.get_protocols()][1:]
            assert protocols == [ETHProtocolV65, WitnessProtocol]
        # The connection works: a request of Trinity's own arrives.
        headers = asyncio.ensure_future(plugin.eth_api.get_block_headers(0, 1, timeout=5))
        arrived = asyncio.Event()

        async def arrive(connection: Any, command: Any) -> None:
            arrived.set()

        vanilla.connection.add_msg_handler(arrive)
        await asyncio.wait_for(arrived.wait(), 5)
        headers.cancel()
        assert not plugin.connection.has_logic(BlockIOProtocol.name)
