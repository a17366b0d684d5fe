"""
Every public name says what it is.

flake8 sees to modules, classes and functions. It cannot tell which methods override one that has a
docstring already, and does not look at constants: both are looked at here.
"""
import ast
import importlib
import inspect
from pathlib import Path
import pkgutil
from types import ModuleType
from typing import Iterator, List

import pytest

import blockio_plugin


def import_modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(blockio_plugin.__path__, "blockio_plugin."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


MODULES = list(import_modules())


def find_undocumented_methods(module: ModuleType) -> Iterator[str]:
    for name, kind in inspect.getmembers(module, inspect.isclass):
        if kind.__module__ != module.__name__ or name.startswith("_"):
            continue
        for attribute, value in vars(kind).items():
            function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
            is_method = inspect.isfunction(function) or isinstance(function, property)
            overrides = any(attribute in vars(base) for base in kind.__mro__[1:])
            if is_method and not attribute.startswith("_") and not overrides:
                if not inspect.getdoc(function):
                    yield f"{name}.{attribute}"


def find_undocumented_constants(source: str) -> Iterator[str]:
    body = ast.parse(source).body
    for statement, following in zip(body, [*body[1:], ast.Pass()]):
        if isinstance(statement, ast.Assign):
            targets = [target for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            targets = [statement.target]
        else:
            continue
        is_documented = (
            isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        )
        for target in targets:
            if target.id.isupper() and not target.id.startswith("_") and not is_documented:
                yield target.id


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_public_methods_and_constants_have_docstrings(module: ModuleType) -> None:
    missing: List[str] = list(find_undocumented_methods(module))
    missing += find_undocumented_constants(Path(inspect.getfile(module)).read_text())
    assert not missing


class Base:
    def known(self) -> None:
        """What it is."""


class Derived(Base):
    def known(self) -> None:
        pass

    def unknown(self) -> None:
        pass

    @property
    def silent(self) -> int:
        return 0

    @classmethod
    def made(cls) -> None:
        pass

    def _hidden(self) -> None:
        pass


def test_what_is_missing_is_found() -> None:
    module = ModuleType("example")
    own = {**vars(Derived), "__module__": "example"}
    vars(module).update(Derived=type("Derived", (Base,), own))
    missing = ["Derived.unknown", "Derived.silent", "Derived.made"]
    assert list(find_undocumented_methods(module)) == missing
    source = 'LIMIT = 1\n"""What it is."""\nOTHER = 2\nTHIRD: int = 3\n_OWN = 4\nname = 5\n'
    assert list(find_undocumented_constants(source)) == ["OTHER", "THIRD"]
