"""Makes packages, and installs them without a package index, for tests."""
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile

SETUP = "import setuptools; setuptools.setup()"
"""What runs a package's ``setup.cfg``."""

COMPONENT_SETUP = """
[metadata]
name = {module}
version = 0.1.0

[options]
py_modules = {module}

[options.entry_points]
trinity.components =
    {module} = {module}:{component}
"""
"""The ``setup.cfg`` of a package of one module with one component."""


def write_package(source: Path, module: str, code: str, setup: str) -> None:
    """Write the source of a package of one module to ``source``; ``setup`` is its ``setup.cfg``."""
    source.mkdir(parents=True)
    (source / f"{module}.py").write_text(code)
    (source / "setup.cfg").write_text(setup)


def install_package(source: Path, target: Path) -> None:
    """
    Put modules and metadata of ``source`` into ``target``. With that on ``PYTHONPATH`` its entry
    points are found.

    :raise subprocess.CalledProcessError: it cannot be built
    """
    with tempfile.TemporaryDirectory() as path:
        # Building leaves files behind, which are not to lie in the source.
        copy = Path(path) / source.name
        shutil.copytree(source, copy)
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SETUP, "-q"]
            + ["egg_info", "--egg-base", str(target)]
            + ["build_py", "--build-lib", str(target)],
            cwd=copy,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
