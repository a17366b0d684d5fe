"""The commands of ``bio/1``. Each carries one payload of ``rules.messages``."""
from typing import Any, Generic, Tuple, TypeVar

from p2p.abc import CommandAPI, MessageAPI
from p2p.commands import BaseCommand
from p2p.exceptions import MalformedMessage

from blockio_plugin.protocol.codecs import (
    MAX_AVAILABILITY_SIZE,
    MAX_BLOCKS_SIZE,
    MAX_GET_BLOCKS_SIZE,
    AvailabilityCodec,
    BlocksByViewCodec,
    BoundedSnappyCodec,
    GetBlocksByViewCodec,
)
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView

TPayload = TypeVar("TPayload", Availability, GetBlocksByView, BlocksByView)


class Breach(BaseCommand[str]):
    """
    What a frame that breaks the protocol decodes to; the payload says how. It is never sent.

    An exception in its place would end the reading of frames, and one that comes between the
    handshake and the first frame that is handled ends the node: Trinity looks for it only in part
    of that time. A breach waits in line like any command, until it ends its own connection.
    """


class UnassignedCommand(Breach):
    """A frame with an identifier that the protocol reserves and does not use."""

    @classmethod
    def decode(cls, message: MessageAPI, snappy_support: bool) -> Breach:
        """Nothing of the frame is looked at."""
        return Breach("a command that the protocol does not have")


class UnsolicitedAnswer(Breach):
    """An answer on a connection on which no request is open."""

    @classmethod
    def decode(cls, message: MessageAPI, snappy_support: bool) -> Breach:
        """Nothing of the frame is looked at: megabytes that nobody asked for cost no work."""
        return Breach("an answer to a request that was never made")


class BlockIOCommand(BaseCommand[TPayload], Generic[TPayload]):
    """A command of the protocol."""

    payload: TPayload

    def __repr__(self) -> str:
        # Every subscriber to a peer formats every command, even where nothing is logged, so
        # megabytes of blocks must not be part of it.
        first_fields: Tuple[object, ...] = self.payload[:2]
        return f"{type(self).__name__}{first_fields}"

    @classmethod
    def decode(cls, message: MessageAPI, snappy_support: bool) -> CommandAPI[Any]:
        """The command that a frame holds, or a breach where it does not decode."""
        try:
            command: CommandAPI[Any] = super().decode(message, snappy_support)
        except MalformedMessage as err:
            return Breach(str(err))
        return command


class AvailabilityCommand(BlockIOCommand[Availability]):
    """An advert: what its sender can answer for."""

    protocol_command_id = 0
    serialization_codec = AvailabilityCodec()
    compression_codec = BoundedSnappyCodec(MAX_AVAILABILITY_SIZE)


class GetBlocksByViewCommand(BlockIOCommand[GetBlocksByView]):
    """A request for blocks in a range of views."""

    protocol_command_id = 1
    serialization_codec = GetBlocksByViewCodec()
    compression_codec = BoundedSnappyCodec(MAX_GET_BLOCKS_SIZE)


class BlocksByViewCommand(BlockIOCommand[BlocksByView]):
    """The one answer to a request."""

    protocol_command_id = 2
    serialization_codec = BlocksByViewCodec()
    compression_codec = BoundedSnappyCodec(MAX_BLOCKS_SIZE)
