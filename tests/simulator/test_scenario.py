"""Scenario files: what is read, and what is refused in one line."""
from pathlib import Path
from typing import Any, Dict

import pytest

from blockio_plugin.simulator.__main__ import BAD_INPUT, main
from blockio_plugin.simulator.scenario import ScenarioError, load_scenario, read_scenario

SCENARIOS = Path(__file__).parents[2] / "fixtures" / "scenarios"


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_standing_scenarios_are_read(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.name == path.stem and scenario.peers


def test_there_are_as_many_as_the_table_has() -> None:
    # Two of the seventeen come in two forms.
    assert len(list(SCENARIOS.glob("*.toml"))) == 19


def test_defaults() -> None:
    scenario = read_scenario({"peers": [{"count": 2}]}, "x")
    peer = scenario.peers[0]
    assert [peer.name for peer in scenario.peers] == ["1.0", "1.1"]
    assert (scenario.views, scenario.jitter, scenario.limit) == (8000, 0.1, 600.0)
    assert peer.holds == peer.adverts == ((0.0, ((0, 8000),)),)
    assert peer.hints and peer.is_honest and peer.max_blocks == 512


@pytest.mark.parametrize(
    "document, key, value",
    [
        ({}, "peers", "[]"),
        ({"peers": []}, "peers", "[]"),
        ({"peers": [{}], "extra": 1}, "extra", "1"),
        ({"peers": [{"speed": 5}]}, "peers[1].speed", "5"),
        ({"peers": [{"rate": -1.0}]}, "peers[1].rate", "-1.0"),
        ({"peers": [{"rate": 0}]}, "peers[1].rate", "0"),
        ({"peers": [{"rate": [[1.0, 5.0]]}]}, "peers[1].rate", "[[1.0, 5.0]]"),
        ({"peers": [{}, {"holds": [[9, 3]]}]}, "peers[2].holds", "[[9, 3]]"),
        ({"peers": [{"adverts": [3]}]}, "peers[1].adverts", "[3]"),
        ({"peers": [{"max_blocks": 0}]}, "peers[1].max_blocks", "0"),
        ({"peers": [{"hints": 1}]}, "peers[1].hints", "1"),
        ({"peers": [{"lies": "often"}]}, "peers[1].lies", "'often'"),
        ({"peers": [{"omits": 1.5}]}, "peers[1].omits", "1.5"),
        ({"peers": [{"bucket": [5]}]}, "peers[1].bucket", "[5]"),
        ({"peers": [{"joins": 5.0, "leaves": 2.0}]}, "peers[1].leaves", "2.0"),
        ({"peers": [{"count": 0}]}, "peers[1].count", "0"),
        ({"peers": [{"rtt": float("nan")}]}, "peers[1].rtt", "nan"),
        ({"peers": [5]}, "peers[1]", "5"),
        ({"chain": {"views": 0}, "peers": [{}]}, "chain.views", "0"),
        ({"chain": {"views": True}, "peers": [{}]}, "chain.views", "True"),
        ({"chain": {"filled": [[0, 5]]}, "peers": [{}]}, "chain.filled", "[[0, 5]]"),
        ({"chain": 7, "peers": [{}]}, "chain", "7"),
        ({"client": {"download": -5}, "peers": [{}]}, "client.download", "-5"),
        ({"client": {"upload": 5}, "peers": [{}]}, "client.upload", "5"),
        ({"simulation": {"limit": 0}, "peers": [{}]}, "simulation.limit", "0"),
    ],
)
def test_bad_values_are_named(document: Dict[str, Any], key: str, value: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_scenario(document, "x")
    message = str(caught.value)
    assert message.startswith(f"{key} = {value}: ") and "\n" not in message


@pytest.mark.parametrize(
    "text", ["peers = [", "[[peers]]\nrate = -3.0\n", "", "[[peers]]\nholds = [[5, 2]]\n"]
)
def test_the_command_ends_with_one_line_that_names_the_file(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert main([str(path)]) == BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1 and captured.err.startswith(f"{path}: ")


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.toml")]) == BAD_INPUT
    assert "none.toml: No such file" in capsys.readouterr().err


def test_bytes_that_are_no_text_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert main([str(path)]) == BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1
