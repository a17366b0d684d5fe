"""What the documentation shows runs, and mypy checks those who build on us against our types."""
import ast
from configparser import ConfigParser
import os
from pathlib import Path
import re
import subprocess
import sys
from textwrap import indent

import pytest

from blockio_plugin.services import abc
from blockio_plugin.tools.bench import PARTS
from blockio_plugin.tools.docs_page import read_arguments, read_block, read_blocks

ROOT = Path(__file__).parent.parent

EXAMPLES = sorted((ROOT / "fixtures" / "plugins").glob("*/*.py"))

EMBEDDING = sorted((ROOT / "fixtures" / "embedding").glob("*.py"))

PAGE = ROOT / "docs" / "plugins.md"

EMBEDDING_PAGE = ROOT / "docs" / "embedding.md"

CONTRIBUTING_PAGE = ROOT / "docs" / "contributing.md"

PAGES = (ROOT / "README.md", ROOT / "tests" / "README.md", *sorted((ROOT / "docs").glob("*.md")))

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
    files = [*EXAMPLES, *EMBEDDING]
    for number, code in enumerate(read_blocks(PAGE, "python")):
        if "event_bus" in code and "class " not in code:
            code = SNIPPET.format(snippet=indent(code, " " * 4))
        files.append(tmp_path / f"shown_{number}.py")
        files[-1].write_text(code)
    assert len(files) == len(EXAMPLES) + len(EMBEDDING) + 5
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


def name_page(page: Path) -> str:
    return f"{page.parent.stem}-{page.stem}"


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readme_links_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{page.name})" in readme


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    folders = (ROOT, ROOT / "blockio_plugin")
    tops = "|".join(path.name for folder in folders for path in folder.iterdir() if path.is_dir())
    for name in re.findall(rf"`((?:{tops})/[\w./-]+)`", page.read_text()):
        # Files called x are examples of names.
        if not re.search(r"\bx\.py|_x\.py", name):
            assert any((folder / name).exists() for folder in folders), name


@pytest.mark.parametrize("folder", ["rules", "services", "protocol", "node", "node/commands"])
def test_the_page_on_architecture_has_every_module(folder: str) -> None:
    """With what the module says of itself, in the first paragraph of its docstring."""
    rows = []
    for path in sorted((ROOT / "blockio_plugin" / folder).glob("*.py")):
        if path.stem != "__init__":
            docstring = ast.get_docstring(ast.parse(path.read_text()))
            assert docstring is not None
            summary = " ".join(docstring.split("\n\n")[0].split()).replace("``", "`")
            rows.append(f"| `{path.name}` | {summary} |")
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.split(f"### `{folder}/`\n\n")[1].split("\n\n")[0].rstrip().splitlines()
    assert table == ["| file | what it is for |", "| --- | --- |", *rows]


def test_the_page_on_embedding_is_about_the_example() -> None:
    example = "".join(path.read_text() for path in EMBEDDING)
    (shown,) = read_blocks(EMBEDDING_PAGE, "python")
    assert shown in example
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", EMBEDDING_PAGE.read_text(), re.M)
    assert len(rows) == 4
    for interface, place in rows:
        assert hasattr(abc, interface)
        name = place.split("`")[1]
        assert f"class {name}(" in example or f"import {name}\n" in example
    services = "".join(path.read_text() for path in (ROOT / "blockio_plugin/services").glob("*.py"))
    for name in re.findall(r"`([A-Z]\w+)`", EMBEDDING_PAGE.read_text()):
        # Of the rules are those that are made of blocks alone.
        assert f"class {name}" in services + example or name in example, name


def test_the_page_for_contributors_has_every_environment_and_part_of_the_bench() -> None:
    text = CONTRIBUTING_PAGE.read_text()
    config = ConfigParser()
    config.read(ROOT / "tox.ini")
    default = re.split(r",\s*", config["tox"]["env_list"])
    own = {name.partition(":")[2] for name in config.sections() if ":" in name}
    listed = re.findall(r"^\| `(\w+)` \|", text[: text.index("## The rings")], re.M)
    assert set(listed) == {*default, *own} and len(listed) == len(set(listed))
    assert listed[: len(default)] == default
    assert "`tox` alone runs `lint`, `py38` and `integration`" in text
    used = set(re.findall(r"tox -e bench -- (\w+)", text))
    assert {*used, "bus", "chain"} == set(PARTS)


def test_the_page_for_contributors_has_every_part_of_the_package() -> None:
    text = CONTRIBUTING_PAGE.read_text()
    package = ROOT / "blockio_plugin"
    for path in package.iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"`{path.name}/`" in text
        elif path.suffix == ".py" and not path.stem.startswith("__"):
            assert f"`{path.name}`" in text
