"""Frames that end a stock node, or keep it busy for minutes: each ends its connection alone."""
import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, Type

from eth.db.atomic import AtomicDB
from p2p.abc import ProtocolAPI
from p2p.p2p_proto import P2PProtocolV5
import pytest
import rlp
import snappy
from trinity.protocol.eth.proto import ETHProtocolV65

from blockio_plugin.protocol.proto import BlockIOProtocol
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.tools.chain_builder import build_chain
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.process_stats import find_process, read_memory
from blockio_plugin.tools.scripted_peer import ScriptedPeer, send_first_frame

pytestmark = pytest.mark.integration

DROP_TIMEOUT = 20.0
"""Seconds for a peer to be dropped, most. It takes milliseconds; others work on this machine."""

ANSWER_TIMEOUT = 20.0
"""Seconds for an honest peer to get its answer, most."""

MEMORY_LIMIT = 100 * 1024 * 1024
"""Bytes that the networking process grows by, most: a few frames of 16 MiB."""

Send = Callable[[ScriptedPeer], None]


def frame(data: bytes) -> Send:
    return lambda peer: peer.send_frame(data)


def command(protocol: Type[ProtocolAPI], command_id: int, body: bytes) -> Send:
    return lambda peer: peer.send_to(protocol, command_id, body)


def nest(depth: int) -> bytes:
    encoded = b"\xc0"
    while depth > 1:
        size = len(encoded)
        if size < 56:
            encoded = bytes([0xC0 + size]) + encoded
        else:
            length = size.to_bytes((size.bit_length() + 7) // 8, "big")
            encoded = bytes([0xF7 + len(length)]) + length + encoded
        depth -= 1
    return encoded


NESTED = nest(20_000)

MANY_ITEMS = b"\xfa\x0f\x42\x40" + b"\x80" * 10 ** 6

BOMB = snappy.compress(bytes(300 * 1024 * 1024))

HOSTILE: Dict[str, Send] = {
    "frame id 0x81": frame(b"\x81\x80"),
    "frame id 0x00": frame(b"\x00"),
    "empty frame": frame(b""),
    "unknown command id": frame(b"\x7f" + snappy.compress(b"\xc0")),
    "p2p id 15": command(P2PProtocolV5, 15, snappy.compress(b"\xc0")),
    "eth id 11": command(ETHProtocolV65, 11, snappy.compress(b"\xc0")),
    "disconnect for reason 99": command(P2PProtocolV5, 1, snappy.compress(b"\xc1\x63")),
    "disconnect for a list": command(P2PProtocolV5, 1, snappy.compress(b"\xc2\xc1\x01")),
    "nesting in a disconnect": command(P2PProtocolV5, 1, snappy.compress(NESTED)),
    "a list for an integer": command(
        ETHProtocolV65, 3, snappy.compress(rlp.encode([[b"\x01"], [b"\x01"], [], []]))
    ),
    **{
        f"nesting in eth {command_id}": command(
            ETHProtocolV65, command_id, snappy.compress(NESTED)
        )
        for command_id in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    },
    **{
        f"no snappy in {protocol.name} {command_id}": command(protocol, command_id, b"\xff" * 40)
        for protocol, ids in (
            (P2PProtocolV5, (1, 2, 3)),
            (ETHProtocolV65, range(10)),
            (BlockIOProtocol, range(3)),
        )
        for command_id in ids
    },
    "a million items": command(ETHProtocolV65, 1, snappy.compress(MANY_ITEMS)),
    "a snappy bomb": command(ETHProtocolV65, 2, BOMB),
}


async def ask(peer: ScriptedPeer, request_id: int) -> None:
    """Get blocks, as an honest peer does."""
    peer.api.send_request(GetBlocksByView(request_id, 0, 2 ** 32, 4))
    while True:
        payload = await asyncio.wait_for(peer.inbox.get(), ANSWER_TIMEOUT)
        if isinstance(payload, BlocksByView):
            return


async def send_noise(port: int, noise: bytes) -> None:
    """Connect, send something else than a handshake, and wait until the node hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(noise)
    writer.write_eof()
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), DROP_TIMEOUT)
    writer.close()


@pytest.mark.timeout(600)
async def test_a_frame_ends_its_connection_alone(mined: Any, directory: Path) -> None:
    db = AtomicDB()
    chain = build_chain(mined.recipe, db, 0)
    async with NodeProcess.run(mined.configure(directory / "a", True)) as node:

        def connect() -> Any:
            return ScriptedPeer.connect(node.enode(), chain, db, mined.recipe.network_id)

        networking = find_process(node, "networking")
        async with connect() as honest:
            await ask(honest, 1)
            before = read_memory([networking])
            for request_id, (name, send) in enumerate(HOSTILE.items(), 2):
                async with connect() as peer:
                    await asyncio.wait_for(peer.inbox.get(), ANSWER_TIMEOUT)
                    send(peer)
                    try:
                        await asyncio.wait_for(peer.wait_dropped(), DROP_TIMEOUT)
                    except asyncio.TimeoutError:
                        pytest.fail(f"not dropped for {name}")
                await ask(honest, request_id)
                assert not find_failures(node.log()), f"{name}:\n{node.log_tail(150)}"
            for first in (NESTED, b"\xff" * 40, b"", MANY_ITEMS):
                for command_id in (b"\x80", b"\x01"):
                    hanging_up = send_first_frame(node.enode(), command_id + first)
                    await asyncio.wait_for(hanging_up, DROP_TIMEOUT)
                    await ask(honest, 10 ** 6 + len(first))
            for noise in (b"", b"\xff" * 400, os.urandom(4000)):
                await send_noise(node.port, noise)
            assert read_memory([networking]) - before < MEMORY_LIMIT
        assert find_process(node, "networking") == networking
        assert not find_failures(node.log()), node.log_tail(150)
