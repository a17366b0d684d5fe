"""Imports point inward only, and Trinity's private names are touched in one module."""
import ast
from pathlib import Path
import re
import subprocess
import sys
from typing import Dict, Iterator, Set, Tuple

import pytest

PACKAGE = Path(__file__).parent.parent / "blockio_plugin"

ALLOWED: Dict[str, Set[str]] = {
    "rules": {"rules"},
    "simulator": {"rules", "simulator", "extras"},
    "services": {"rules", "services"},
    "protocol": {"rules", "services", "protocol"},
    "node": {"rules", "services", "protocol", "node", "events", "client", "extras"},
    "events": set(),
    "client": {"events"},
    "extras": set(),
}
"""What each part of the package may import of the package. Tools may import everything."""

FORBIDDEN_OUTSIDE = {
    "rules": {"asyncio", "time", "trinity", "p2p", "lahja", "async_service", "threading"},
    "services": {"trinity", "p2p", "lahja", "eth", "rlp"},
}
"""What each ring may not import of the world."""


def modules(part: str) -> Iterator[Path]:
    path = PACKAGE / part
    yield from path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]


def imports(path: Path) -> Iterator[Tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            if node.module == "blockio_plugin":
                for alias in node.names:
                    yield f"blockio_plugin.{alias.name}", node.lineno


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_imports_point_inward(part: str) -> None:
    checked = 0
    for path in modules(part):
        for name, line in imports(path):
            checked += 1
            if name.startswith("blockio_plugin."):
                target = name.split(".")[1]
                assert target in ALLOWED[part], f"{path}:{line} imports {name}"
    assert checked


@pytest.mark.parametrize("part", sorted(FORBIDDEN_OUTSIDE))
def test_inner_rings_do_not_know_the_outside(part: str) -> None:
    for path in modules(part):
        for name, line in imports(path):
            top = name.split(".")[0]
            assert top not in FORBIDDEN_OUTSIDE[part], f"{path}:{line} imports {name}"


def test_every_part_is_covered() -> None:
    parts = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.stem.startswith("__")
    }
    assert parts - {"tools", "py"} <= set(ALLOWED)


def test_private_names_of_trinity_stay_in_one_module() -> None:
    """An attribute with one leading underscore, of anything but self and cls, is private."""
    for path in modules("node"):
        if path.name == "private.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
                owner = node.value
                is_own = isinstance(owner, ast.Name) and owner.id in {"self", "cls"}
                assert is_own, f"{path}:{node.lineno} touches {node.attr}"


def test_component_module_is_light() -> None:
    """Trinity loads it for every command, so it must not drag in the rest of us."""
    code = (
        "import sys, blockio_plugin.node.component\n"
        "print([m for m in sys.modules if m.startswith('blockio_plugin.')])"
    )
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    for heavy in ("blockio_process", "import_process", "full_node", "pyroaring", "services.server"):
        assert heavy not in output
