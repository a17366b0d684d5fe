"""The vectors under ``fixtures/wire``, which were derived by hand from the wire protocol."""
import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Type

from p2p.exceptions import MalformedMessage
import pytest

from blockio_plugin.protocol.commands import (
    AvailabilityCommand,
    BlockIOCommand,
    BlocksByViewCommand,
    GetBlocksByViewCommand,
)
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "wire"

COMMANDS: Dict[str, Type[BlockIOCommand[Any]]] = {
    "Availability": AvailabilityCommand,
    "GetBlocksByView": GetBlocksByViewCommand,
    "BlocksByView": BlocksByViewCommand,
}
FILES = {
    "Availability": "availability.json",
    "GetBlocksByView": "get_blocks_by_view.json",
    "BlocksByView": "blocks_by_view.json",
}


class Vector(NamedTuple):
    command: str
    fields: Dict[str, Any]

    def __str__(self) -> str:
        return f"{self.command}: {self.fields['name']}"


def read(name: str) -> List[Dict[str, Any]]:
    vectors: List[Dict[str, Any]] = json.loads((FIXTURES / name).read_text())
    names = [vector["name"] for vector in vectors]
    assert len(names) == len(set(names)), "names are unique in a file"
    return vectors


PAYLOADS = [Vector(command, fields) for command, name in FILES.items() for fields in read(name)]
SNAPPY = [Vector(fields["command"], fields) for fields in read("snappy.json")]


def payload_of(command: str, fields: Dict[str, Any]) -> Any:
    if command == "Availability":
        ranges = tuple(ViewRange(int(start), int(stop)) for start, stop in fields["ranges"])
        return Availability(fields["scheme"], int(fields["head_view"]), ranges)
    if command == "GetBlocksByView":
        return GetBlocksByView(**{name: int(value) for name, value in fields.items()})
    blocks = tuple(bytes.fromhex(block) for block in fields.pop("blocks"))
    integers = {name: int(value) for name, value in fields.items()}
    return BlocksByView(**integers, blocks=blocks)


@pytest.mark.parametrize("vector", PAYLOADS, ids=str)
def test_payload(vector: Vector) -> None:
    codec = COMMANDS[vector.command].serialization_codec
    encoded = bytes.fromhex(vector.fields["rlp"])
    if "payload" in vector.fields:
        payload = payload_of(vector.command, dict(vector.fields["payload"]))
        assert codec.decode(encoded) == payload
        assert codec.encode(payload) == encoded
    else:
        with pytest.raises(MalformedMessage):
            codec.decode(encoded)


@pytest.mark.parametrize("vector", SNAPPY, ids=str)
def test_compression(vector: Vector) -> None:
    codec = COMMANDS[vector.command].compression_codec
    compressed = bytes.fromhex(vector.fields["snappy"])
    if "rlp" in vector.fields:
        assert codec.decompress(compressed) == bytes.fromhex(vector.fields["rlp"])
    else:
        with pytest.raises(MalformedMessage):
            codec.decompress(compressed)


def test_each_command_has_vectors_of_both_kinds() -> None:
    for command in COMMANDS:
        kinds = {"payload" in vector.fields for vector in PAYLOADS if vector.command == command}
        assert kinds == {True, False}
