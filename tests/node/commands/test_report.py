"""The JSON is what the documentation says that it is."""
import ast
from dataclasses import fields
import inspect
import json
from pathlib import Path
import re
from typing import Any, Callable, Dict, List, Tuple

from blockio_plugin.node.commands import report
from blockio_plugin.node.commands.report import PeerReport, StatusReport, make_report

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "commands.md"

KEYS = """
role scheme head_view head_number head_hash target_view target_number syncing reason percent
eta_seconds blocks_per_second bytes_per_second wanted_views in_flight_blocks cached_blocks
cached_bytes memory_budget imported_blocks served_blocks served_bytes peers
""".split()

PEER_KEYS = """
node_id address client scheme head_view covered_views score round_trip open_requests blocks late
faults state
""".split()


def test_the_keys_are_those_that_were_promised(make_status: Callable[..., Any]) -> None:
    said = json.loads(json.dumps(make_report(make_status()).to_json()))
    assert list(said) == KEYS
    assert [list(peer) for peer in said["peers"]] == [PEER_KEYS] * 3


def test_values_are_those_of_the_status(make_status: Callable[..., Any]) -> None:
    said = make_report(make_status()).to_json()
    assert said["role"] == "drives"
    assert said["head_hash"] == "0x08b44ea0" + "00" * 28
    assert (said["in_flight_blocks"], said["cached_bytes"]) == (64, 4_200_000)
    best, paused, new = said["peers"]
    assert best["score"] < paused["score"] and new["score"] is None
    assert len(bytes.fromhex(best["node_id"])) == 64
    assert re.fullmatch(r"[\d.]+:\d+", best["address"])
    assert paused["state"] == "paused: declines, asked again in 2.0 s"
    assert make_report(make_status(drives=False)).role == "assists"


def documented() -> Dict[str, List[Tuple[str, str]]]:
    rows: Dict[str, List[Tuple[str, str]]] = {}
    name = ""
    for line in PAGE.read_text().splitlines():
        heading = re.match(r"### (\w+)", line)
        name = heading.group(1) if heading else name
        row = re.match(r"\| `(\w+)` \| (.*) \|$", line)
        if row and name in ("StatusReport", "PeerReport"):
            rows.setdefault(name, []).append((row.group(1), row.group(2)))
    return rows


def declared(kind: str) -> List[Tuple[str, str]]:
    tree = ast.parse(inspect.getsource(report))
    (body,) = [
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == kind
    ]
    return [
        (statement.target.id, " ".join(ast.literal_eval(doc.value).replace("``", "`").split()))
        for statement, doc in zip(body, body[1:])
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(doc, ast.Expr)
    ]


def test_the_page_has_each_key_as_the_code_describes_it() -> None:
    assert documented() == {kind: declared(kind) for kind in ("StatusReport", "PeerReport")}
    assert [name for name, _ in declared("StatusReport")] == [
        field.name for field in fields(StatusReport)
    ]
    assert len(declared("PeerReport")) == len(fields(PeerReport))
