"""The page on the wire protocol against the codecs, the golden vectors and the constants."""
import json
from pathlib import Path
import re
from typing import Any, Dict, List

from p2p.exceptions import MalformedMessage
import pytest

from blockio_plugin.protocol import api, codecs
from blockio_plugin.protocol.codecs import decode_ranges
from blockio_plugin.protocol.proto import BlockIOProtocol
from blockio_plugin.rules import (
    availability,
    block_rlp,
    lateness,
    limits,
    messages,
    requests,
    schemes,
    scoring,
    views,
)
from blockio_plugin.rules.advert_queue import ADVERT_COST, RANGES_PER_SECOND
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.scoring import (
    BLOCK_WORTH,
    DECLINE_GROWTH,
    FIRST_CREDIT,
    MAX_EMPTY_PAUSE,
    MAX_PAUSE,
    REQUEST_PRICE,
)
from blockio_plugin.services import advertiser
from blockio_plugin.services.advertiser import ADVERT_INTERVAL_BOUNDS, MIN_ADVERT_INTERVAL

PAGE = Path(__file__).parent.parent / "docs" / "protocol.md"

LINES = PAGE.read_text().splitlines()

TEXT = " ".join(PAGE.read_text().split())

VECTORS = PAGE.parent.parent / "fixtures" / "wire"

SOURCES = (
    advertiser,
    api,
    availability,
    block_rlp,
    codecs,
    lateness,
    messages,
    requests,
    schemes,
    scoring,
    views,
)
"""The modules whose constants the page names."""

CONSTANTS: Dict[str, Any] = {
    name: value for module in SOURCES for name, value in vars(module).items() if name.isupper()
}

UNITS = {"": 1, "bytes": 1, "s": 1, "KiB": 1024, "MiB": 1024 * 1024}

COMMANDS: Dict[str, Any] = {
    command.__name__[: -len("Command")]: command for command in BlockIOProtocol.commands
}

LAST_COMMAND_ID = BlockIOProtocol.command_length - 1


