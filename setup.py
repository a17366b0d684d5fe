"""What ``setup.cfg`` cannot say: the bench is for those who have the source, and is in no wheel."""
from typing import List, Tuple

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Leaves the modules of the bench out."""

    def find_package_modules(self, package: str, package_dir: str) -> List[Tuple[str, str, str]]:
        """The package, name and path of each module of ``package`` that is to be built."""
        modules = super().find_package_modules(package, package_dir)
        is_tools = package == "blockio_plugin.tools"
        return [found for found in modules if not (is_tools and found[1].startswith("bench"))]


setup(cmdclass={"build_py": BuildPy})
