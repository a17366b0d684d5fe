"""The public events: light to import, plain to pickle, and as the page says."""
import dataclasses
import inspect
from pathlib import Path
import pickle
import re
import subprocess
import sys
from typing import Any, Dict, List, Tuple

from lahja import BaseEvent, BaseRequestResponseEvent
import pytest

from blockio_plugin import client, events

API_PAGE = Path(__file__).parent.parent / "docs" / "api.md"

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


def fields_of(kind: Any) -> Tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(getattr(kind, "_fields", ()))


def documented() -> Dict[str, Tuple[str, ...]]:
    """From the page: each heading that names a class or function, and the fields below it."""
    page: Dict[str, Tuple[str, ...]] = {}
    name = ""
    for line in API_PAGE.read_text().splitlines():
        heading = re.match(r"### `(\w+)`", line)
        if heading:
            name = heading.group(1)
            page[name] = ()
        elif line.startswith("## "):
            name = ""
        field = re.match(r"\| `(\w+)` \|", line)
        if field and name:
            page[name] += (field.group(1),)
    return page


def test_the_page_lists_every_event_with_its_fields() -> None:
    expected = {kind.__name__: fields_of(kind) for kind in public_classes(events)}
    expected["fetch_views"] = tuple(inspect.signature(client.fetch_views).parameters)
    expected.update({kind.__name__: () for kind in public_classes(client)})
    assert documented() == expected


def test_the_page_has_the_first_line_of_each_docstring() -> None:
    page = " ".join(API_PAGE.read_text().split())
    for kind in [*public_classes(events), *public_classes(client), client.fetch_views]:
        first = inspect.getdoc(kind).split("\n\n")[0]  # type: ignore[union-attr]
        assert " ".join(re.sub(r":class:`(\w+)`", r"`\1`", first).split()) in page, kind


def test_every_field_is_said_what_it_is() -> None:
    for line in API_PAGE.read_text().splitlines():
        assert not re.match(r"\| `\w+` \| .* \|\s*\|$", line), line
