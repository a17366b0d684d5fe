"""
Every public name says what it is.

flake8 sees to modules, classes and functions. It cannot tell which methods override one that has a
docstring already, and does not look at constants: both are looked at here. Where a docstring names
a number that follows from constants, it has to follow from them.
"""
import ast
import importlib
import inspect
from pathlib import Path
import pkgutil
from types import ModuleType
from typing import Any, Iterator, List

import pytest

import blockio_plugin
from blockio_plugin.rules import advert_queue, backfill, fetch_group, scoring
from blockio_plugin.rules.lateness import UNKNOWN_LATE_TIME
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS, MAX_RANGES
from blockio_plugin.rules.requests import MAX_UNANSWERED
from blockio_plugin.services import advertiser, peer_requests


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


@pytest.mark.parametrize(
    "module, said, told, follows",
    [
        (
            advert_queue,
            "the longest advert is taken in every 16 s",
            16,
            (MAX_RANGES + advert_queue.ADVERT_COST) // advert_queue.RANGES_PER_SECOND,
        ),
        (advertiser, "the mean is 10 s", 10, sum(advertiser.ADVERT_INTERVAL_BOUNDS) / 2),
        (backfill, "The usual one holds up to 512 blocks", 512, MAX_ANSWER_BLOCKS),
        (
            fetch_group,
            "the sync takes at most a third longer",
            4 / 3,
            pytest.approx(1 / (1 - fetch_group.SHARE)),
        ),
        (
            peer_requests,
            "as many as one that was never measured",
            peer_requests.ANSWER_TIMEOUT,
            UNKNOWN_LATE_TIME,
        ),
        (
            scoring,
            "one part in eleven of the whole time is lost on it",
            1 / 11,
            1 / (scoring.OVERHEAD_FACTOR + 1),
        ),
        (scoring, "it gets 20 a minute then", 20, 60 / scoring.REQUEST_PRICE),
        (scoring, "earns it: four requests", 4, scoring.BLOCK_WORTH / scoring.REQUEST_PRICE),
        (
            scoring,
            "twice as many as it may leave unanswered",
            2 * MAX_UNANSWERED,
            scoring.MAX_CREDIT / scoring.REQUEST_PRICE,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_in_docstrings_follow_from_the_constants(
    module: ModuleType, said: str, told: float, follows: Any
) -> None:
    assert said in " ".join(inspect.getsource(module).split())
    assert told == follows


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
