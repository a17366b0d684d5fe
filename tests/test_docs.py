"""What the documentation shows runs, and mypy checks those who build on us against our types."""
import os
from pathlib import Path
import re
import subprocess
import sys
from textwrap import indent

import pytest

from blockio_plugin.tools.docs_page import read_arguments, read_block, read_blocks

ROOT = Path(__file__).parent.parent

EXAMPLES = sorted((ROOT / "fixtures" / "plugins").glob("*/*.py"))

PAGE = ROOT / "docs" / "plugins.md"

MYPY_CONFIG = """
[mypy]
strict = True
implicit_reexport = True
disallow_subclassing_any = False
[mypy-trinity.*,p2p.*,rlp.*]
ignore_missing_imports = True
follow_imports = skip
"""


def run_mypy(directory: Path, *files: Path) -> "subprocess.CompletedProcess[str]":
    config = directory / "mypy.ini"
    config.write_text(MYPY_CONFIG)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(config)]
        + ["--cache-dir", str(directory / "cache"), *map(str, files)],
        cwd=directory,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )


SNIPPET = """
from lahja import EndpointAPI

async def watch(event_bus: EndpointAPI) -> None:
{snippet}
"""
"""The event bus is what a snippet does not bring itself."""


def test_mypy_passes_the_examples_and_the_page(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    files = list(EXAMPLES)
    for number, code in enumerate(read_blocks(PAGE, "python")):
        if "event_bus" in code and "class " not in code:
            code = SNIPPET.format(snippet=indent(code, " " * 4))
        files.append(tmp_path / f"shown_{number}.py")
        files[-1].write_text(code)
    assert len(files) == len(EXAMPLES) + 5
    outcome = run_mypy(tmp_path, *files)
    assert outcome.returncode == 0, outcome.stdout


def test_mypy_finds_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    consumer = tmp_path / "consumer.py"
    consumer.write_text(
        "from lahja import EndpointAPI\n"
        "from blockio_plugin.client import fetch_views\n"
        "from blockio_plugin.events import FetchViewsRequest\n"
        "async def fetch(bus: EndpointAPI) -> None:\n"
        "    FetchViewsRequest('0-5')\n"
        "    async with fetch_views(bus, ((0, 5),)) as blocks:\n"
        "        async for block in blocks:\n"
        "            block.number\n"
    )
    outcome = run_mypy(tmp_path, consumer)
    assert "consumer.py:5: error: Argument 1" in outcome.stdout
    assert 'consumer.py:8: error: "FetchedBlock" has no attribute "number"' in outcome.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_use_the_public_interface_only(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) < 120
    used = set(re.findall(r"(?:from|import) (blockio_plugin[\w.]*)", text))
    assert used <= {"blockio_plugin.events", "blockio_plugin.client"}


def test_what_is_shown_of_the_examples_is_theirs() -> None:
    examples = "".join(
        path.read_text()
        for folder in (ROOT / "fixtures" / "plugins").iterdir()
        for path in (*folder.glob("*.py"), folder / "setup.cfg")
    )
    assert read_block(PAGE, "ini", "blockio_plugin.view_schemes") in examples
    (build,) = read_blocks(PAGE, "toml")
    for path in EXAMPLES:
        assert (path.parent / "pyproject.toml").read_text() == build
    flags = re.findall(r"--(?:report|archive)[\w-]+", PAGE.read_text())
    assert flags
    for flag in flags:
        assert f'"{flag}"' in examples
    installed = {ROOT / folder for folder in read_arguments(PAGE, "pip install")[1:]}
    assert installed == {path.parent for path in EXAMPLES}