def read_rows() -> List[List[str]]:
    """The cells of each row of each table."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in LINES
        if line.startswith("| ")
    ]


def read_examples() -> List[Any]:
    """Each row that begins with bytes, with the command of the section that it is in."""
    examples = []
    command = None
    for line in LINES:
        heading = re.match(r"## `?([^`]*)", line)
        if heading:
            command = heading.group(1)
        row = re.match(r"\| `([0-9a-f]+)` \| (.*) \|$", line)
        if row and command in COMMANDS:
            examples.append((command, row.group(1), row.group(2).split(" | ")[0]))
    return examples


def build_payload(command: str, fields: List[Any]) -> Any:
    """The payload that a row shows in the form of the wire, with blocks in hex."""
    if command == "Availability":
        scheme, head_view, pairs = fields
        ranges = decode_ranges([(gap, length) for gap, length in pairs])
        return Availability(scheme, head_view, ranges)
    if command == "GetBlocksByView":
        return GetBlocksByView(*fields)
    request_id, start_view, length, next_view, blocks = fields
    elements = tuple(map(bytes.fromhex, blocks))
    return BlocksByView(request_id, start_view, length, next_view, elements)


EXAMPLES = read_examples()


@pytest.mark.parametrize("command, encoded, shown", EXAMPLES, ids=[row[1] for row in EXAMPLES])
def test_an_example_is_what_is_spoken(command: str, encoded: str, shown: str) -> None:
    codec = COMMANDS[command].serialization_codec
    if shown.startswith("`["):
        payload = build_payload(command, json.loads(shown.strip("`")))
        assert codec.decode(bytes.fromhex(encoded)) == payload
        assert codec.encode(payload) == bytes.fromhex(encoded)
    else:
        with pytest.raises(MalformedMessage):
            codec.decode(bytes.fromhex(encoded))


def test_examples_are_golden_vectors_and_of_both_kinds() -> None:
    for command, name in (
        ("Availability", "availability"),
        ("GetBlocksByView", "get_blocks_by_view"),
        ("BlocksByView", "blocks_by_view"),
    ):
        vectors = {vector["rlp"] for vector in json.loads((VECTORS / f"{name}.json").read_text())}
        shown = [(rlp, text) for kind, rlp, text in EXAMPLES if kind == command]
        assert {rlp for rlp, _ in shown} <= vectors
        assert {text.startswith("`[") for _, text in shown} == {True, False}


def test_the_bytes_that_are_explained_are_an_example() -> None:
    (block,) = re.findall(r"^```\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    explained = "".join(
        re.match(r"[0-9a-f ]+?(?=  )", line.strip() + "  ").group()  # type: ignore[union-attr]
        for line in block.splitlines()
    ).replace(" ", "")
    assert explained in {encoded for _, encoded, _ in EXAMPLES}


def test_snappy_examples() -> None:
    rows = [row for row in read_rows() if re.match(r"`\w+`$", row[0]) and row[0][1:-1] in COMMANDS]
    assert len(rows) == 5
    for name, compressed, outcome in rows:
        codec = COMMANDS[name.strip("`")].compression_codec
        data = bytes.fromhex(compressed.strip("`"))
        if outcome.startswith("refused"):
            size = int(re.sub(r"\D", "", outcome))
            assert codecs.read_declared_size(data) == size
            with pytest.raises(MalformedMessage, match="declares more than"):
                codec.decompress(data)
        else:
            assert codec.decompress(data).hex() == outcome.strip("`")


def test_each_constant_has_the_value_of_the_page() -> None:
    checked = 0
    for row in read_rows():
        if len(row) > 2 and re.fullmatch(r"`[A-Z_]{4,}`", row[2]):
            number, _, unit = row[1].partition(" ")
            value = 2 ** 63 if number == "2**63" else float(number.replace(",", ""))
            assert CONSTANTS[row[2].strip("`")] == value * UNITS[unit], row
            checked += 1
    assert checked > 20


@pytest.mark.parametrize(
    "template, values",
    [
        (
            "Its capability is `(\"{}\", {})` and its command length {}.",
            (BlockIOProtocol.name, BlockIOProtocol.version, BlockIOProtocol.command_length),
        ),
        ("The identifiers 3 to {} are reserved", (LAST_COMMAND_ID,)),
        ("There must be at most {:,} of them", (messages.MAX_RANGES,)),
        ("what is past {} bytes is not looked at", (schemes.MAX_SCHEME_NAME_LENGTH,)),
        (
            "random intervals of {:.0f} to {:.0f} s",
            tuple(bound + MIN_ADVERT_INTERVAL for bound in ADVERT_INTERVAL_BOUNDS),
        ),
        (
            "may advertise {:.0f} ranges a second in the long run, with {} added for each advert",
            (RANGES_PER_SECOND, ADVERT_COST),
        ),
        ("At most {} of a peer wait here", (api.MAX_UNANSWERED_REQUESTS,)),
        (
            "at most {} unanswered at one peer when it fetches, and {} in all cases",
            (requests.MAX_UNANSWERED, api.MAX_OPEN_REQUESTS),
        ),
        ("There must be at most {} , at most", (messages.MAX_ANSWER_BLOCKS,)),
        (
            "past {} blocks, or past {:.0f} MiB of blocks",
            (messages.MAX_ANSWER_BLOCKS, messages.MAX_ANSWER_BYTES / 2 ** 20),
        ),
        ("is sent alone, up to {:.0f} MiB", (api.MAX_SENT_BLOCK_BYTES / 2 ** 20,)),
        (
            "leave free of {:.0f} MiB (this node's default)",
            (limits.MemoryBudget.divide().serving / limits.MIB,),
        ),
        (
            "at most {:,} transactions and {} uncles",
            (block_rlp.MAX_TRANSACTIONS, block_rlp.MAX_UNCLES),
        ),
        ("until it supplies a block, at most {:.0f} s", (MAX_PAUSE,)),
        ("times {} for each further one, at most {:.0f} s", (DECLINE_GROWTH, MAX_EMPTY_PAUSE)),
        (
            "that never gave a block | 0.25 s | `PAUSE` | doubled each time, at most {:.0f} s",
            (REQUEST_PRICE,),
        ),
        ("`DISPROOF_PAUSE` | doubled each time, at most {:.0f} s", (MAX_EMPTY_PAUSE,)),
        ("never measured is late after {:.0f} s", (lateness.UNKNOWN_LATE_TIME,)),
        ("after {:.0f} s more than that at least", (lateness.LATE_TIME,)),
        ("waited for longer, up to {:.0f} s", (lateness.MAX_LATE_TIME,)),
        ("The {} newest requests of a peer that were given up", (requests.MAX_LOST,)),
    ],
)
def test_the_numbers_in_the_text_are_those_of_the_code(template: str, values: Any) -> None:
    assert template.format(*values).replace(" ,", ",") in TEXT


def test_what_a_request_costs_and_earns() -> None:
    assert "each block supplied pays for four requests; twelve are free" in TEXT
    assert (BLOCK_WORTH / REQUEST_PRICE, FIRST_CREDIT / REQUEST_PRICE) == (4, 12)


def test_each_command_and_field_is_there() -> None:
    fields = {
        "Availability": "[scheme, head_view, [[gap, length], ...]]",
        "GetBlocksByView": f"[{', '.join(GetBlocksByView._fields)}]",
        "BlocksByView": f"[{', '.join(BlocksByView._fields[:-1])}, [block, ...]]",
    }
    for name, command in COMMANDS.items():
        assert [str(command.protocol_command_id), f"`{name}`", f"`{fields[name]}`"] in read_rows()
