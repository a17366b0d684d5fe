"""
Keeps what one peer sends from ending more than its own connection.

Trinity ends a connection for a ``MalformedMessage`` or when it is lost. Anything else that is
raised on the way from the wire to a handler ends the peer pool, and the node with it; and some
bodies end the process in the decoder, or keep it busy for minutes. So each step is guarded here:
reading frames, decoding bodies, handling messages. ``node/private.py`` puts the guards in place.
"""
import asyncio
from typing import Any, AsyncIterator, NamedTuple, Tuple, Type, TypeVar

from async_service import Service, background_asyncio_service
from p2p.abc import CommandAPI, ConnectionAPI, MessageAPI
from p2p.commands import BaseCommand, SnappyCodec
from p2p.exceptions import MalformedMessage, PeerConnectionLost
from p2p.p2p_proto import BaseP2PProtocol
from trinity._utils.logging import get_logger
from trio import MultiError

from blockio_plugin.protocol.codecs import BoundedRLPCodec, BoundedSnappyCodec
from blockio_plugin.rules.rlp_items import check_shape

MAX_DEPTH = 16
"""Lists in each other in a body, most. The deepest of ``eth/65``, blocks' transactions, takes 5."""


class Bounds(NamedTuple):
    """What the body of a command may be, most."""

    size: int
    """Bytes, decompressed."""

    items: int
    """RLP items in all."""

    list_items: int
    """RLP items in one list. Trinity's decoder takes time with the square of it."""


BASE_BOUNDS = Bounds(size=2 * 1024, items=512, list_items=256)
"""For ``p2p``: the size is go-ethereum's bound (``baseProtocolMaxMsgSize``)."""

OTHER_BOUNDS = Bounds(size=10 * 1024 * 1024, items=300_000, list_items=16_384)
"""For ``eth`` and ``les``: the size is go-ethereum's bound (``protocolMaxMsgSize``). The items are
more than it sends: answers of 2 MiB in which a transaction of ten items takes 100 bytes."""

logger = get_logger("blockio_plugin.protocol.armour")

TCommand = TypeVar("TCommand", bound=BaseCommand[Any])

Received = Tuple[Any, CommandAPI[Any]]
"""A protocol, and a command of it that has come."""


async def guard_stream(stream: AsyncIterator[Received]) -> AsyncIterator[Received]:
    """
    What comes from ``stream``, the commands that reach us on one connection.

    :raise MalformedMessage: whatever else was wrong with a frame, its command id or its body
    :raise asyncio.TimeoutError: nothing came for a long time
    """
    try:
        async for received in stream:
            yield received
    except (MalformedMessage, PeerConnectionLost, asyncio.TimeoutError):
        raise
    except Exception as err:
        raise MalformedMessage(f"cannot be read: {err!r}") from err


def decode(command_type: Type[TCommand], message: MessageAPI, snappy_support: bool) -> TCommand:
    """
    Decode a message as Trinity does, once its size and its shape are known to be harmless.

    :raise MalformedMessage: a bound is broken, or the body is not what the command has
    """
    bounds = find_bounds(command_type)
    compression, codec = command_type.compression_codec, command_type.serialization_codec
    body = message.encoded_payload
    try:
        if snappy_support:
            if isinstance(compression, SnappyCodec):
                compression = BoundedSnappyCodec(bounds.size)
            body = compression.decompress(body)
        # Our own look at each item by themselves.
        if not isinstance(codec, BoundedRLPCodec):
            if len(body) > bounds.size:
                raise MalformedMessage(f"a body of more than {bounds.size} bytes")
            check_shape(body, MAX_DEPTH, bounds.items, bounds.list_items)
        command: TCommand = command_type(codec.decode(body))
        return command
    except MalformedMessage:
        raise
    except Exception as err:
        raise MalformedMessage(f"not a body of {command_type.__name__}: {err!r}") from err


def find_bounds(command_type: Type[BaseCommand[Any]]) -> Bounds:
    """The bounds of a command's body."""
    return BASE_BOUNDS if command_type in BaseP2PProtocol.commands else OTHER_BOUNDS


class LoneConnection(Service):
    """
    Runs a connection of the peer pool so that its failure, while it handles what came, is its own.
    """

    def __init__(self, connection: ConnectionAPI) -> None:
        self._connection = connection
        self.started = asyncio.Event()

    async def run(self) -> None:
        try:
            async with background_asyncio_service(self._connection) as manager:
                self.started.set()
                await manager.wait_finished()
        # Several errors at once are one of trio's, which is no Exception.
        except (Exception, MultiError) as err:
            logger.debug("The connection to %s has failed: %r", self._connection.remote, err)
