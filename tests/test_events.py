"""The public events: light to import, plain to pickle, and as the page says."""
import ast
import dataclasses
import inspect
from pathlib import Path
import pickle
import re
import subprocess
import sys
from typing import Any, Dict, List, NamedTuple

from lahja import BaseEvent, BaseRequestResponseEvent
import pytest

from blockio_plugin import client, events
from blockio_plugin.node.facts import MAX_WAITING
from blockio_plugin.node.fetch_requests import PROBE_INTERVAL, SUBSCRIBE_TIME
from blockio_plugin.rules.fetch_group import MAX_FETCHES, SHARE
from blockio_plugin.rules.limits import DEFAULT_MEMORY, LEAST_MEMORY, MIB
from blockio_plugin.rules.outlet import DEFAULT_WINDOW
from blockio_plugin.rules.range_fetch import WAIT_TIME
from blockio_plugin.rules.views_fetch import MAX_FETCH_RANGES, MAX_WINDOW

README = Path(__file__).parent.parent / "README.md"

API_PAGE = Path(__file__).parent.parent / "docs" / "api.md"

AUTHORS_PAGE = API_PAGE.with_name("plugins.md")

MAX_IMPORT_TIME = 0.030
"""Seconds that importing the events may take beyond lahja and p2p."""

IMPORT = """
import sys, time
import lahja, p2p.abc
before = set(sys.modules)
began = time.perf_counter()
import blockio_plugin.events
print(time.perf_counter() - began)
print(*sorted(set(sys.modules) - before))
"""


def public_classes(module: Any) -> List[type]:
    return [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


EVENTS = [kind for kind in public_classes(events) if issubclass(kind, BaseEvent)]


def test_importing_is_light() -> None:
    times, modules = [], ""
    for _ in range(3):
        output = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", IMPORT], check=True, stdout=subprocess.PIPE
        ).stdout.decode()
        seconds, modules = output.splitlines()
        times.append(float(seconds))
    assert min(times) < MAX_IMPORT_TIME
    assert modules.split() == ["blockio_plugin", "blockio_plugin.events"]


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_each_event_survives_the_bus(kind: Any) -> None:
    fields = {field.name: (field.name, 7) for field in dataclasses.fields(kind)}
    event = kind(**fields)
    copy = pickle.loads(pickle.dumps(event))
    assert type(copy) is kind and copy == event
    if issubclass(kind, BaseRequestResponseEvent):
        assert kind.expected_response_type() in EVENTS


class Row(NamedTuple):
    """One field or parameter, as the page has it."""

    name: str
    type: str
    says: str


def documented() -> Dict[str, List[Row]]:
    """From the page: each heading that names a class or function, and the rows below it."""
    page: Dict[str, List[Row]] = {}
    name = ""
    for line in API_PAGE.read_text().splitlines():
        heading = re.match(r"### `(\w+)`", line)
        if heading:
            name = heading.group(1)
            page[name] = []
        elif line.startswith("## "):
            name = ""
        row = re.match(r"\| `(\w+)` \| `(.*?)` \| (.*?) ?\|$", line)
        if row and name:
            page[name].append(Row(*row.groups()))
        else:
            assert not line.startswith("| `"), line
    return page


def as_on_the_page(docstring: str) -> str:
    return " ".join(re.sub(r":class:`(\w+)`", r"`\1`", docstring).split())


def declared(kind: ast.ClassDef, source: str) -> List[Row]:
    """The fields of a class in the code: names, types with their defaults, docstrings."""
    rows: List[Row] = []
    for statement, follower in zip(kind.body, [*kind.body[1:], None]):
        if isinstance(statement, ast.AnnAssign):
            assert isinstance(statement.target, ast.Name)
            text = ast.get_source_segment(source, statement) or ""
            kind_of_field = text.partition(": ")[2]
            docstring = ast.literal_eval(follower.value) if isinstance(follower, ast.Expr) else ""
            rows.append(Row(statement.target.id, kind_of_field, as_on_the_page(docstring)))
    return rows


def test_the_page_lists_every_event_with_its_fields() -> None:
    source = inspect.getsource(events)
    expected = {
        node.name: declared(node, source)
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }
    assert expected.keys() == {kind.__name__ for kind in public_classes(events)}
    page = documented()
    own = {kind.__name__ for kind in public_classes(client)} | {"fetch_views"}
    assert page.keys() == expected.keys() | own
    for name, rows in expected.items():
        # A field whose name says all has no docstring; the page says something all the same.
        assert [row[:2] for row in page[name]] == [row[:2] for row in rows], name
        for shown, row in zip(page[name], rows):
            # A field whose name says all has no docstring; the page says something all the same.
            assert shown.says == (row.says or shown.says)


def test_the_page_lists_the_parameters_of_the_client() -> None:
    parameters = inspect.signature(client.fetch_views).parameters.values()
    source = inspect.getsource(client.fetch_views)
    rows = documented()["fetch_views"]
    assert [row.name for row in rows] == [parameter.name for parameter in parameters]
    for row, parameter in zip(rows, parameters):
        assert f"{row.name}: {row.type}" in source
        if parameter.default is not parameter.empty:
            assert row.says.endswith(f" ({parameter.default:,.0f}).")


@pytest.mark.parametrize(
    "page, text, number",
    [
        (API_PAGE, "At most {:,}, with ``0 <= start", MAX_FETCH_RANGES),
        (API_PAGE, "Blocks, 1 to {:,} (0: ", MAX_WINDOW),
        (API_PAGE, "(0: {:,}), that may be sent", DEFAULT_WINDOW),
        (API_PAGE, "or {:,} fetches under way", MAX_FETCHES),
        (API_PAGE, "block I/O waits {:.0f} seconds for it", SUBSCRIBE_TIME),
        (API_PAGE, "of a fetch was sent for {:.0f} seconds", PROBE_INTERVAL),
        (API_PAGE, "gone is forgotten in some {:.0f} seconds", 2 * PROBE_INTERVAL),
        (README, "other components fetch included: {:.0f} by default", DEFAULT_MEMORY / MIB),
        (README, "by default, {:.0f} at least |", LEAST_MEMORY / MIB),
        (API_PAGE, "no peer could give: {:.0f} seconds passed", WAIT_TIME),
        (API_PAGE, "that falls {:,} facts behind", MAX_WAITING),
        (AUTHORS_PAGE, "where {:.0f} seconds passed without progress", WAIT_TIME),
        (AUTHORS_PAGE, "1/{:.0f} of what peers may owe it is left to fetches", 1 / SHARE),
    ],
)
def test_the_numbers_on_the_pages_are_those_of_the_code(
    page: Path, text: str, number: float
) -> None:
    assert text.format(number) in " ".join(page.read_text().split())


def test_the_page_has_the_first_line_of_each_docstring() -> None:
    page = " ".join(API_PAGE.read_text().split())
    for kind in [*public_classes(events), *public_classes(client), client.fetch_views]:
        first = inspect.getdoc(kind).split("\n\n")[0]  # type: ignore[union-attr]
        assert as_on_the_page(first) in page, kind


def test_every_field_is_said_what_it_is() -> None:
    assert all(row.says for rows in documented().values() for row in rows)
