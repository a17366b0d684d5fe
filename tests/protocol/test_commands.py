from typing import Any, Tuple

from hypothesis import given, settings
from hypothesis import strategies as st
from p2p.message import Message
import pytest
import snappy

from blockio_plugin.protocol.commands import (
    AvailabilityCommand,
    BlockIOCommand,
    BlocksByViewCommand,
    Breach,
    GetBlocksByViewCommand,
    UnassignedCommand,
    UnsolicitedAnswer,
)
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange

COMMANDS: Tuple[BlockIOCommand[Any], ...] = (
    AvailabilityCommand(Availability("number", 7, (ViewRange(0, 8),))),
    GetBlocksByViewCommand(GetBlocksByView(1, 2, 3, 4)),
    BlocksByViewCommand(BlocksByView(1, 2, 3, 0, (b"a" * 100, b"b"))),
)
OFFSET = 16


@pytest.mark.parametrize("snappy_support", [True, False])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_round_trip(command: BlockIOCommand[Any], snappy_support: bool) -> None:
    message = command.encode(OFFSET + command.protocol_command_id, snappy_support)
    decoded = type(command).decode(message, snappy_support)
    assert type(decoded) is type(command)
    assert decoded.payload == command.payload


def test_ids_are_those_of_the_wire_protocol() -> None:
    assert [command.protocol_command_id for command in COMMANDS] == [0, 1, 2]


@pytest.mark.parametrize("snappy_support", [True, False])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
@given(body=st.binary(max_size=300))
@settings(max_examples=100)
def test_any_body_is_a_payload_or_a_breach(
    command: BlockIOCommand[Any], snappy_support: bool, body: bytes
) -> None:
    decoded = type(command).decode(Message(b"", b"\x10" + body), snappy_support)
    assert type(decoded) in (type(command), Breach)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_bound_holds_with_and_without_snappy(command: BlockIOCommand[Any]) -> None:
    size = command.serialization_codec.max_size + 1
    for body, snappy_support in ((bytes(size), False), (snappy.compress(bytes(size)), True)):
        decoded = type(command).decode(Message(b"", b"\x10" + body), snappy_support)
        assert isinstance(decoded, Breach)
        assert f"more than {size - 1} bytes" in decoded.payload


@pytest.mark.parametrize("command_type", [UnassignedCommand, UnsolicitedAnswer])
def test_some_frames_are_a_breach_whatever_they_hold(command_type: Any) -> None:
    message = COMMANDS[2].encode(OFFSET + 2, True)
    assert type(command_type.decode(message, True)) is Breach


def test_repr_holds_no_blocks() -> None:
    command = BlocksByViewCommand(BlocksByView(1, 2, 3, 0, (bytes(2 ** 20),)))
    assert repr(command) == "BlocksByViewCommand(1, 2)"
