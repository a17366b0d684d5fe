"""
Runs the tests of the rules and of the simulator on the newest CPython of this machine, with the
libraries that are current for it. Arguments are added to those of pytest.

Trinity keeps the package on CPython 3.8; who takes the rules over will be elsewhere.
"""
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Iterator, List, NamedTuple, Tuple

ROOT = Path(__file__).parent.parent

FOLDERS = ("tests/rules", "tests/simulator")

REQUIREMENTS = (
    "eth-hash[pycryptodome]",
    "hypothesis",
    "matplotlib",
    "py-evm",
    "pyroaring",
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "rich",
    "rlp",
    "tomli",
    "typing_extensions",
)
"""What the two folders import, and the plugins that pytest's settings are for. None is bounded."""

LOOK = "import sys; print(sys.implementation.name, *sys.version_info)"


class Interpreter(NamedTuple):
    version: Tuple[int, ...]
    path: str


def candidates() -> Iterator[str]:
    """Interpreters that uv knows, and those of pyenv, which uv does not look for."""
    command = ["uv", "python", "list", "--only-installed", "--output-format", "json"]
    # It complains of each shim of pyenv whose version is not chosen.
    listed = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout
    for known in json.loads(listed):
        yield known["path"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in pyenv.glob("versions/*/bin/python"):
        yield str(path)


def interpreters() -> Iterator[Interpreter]:
    """Those of the candidates that run and are final releases of CPython."""
    for path in candidates():
        try:
            told = subprocess.run(
                [path, "-c", LOOK], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ).stdout.decode()
        except (OSError, subprocess.CalledProcessError):
            # A shim of pyenv for a version that is not chosen, or Python 2.
            continue
        name, major, minor, micro, level, _ = told.split()
        if (name, level) == ("cpython", "final"):
            yield Interpreter((int(major), int(minor), int(micro)), path)


def main(arguments: List[str]) -> int:
    """Run the tests, and return the exit code of pytest."""
    newest = max(interpreters())
    print("On CPython {}.{}.{}:".format(*newest.version), newest.path, flush=True)
    command = ["uv", "run", "--isolated", "--no-project", "--python", newest.path]
    for requirement in REQUIREMENTS:
        command += ["--with", requirement]
    command += ["python", "-m", "pytest", *FOLDERS, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
