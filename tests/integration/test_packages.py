"""What is built of the source: a wheel for those who run it, an archive for those who change it."""
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tarfile
from typing import List, NamedTuple, Set
import zipfile

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parent.parent.parent

SCENARIO = ROOT / "fixtures" / "scenarios" / "straggler.toml"

UV = (sys.executable, "-m", "uv")

LOAD = """
import sys
from pkg_resources import iter_entry_points
for point in iter_entry_points("trinity.components"):
    if point.module_name.startswith("blockio_plugin."):
        print(point.name, point.load().__name__)
"""


class Built(NamedTuple):
    """The two files, and what of the source git knows of, or all where there is no git."""

    wheel: Path
    archive: Path
    sources: Set[str]


def run(*command: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    outcome = subprocess.run(
        command,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert outcome.returncode == code, outcome.stdout + outcome.stderr
    return outcome


def find_sources() -> List[str]:
    """The files of the source, as paths in it."""
    if (ROOT / ".git").exists():
        listed = run("git", "-C", str(ROOT), "ls-files", "-z").stdout
        return [name for name in listed.split("\0") if name and (ROOT / name).exists()]
    # An archive that was unpacked.
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built of a copy, since building leaves files behind; the wheel is built of the archive."""
    directory = tmp_path_factory.mktemp("built")
    sources = find_sources()
    for name in sources:
        target = directory / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    run(*UV, "build", "--python", sys.executable, str(directory / "source"), "-o", str(directory))
    (wheel,) = directory.glob("*.whl")
    (archive,) = directory.glob("*.tar.gz")
    return Built(wheel, archive, set(sources))


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and nothing that it does not ask for."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    run(*UV, "venv", "--python", sys.executable, str(environment))
    programs = environment / "bin"
    run(*UV, "pip", "install", "--python", str(programs / "python"), str(built.wheel))
    return programs


def test_the_archive_has_all_of_the_source(built: Built) -> None:
    with tarfile.open(built.archive) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert built.sources <= names
    for name in ("tox.ini", "docs/api.md", "fixtures/wire/snappy.json", "tests/conftest.py"):
        assert name in names
    assert not [name for name in names if name.endswith((".pyc", "__pycache__"))]


def test_the_wheel_has_the_package_without_the_bench(built: Built) -> None:
    names = {name for name in zipfile.ZipFile(built.wheel).namelist() if ".dist-info/" not in name}
    bench = {name for name in built.sources if name.startswith("blockio_plugin/tools/bench")}
    assert bench
    assert names == {
        name for name in built.sources - bench if name.startswith("blockio_plugin/")
    }


def test_trinity_finds_the_components_of_the_wheel(installed: Path) -> None:
    loaded = run(str(installed / "python"), "-W", "ignore", "-c", LOAD).stdout.split()
    assert loaded == ["blockio", "BlockIOComponent", "blockio_import", "BlockIOImportComponent"]
    assert "--enable-blockio" in run(str(installed / "trinity"), "--help").stdout


def test_the_simulator_of_the_wheel_runs_or_names_the_extra(built: Built, installed: Path) -> None:
    python = str(installed / "python")
    simulate = (python, "-m", "blockio_plugin.simulator", str(SCENARIO))
    told = run(*simulate, code=1)
    assert told.stdout == ""
    (line,) = told.stderr.splitlines()
    assert line.endswith("pip install 'blockio_plugin[tools]'")
    run(*UV, "pip", "install", "--python", python, f"{built.wheel}[tools]")
    assert "straggler: finished" in run(*simulate).stdout
