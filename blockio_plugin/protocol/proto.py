"""The sub-protocol ``bio/1``."""
from typing import Any, Type

from p2p.abc import CommandAPI
from p2p.protocol import BaseProtocol

from blockio_plugin.protocol.commands import (
    AvailabilityCommand,
    BlocksByViewCommand,
    GetBlocksByViewCommand,
    UnassignedCommand,
    UnsolicitedAnswer,
)


class BlockIOProtocol(BaseProtocol):
    """Blocks asked for and answered by view range, on one connection."""

    name = "bio"
    version = 1
    commands = (AvailabilityCommand, GetBlocksByViewCommand, BlocksByViewCommand)
    command_length = 8

    answers_due = 0
    """
    How many frames with an answer may still come. The API adds one for each request. It is known
    here, before a frame is decoded, so that only what we asked for takes memory.
    """

    def get_command_type_for_command_id(self, command_id: int) -> Type[CommandAPI[Any]]:
        """
        What to decode a frame as that just arrived. Asked once for each frame.

        An identifier that is not assigned is a breach; as it is, it would be a ``KeyError`` that
        ends the node.
        """
        command_type: Type[CommandAPI[Any]] = self.command_type_by_id.get(
            command_id, UnassignedCommand
        )
        if command_type is BlocksByViewCommand:
            if self.answers_due == 0:
                return UnsolicitedAnswer
            self.answers_due -= 1
        return command_type
