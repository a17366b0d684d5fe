"""Installs a package into a directory of its own, without a package index, for tests."""
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile

SETUP = "import setuptools; setuptools.setup()"
"""What runs a package's ``setup.cfg``."""


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
