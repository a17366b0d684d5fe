import os
from pathlib import Path
import subprocess
import sys

import pytest

from blockio_plugin.extras import needs_extra

BLOCKED = """
import sys
for name in {names!r}:
    sys.modules[name] = None
import runpy
sys.argv = {arguments!r}
runpy.run_module({module!r}, run_name="__main__")
"""
"""Runs a module as if libraries were not installed."""


def test_what_is_missing_of_ours_is_our_fault() -> None:
    with pytest.raises(ModuleNotFoundError):
        with needs_extra("tools", "it"):
            import blockio_plugin.nothing  # type: ignore[import] # noqa: F401


@pytest.mark.parametrize("name", ["rich", "tomli"])
def test_the_simulator_says_which_extra_it_wants(name: str, tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", "-c"]
        + [BLOCKED.format(names=[name], arguments=["it"], module="blockio_plugin.simulator")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert outcome.returncode == 1 and outcome.stdout == ""
    assert outcome.stderr == (
        f"python -m blockio_plugin.simulator needs {name}, which the extra 'tools' brings: "
        "pip install 'blockio_plugin[tools]'\n"
    )


def test_watch_says_which_extra_it_wants() -> None:
    code = (
        "import sys; sys.modules['rich'] = None; sys.modules['rich.console'] = None\n"
        "from blockio_plugin.node.commands import watch"
    )
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("trinity blockio watch needs rich")
    assert len(outcome.stderr.splitlines()) == 1
