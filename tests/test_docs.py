"""What the documentation shows runs, and mypy checks those who build on us against our types."""
import os
from pathlib import Path
import re
import subprocess
import sys
from typing import List

import pytest

ROOT = Path(__file__).parent.parent

EXAMPLES = sorted((ROOT / "fixtures" / "plugins").glob("*/*.py"))

PAGE = (ROOT / "docs" / "plugins.md").read_text()

MYPY_CONFIG = """
[mypy]
strict = True
implicit_reexport = True
disallow_subclassing_any = False
[mypy-trinity.*,p2p.*]
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


def code_blocks(kind: str) -> List[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


def test_mypy_passes_the_examples(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    component = tmp_path / "counter.py"
    component.write_text(next(block for block in code_blocks("python") if "class Counter" in block))
    outcome = run_mypy(tmp_path, *EXAMPLES, component)
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
    (entry_point,) = code_blocks("ini")
    assert entry_point in examples
    for flag in re.findall(r"--(?:report|archive)[\w-]+", PAGE):
        assert f'"{flag}"' in examples
    for folder in re.findall(r"fixtures/plugins/(\w+)", PAGE):
        assert (ROOT / "fixtures" / "plugins" / folder / "setup.cfg").exists()
