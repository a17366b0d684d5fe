from p2p.tools.factories import MemoryTransportPairFactory

from blockio_plugin.protocol.commands import (
    AvailabilityCommand,
    BlocksByViewCommand,
    GetBlocksByViewCommand,
    UnassignedCommand,
    UnsolicitedAnswer,
)
from blockio_plugin.protocol.proto import BlockIOProtocol

OFFSET = 16


def make_protocol() -> BlockIOProtocol:
    transport, _ = MemoryTransportPairFactory()
    return BlockIOProtocol(transport, OFFSET, snappy_support=True)


async def test_capability() -> None:
    assert BlockIOProtocol.as_capability() == ("bio", 1)
    assert BlockIOProtocol.command_length == 8


async def test_every_id_of_the_protocol_has_a_type() -> None:
    protocol = make_protocol()
    protocol.answers_due = 1
    types = [protocol.get_command_type_for_command_id(OFFSET + command) for command in range(8)]
    assert types == [AvailabilityCommand, GetBlocksByViewCommand, BlocksByViewCommand] + [
        UnassignedCommand
    ] * 5


async def test_each_answer_that_is_due_is_decoded_once() -> None:
    protocol = make_protocol()
    answer = OFFSET + BlocksByViewCommand.protocol_command_id
    assert protocol.get_command_type_for_command_id(answer) is UnsolicitedAnswer
    protocol.answers_due += 2
    types = [protocol.get_command_type_for_command_id(answer) for _ in range(3)]
    assert types == [BlocksByViewCommand, BlocksByViewCommand, UnsolicitedAnswer]
