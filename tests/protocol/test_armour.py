import asyncio
from typing import Any, AsyncIterator, List, NamedTuple, Type

from async_service import Service, background_asyncio_service
from hypothesis import given, settings
from hypothesis import strategies as st
from p2p.commands import BaseCommand
from p2p.disconnect import DisconnectReason
from p2p.exceptions import MalformedMessage, PeerConnectionLost, UnknownProtocolCommand
from p2p.p2p_proto import BaseP2PProtocol, Disconnect, Hello, HelloPayload
import pytest
import rlp
import snappy
from trinity.protocol.eth.commands import GetBlockHeadersV65, NewBlockHashes
from trinity.protocol.eth.proto import ETHProtocolV65

from blockio_plugin.protocol import armour
from blockio_plugin.protocol.armour import (
    MAX_DEPTH,
    OTHER_BOUNDS,
    LoneConnection,
    decode,
    guard_stream,
)
from blockio_plugin.protocol.commands import GetBlocksByViewCommand
from blockio_plugin.rules.messages import GetBlocksByView

COMMANDS = (*BaseP2PProtocol.commands, *ETHProtocolV65.commands, GetBlocksByViewCommand)


class Frame(NamedTuple):
    """A message as it comes."""

    encoded_payload: bytes


def encode_nested(depth: int) -> bytes:
    """That many lists in each other; the library's encoder would not survive it."""
    heads: List[bytes] = []
    size = 0
    for _ in range(depth):
        if size < 56:
            head = bytes([0xC0 + size])
        else:
            length = size.to_bytes((size.bit_length() + 7) // 8, "big")
            head = bytes([0xF7 + len(length)]) + length
        heads.append(head)
        size += len(head)
    return b"".join(reversed(heads))


def compress(command: Type[BaseCommand[Any]], body: bytes) -> Frame:
    return Frame(command.compression_codec.compress(body))


HELLO = Hello(HelloPayload(5, "peer", (("eth", 65), ("bio", 1)), 30303, b"\x01" * 64))

SOUND = [
    HELLO,
    Disconnect(DisconnectReason.TOO_MANY_PEERS),
    NewBlockHashes(()),
    GetBlocksByViewCommand(GetBlocksByView(1, 2, 3, 4)),
]


@pytest.mark.parametrize("snappy_support", [True, False])
@pytest.mark.parametrize("command", SOUND, ids=lambda command: type(command).__name__)
def test_what_is_sound_is_decoded_as_before(
    command: BaseCommand[Any], snappy_support: bool
) -> None:
    message = command.encode(0, snappy_support)
    decoded = decode(type(command), message, snappy_support)
    assert type(decoded) is type(command)
    assert decoded.payload == command.payload


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x80",
        b"\xc1",
        b"\xc3\xc2\xc1\xc0",
        b"\xb8\x01a",
        rlp.encode([[]] * 9),
        rlp.encode([b"\x63"]),
        encode_nested(20_000),
        rlp.encode([b""] * 100_000),
    ],
    ids=lambda body: body[:4].hex() + f"-{len(body)}",
)
def test_a_body_that_is_none_is_malformed(command: Type[BaseCommand[Any]], body: bytes) -> None:
    try:
        decode(command, compress(command, body), True)
    except MalformedMessage:
        pass


@pytest.mark.parametrize("command", COMMANDS)
@given(body=st.binary(max_size=80), snappy_support=st.booleans(), is_compressed=st.booleans())
@settings(max_examples=60)
def test_nothing_else_is_raised(
    command: Type[BaseCommand[Any]], body: bytes, snappy_support: bool, is_compressed: bool
) -> None:
    frame = compress(command, body) if is_compressed else Frame(body)
    try:
        assert isinstance(decode(command, frame, snappy_support), command)
    except MalformedMessage:
        pass


@pytest.mark.parametrize("command", COMMANDS)
def test_what_expands_beyond_the_bound_is_not_expanded(command: Type[BaseCommand[Any]]) -> None:
    bomb = snappy.compress(bytes(64 * 1024 * 1024))
    with pytest.raises(MalformedMessage):
        decode(command, Frame(bomb), True)


@pytest.mark.parametrize(
    "body",
    [
        encode_nested(MAX_DEPTH + 1),
        rlp.encode([b""] * (OTHER_BOUNDS.list_items + 1)),
        rlp.encode([[b""] * 1000] * (OTHER_BOUNDS.items // 1000)),
        bytes(OTHER_BOUNDS.size + 1),
    ],
    ids=["depth", "list", "items", "size"],
)
def test_bounds_hold_before_anything_is_decoded(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("it reached the decoder")

    monkeypatch.setattr(rlp, "decode", fail)
    for snappy_support in (False, True):
        frame = compress(GetBlockHeadersV65, body) if snappy_support else Frame(body)
        with pytest.raises(MalformedMessage, match="more than") as refusal:
            decode(GetBlockHeadersV65, frame, snappy_support)
        assert not isinstance(refusal.value.__cause__, AssertionError)


@pytest.mark.parametrize(
    "error, raised",
    [
        (UnknownProtocolCommand("99"), MalformedMessage),
        (KeyError(15), MalformedMessage),
        (rlp.DecodingError("no", b""), MalformedMessage),
        (RecursionError(), MalformedMessage),
        (MalformedMessage("as it was"), MalformedMessage),
        (PeerConnectionLost(), PeerConnectionLost),
        (asyncio.TimeoutError(), asyncio.TimeoutError),
        (asyncio.CancelledError(), asyncio.CancelledError),
    ],
    ids=repr,
)
async def test_what_a_stream_may_raise(
    error: BaseException, raised: Type[BaseException]
) -> None:
    async def receive() -> AsyncIterator[Any]:
        yield 1
        raise error

    received: List[Any] = []
    with pytest.raises(raised):
        async for each in guard_stream(receive()):
            received.append(each)
    assert received == [1]


class FailingConnection(Service):
    """Fails in some of its tasks once it is told to."""

    remote = "a peer"

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self.go_on = asyncio.Event()

    async def run(self) -> None:
        for _ in range(self._failures):
            self.manager.run_daemon_task(self._fail)
        await self.manager.wait_finished()

    async def _fail(self) -> None:
        await self.go_on.wait()
        raise RuntimeError("too many")


class Pool(Service):
    """Runs connections, as the peer pool does."""

    def __init__(self, *connections: Any) -> None:
        self.lone = [LoneConnection(connection) for connection in connections]

    async def run(self) -> None:
        for lone in self.lone:
            self.manager.run_child_service(lone)
        await self.manager.wait_finished()


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_connection_fails_alone(failures: int) -> None:
    failing, other = FailingConnection(failures), FailingConnection(0)
    pool = Pool(failing, other)
    async with background_asyncio_service(pool) as manager:
        for lone in pool.lone:
            await asyncio.wait_for(lone.started.wait(), 5)
        failing.go_on.set()
        await asyncio.wait_for(pool.lone[0].get_manager().wait_finished(), 5)
        assert other.get_manager().is_running and manager.is_running
    assert other.get_manager().is_finished


def test_every_base_command_has_the_tight_bounds() -> None:
    assert all(
        armour.find_bounds(command) == armour.BASE_BOUNDS for command in BaseP2PProtocol.commands
    )
