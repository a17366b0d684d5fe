"""The bench of chaos tells what fails, and by its exit code."""
import json
from pathlib import Path
from typing import Any, Tuple

import pytest

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.tools.bench import run
from blockio_plugin.tools.bench_chaos import main


def test_each_network_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "verdicts.json"
    assert run("chaos", ["--first", "1", "--count", "2", "--jobs", "1", "--json", str(path)]) == 0
    assert [verdict["seed"] for verdict in json.loads(path.read_text())] == [1, 2]
    assert capsys.readouterr().out.startswith("2 run, 0 failures")


def test_one_that_fails_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(self: Fetch, now: float) -> Tuple[Any, ...]:
        raise KeyError("tested")

    monkeypatch.setattr(Fetch, "plan", stumble)
    assert main(["--count", "1", "--jobs", "1"]) == 1
    assert "seed 0: FAILED KeyError: 'tested'" in capsys.readouterr().out
