"""The command line: JSON, text and picture."""
import json
from pathlib import Path

import pytest

from blockio_plugin.simulator.__main__ import UNFINISHED, main

TEXT = """
[chain]
views = 300
[[peers]]
count = 2
holds = [[0, 100], [110, 300]]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(TEXT)
    return path


def test_json_has_what_is_promised(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(scenario), "--json", "--seed", "3"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {
        *("finished", "seconds", "lower_bound", "ratio", "blocks", "duplicates", "requests"),
        *("timeouts", "max_in_flight", "max_held", "honest_banned", "unavailable"),
        *("cpu_seconds", "delays", "peers"),
    }
    assert result["finished"] is True and result["blocks"] == 290
    assert result["unavailable"] == [[100, 110]]
    assert set(result["peers"][0]) == {"name", "requests", "blocks", "score", "banned"}


def test_text_and_picture(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "out.svg"
    assert main([str(scenario), "--plot", str(picture)]) == 0
    assert "nobody has views 100-109" in capsys.readouterr().out
    assert "<svg" in picture.read_text()


def test_a_run_that_does_not_end_is_told_by_the_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "slow.toml"
    path.write_text("[simulation]\nlimit = 1.0\n[[peers]]\nrate = 1.0\n")
    assert main([str(path), "--json"]) == UNFINISHED
