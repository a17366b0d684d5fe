"""Scenario files: what is read, and what is refused in one line."""
from pathlib import Path
from typing import Any, Dict

import pytest

from blockio_plugin.simulator.__main__ import BAD_INPUT, main
from blockio_plugin.simulator.scenario import ScenarioError, load_scenario, read_scenario

PEER_STEPS_TWICE = ("peers[1].holds", "[[0.0, [[0, 5]]], [0.0, []]]")
SCENARIOS = Path(__file__).parents[2] / "fixtures" / "scenarios"


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_standing_scenarios_are_read(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.name == path.stem and scenario.peers


def test_there_are_as_many_as_the_table_has() -> None:
    # Seventeen of the benchmark, of which two come in two forms, and fifteen reported conditions.
    assert len(list(SCENARIOS.glob("*.toml"))) == 19 + 17


def test_defaults() -> None:
    scenario = read_scenario({"peers": [{"count": 2}]}, "x")
    peer = scenario.peers[0]
    assert [peer.name for peer in scenario.peers] == ["1.0", "1.1"]
    assert (scenario.views, scenario.jitter, scenario.limit) == (8000, 0.1, 600.0)
    assert peer.holds == peer.adverts == ((0.0, ((0, 8000),)),)
    assert peer.hints and peer.is_honest and peer.max_blocks == 512


def test_every_key_is_read() -> None:
    peer = {
        "rate": [[0.0, 5.0], [2.0, 7.0]],
        "holds": [[0.0, [[0, 50]]], [5.0, [[10, 50], [60, 70]]]],
        "adverts": [[0, 80]],
        "lies": ["empty", 1.0, 2.0],
        "omits": [0.5, 3.0, 4.0],
        "loses": [5, 6],
        "declines": [0.25, 7.0, float("inf")],
        "quota": [2.0, 4],
        "hint_error": 1000,
        "overclaims": True,
        "advert_every": 10.0,
    }
    scenario = read_scenario(
        {
            "chain": {"views": 90, "grows": [15.0, 100]},
            "simulation": {
                "start": 3600.0,
                "stalls": [[9.0, 1.0], [5.0, 20.0]],
                "restarts": [60.0, 30.0],
            },
            "peers": [peer, {"loses": 0.01}, {"loses": [0.1, 0.0, 2.0]}],
        },
        "x",
    )
    assert scenario.grows == (15.0, 100) and scenario.all_views == 190
    assert scenario.births[:2] == (15.0, 30.0)
    assert scenario.start == 3600.0
    assert scenario.stalls == ((5.0, 20.0), (9.0, 1.0)) and scenario.restarts == (30.0, 60.0)
    model, second, third = scenario.peers
    assert model.rate == ((0.0, 5.0), (2.0, 7.0))
    assert model.holds == ((0.0, ((0, 50),)), (5.0, ((10, 50), (60, 70))))
    assert model.adverts == ((0.0, ((0, 80),)),)
    assert model.lies == (1.0, 1.0, 2.0) and model.omits == (0.5, 3.0, 4.0)
    assert model.loses == (1.0, 5.0, 6.0) and model.declines == (0.25, 7.0, float("inf"))
    assert second.loses == (0.01, 0.0, float("inf")) and third.loses == (0.1, 0.0, 2.0)
    assert (model.quota, model.hint_error, model.advert_every) == ((2.0, 4.0), 1000, 10.0)
    assert model.overclaims and not second.overclaims


def test_a_scenario_in_bytes_is_read() -> None:
    document = {
        "chain": {"bytes": [[0, 4000, 600], [4000, 8000, 6e4]]},
        "client": {"download_bytes": 1e6, "download": 0.0, "decode": 0.002},
        "peers": [{"bytes_rate": 5e4}, {"bytes_rate": [[0.0, 1e5], [2.0, 2e5]]}, {}],
    }
    scenario = read_scenario(document, "x")
    assert scenario.in_bytes and scenario.download == 1e6 and scenario.decode == 0.002
    assert scenario.sizes == (((0, 4000), 600.0), ((4000, 8000), 6e4))
    first, second, third = scenario.peers
    assert first.rate == ((0.0, 5e4),) and second.rate == ((0.0, 1e5), (2.0, 2e5))
    # 100 blocks/s of 600 bytes.
    assert third.rate == ((0.0, 6e4),)


def test_sizes_alone_do_not_make_a_scenario_count_bytes() -> None:
    scenario = read_scenario({"chain": {"bytes": [[0, 10, 5000]]}, "peers": [{}]}, "x")
    assert not scenario.in_bytes and scenario.peers[0].rate == ((0.0, 100.0),)


MIXED_UNITS = [
    ({}, [{"rate": 1.0}, {"bytes_rate": 5.0}], "peers[2].bytes_rate = 5.0: in bytes"),
    ({}, [{"bytes_rate": 5.0}, {"rate": 1.0}], "peers[2].rate = 1.0: in blocks"),
    ({}, [{"rate": 1.0, "bytes_rate": 5.0}], "peers[1].bytes_rate = 5.0: in bytes"),
    ({"download": 9}, [{}, {"bytes_rate": 5.0}], "peers[2].bytes_rate = 5.0: in bytes"),
    ({"download_bytes": 9}, [{"rate": [[0.0, 1]]}], "peers[1].rate = [[0.0, 1]]: in blocks"),
    ({"download": 9, "download_bytes": 8}, [{}], "client.download_bytes = 8: in bytes"),
]
"""What counts blocks in one place and bytes in another, and what is said of it."""


@pytest.mark.parametrize("client, peers, problem", MIXED_UNITS)
def test_units_are_not_mixed(client: Any, peers: Any, problem: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_scenario({"client": client, "peers": peers}, "x")
    assert str(caught.value).startswith(problem) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["start", "stalls", "restarts", "grows"])
def test_what_is_not_asked_for_is_not_there(name: str) -> None:
    assert not getattr(read_scenario({"peers": [{}]}, "x"), name)


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
        ({"peers": [{"holds": [[0.0, [[0, 5]]], [0.0, []]]}]}, *PEER_STEPS_TWICE),
        ({"peers": [{"adverts": [[1.0, [[0, 5]]]]}]}, "peers[1].adverts", "[[1.0, [[0, 5]]]]"),
        ({"peers": [{"lies": ["empty", 2.0, 1.0]}]}, "peers[1].lies", "['empty', 2.0, 1.0]"),
        ({"peers": [{"omits": [0.5, 1.0]}]}, "peers[1].omits", "[0.5, 1.0]"),
        ({"peers": [{"loses": [3.0, 2.0]}]}, "peers[1].loses", "[3.0, 2.0]"),
        ({"peers": [{"loses": 2}]}, "peers[1].loses", "2"),
        ({"peers": [{"declines": -0.5}]}, "peers[1].declines", "-0.5"),
        ({"peers": [{"declines": "often"}]}, "peers[1].declines", "'often'"),
        ({"peers": [{"quota": 2.0}]}, "peers[1].quota", "2.0"),
        ({"peers": [{"quota": [2.0, 0]}]}, "peers[1].quota", "[2.0, 0]"),
        ({"peers": [{"hint_error": 0.5}]}, "peers[1].hint_error", "0.5"),
        ({"peers": [{"advert_every": 0}]}, "peers[1].advert_every", "0"),
        ({"chain": {"grows": [0.0, 5]}, "peers": [{}]}, "chain.grows", "[0.0, 5]"),
        ({"chain": {"grows": 5}, "peers": [{}]}, "chain.grows", "5"),
        ({"simulation": {"start": -1.0}, "peers": [{}]}, "simulation.start", "-1.0"),
        ({"simulation": {"stalls": [[1.0]]}, "peers": [{}]}, "simulation.stalls", "[[1.0]]"),
        ({"simulation": {"restarts": 5.0}, "peers": [{}]}, "simulation.restarts", "5.0"),
        ({"chain": {"views": 0}, "peers": [{}]}, "chain.views", "0"),
        ({"chain": {"views": True}, "peers": [{}]}, "chain.views", "True"),
        ({"chain": {"filled": [[0, 5]]}, "peers": [{}]}, "chain.filled", "[[0, 5]]"),
        ({"chain": 7, "peers": [{}]}, "chain", "7"),
        ({"client": {"download": -5}, "peers": [{}]}, "client.download", "-5"),
        ({"client": {"download_bytes": -5}, "peers": [{}]}, "client.download_bytes", "-5"),
        ({"client": {"decode": -0.5}, "peers": [{}]}, "client.decode", "-0.5"),
        ({"chain": {"bytes": [[9, 3, 600]]}, "peers": [{}]}, "chain.bytes", "[[9, 3, 600]]"),
        ({"chain": {"bytes": [[0, 9, 0]]}, "peers": [{}]}, "chain.bytes", "[[0, 9, 0]]"),
        ({"chain": {"bytes": [[0, 9]]}, "peers": [{}]}, "chain.bytes", "[[0, 9]]"),
        ({"chain": {"bytes": [[0, 9, 9e7]]}, "peers": [{}]}, "chain.bytes", "[[0, 9, 90000000.0]]"),
        ({"peers": [{"bytes_rate": 0}]}, "peers[1].bytes_rate", "0"),
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
    "text",
    [
        "peers = [",
        "[[peers]]\nrate = -3.0\n",
        "",
        "[[peers]]\nholds = [[5, 2]]\n",
        "[client]\ndecode = -1.0\n[[peers]]\n",
        "[client]\ndownload = 5.0\n[[peers]]\nbytes_rate = 5.0\n",
        "[chain]\nbytes = [[5, 2, 600]]\n[[peers]]\n",
    ],
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
