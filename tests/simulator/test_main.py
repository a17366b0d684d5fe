"""The command line: JSON, text and picture."""
import json
from pathlib import Path
from typing import Any, Tuple

import pytest

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.simulator.__main__ import BAD_INPUT, UNFINISHED, main
from blockio_plugin.simulator.chaos import draw_chaos

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
        *("finished", "seconds", "lower_bound", "ratio", "blocks", "bytes", "duplicates"),
        *("requests", "timeouts", "max_in_flight", "max_held", "honest_banned", "unavailable"),
        *("cpu_seconds", "delays", "peers"),
    }
    assert result["finished"] is True and result["blocks"] == 290
    assert result["unavailable"] == [[100, 110]]
    assert set(result["peers"][0]) == {
        *("name", "requests", "blocks", "bytes", "score", "banned"),
    }
    # 600 bytes each, times U(0.5, 1.5).
    assert 500 < result["bytes"] / 290 < 700
    assert sum(peer["bytes"] for peer in result["peers"]) == result["bytes"]


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


def test_delays_are_told_where_the_chain_grows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "grows.toml"
    path.write_text("[chain]\nviews = 50\ngrows = [1.0, 3]\n[[peers]]\n")
    assert main([str(path), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["delays"]) == {"median", "worst"}
    assert main([str(path)]) == 0
    assert "new blocks after" in capsys.readouterr().out


def test_a_picture_of_a_chain_in_bytes(tmp_path: Path) -> None:
    path, picture = tmp_path / "bytes.toml", tmp_path / "out.svg"
    sizes = "[chain]\nviews = 300\nbytes = [[100, 200, 9000]]\n"
    path.write_text(sizes + "[[peers]]\nbytes_rate = 1e6\n")
    assert main([str(path), "--plot", str(picture)]) == 0
    drawn = picture.read_text()
    # A megabyte, and no 300 of anything.
    assert "MB of the chain" in drawn and "<!-- 0.8 -->" in drawn and "<!-- 200 -->" not in drawn


def test_a_family_is_played_and_its_worst_network_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, picture = tmp_path / "worst.toml", tmp_path / "worst.svg"
    arguments = ["--family", "own-link-even", "--count", "3", "--seed", "7"]
    assert main([*arguments, "--write", str(path), "--plot", str(picture)]) == 0
    line = capsys.readouterr().out
    assert line.startswith("own-link-even: 3 networks, median 1.") and line.count("\n") == 1
    assert "<svg" in picture.read_text()
    assert main([*arguments, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    seed, ratio = summary["worst_seeds"][0]
    assert seed in (7, 8, 9) and ratio == summary["worst"]
    # What was written plays as it was drawn.
    assert main([str(path), "--seed", str(seed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ratio"] == ratio


def test_an_unknown_family_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--family", "nobody"]) == BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and "nobody" in captured.err


def test_one_thing_must_be_asked_for(scenario: Path) -> None:
    one, chaos, family = [str(scenario)], ["--chaos", "1"], ["--family", "mixed"]
    for arguments in (one[1:], [*one, *chaos], [*one, *family]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == BAD_INPUT


def test_a_drawn_network_is_judged_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "drawn.toml"
    assert main(["--chaos", "1", "--write", str(path)]) == 0
    line, summary = capsys.readouterr().out.splitlines()
    assert line.startswith("seed 1: ok") and summary.startswith("1 run, 0 failures")
    # What was written is judged alike, but for what the processor did.
    assert main([str(path), "--judge", "--seed", "1"]) == 0
    again = capsys.readouterr().out.splitlines()[0]
    assert again.rsplit(",", 1)[0] == line.rsplit(",", 1)[0]


def test_the_first_that_fails_is_written_and_told_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Fetch.plan

    def ask_no_more(self: Fetch, now: float) -> Tuple[Any, ...]:
        return () if len(self.peers) > 12 else plan(self, now)

    monkeypatch.setattr(Fetch, "plan", ask_no_more)
    seeds = [seed for seed in range(20) if len(draw_chaos(seed).peers) > 12]
    path = tmp_path / "failed.toml"
    main(["--chaos", "0", "--count", "20"])
    before = {line.split(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]}
    assert before & {f"seed {seed}" for seed in seeds}
    assert main(["--chaos", "0", "--count", "20", "--write", str(path)]) == UNFINISHED
    first = capsys.readouterr().out.splitlines()[0]
    assert "FAILED" in first and path.read_text().startswith(f"# {first.split('(')[0]}")
    seed = first.split(":")[0].split()[1]
    assert main([str(path), "--judge", "--seed", seed]) == UNFINISHED
