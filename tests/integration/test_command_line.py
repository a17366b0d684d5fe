"""What `trinity` itself does with our flags, and with commands that are not our business."""
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import Any, Dict, Sequence

import plyvel
import pytest

pytestmark = pytest.mark.integration

TRINITY = str(Path(sys.executable).with_name("trinity"))


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    path = tmp_path / "genesis.json"
    config: Dict[str, object] = {
        "version": "1",
        "params": {"chainId": "0x4d33", "miningMethod": "NoProof", "byzantiumForkBlock": "0x0"},
        "genesis": {
            "author": "0x" + "00" * 20,
            "difficulty": "0x20000",
            "extraData": "0x" + "00" * 32,
            "gasLimit": "0x80000000",
            "nonce": "0xdeadbeefdeadbeef",
            "timestamp": "0x0",
        },
        "accounts": {},
    }
    path.write_text(json.dumps(config))
    return path


def trinity(home: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [TRINITY, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore"},
    )


def refused(home: Path, flags: Sequence[str]) -> str:
    """Run ``trinity`` with flags that it must refuse; the one line that it says."""
    data_dir = home / "data"
    data_dir.mkdir()
    outcome = trinity(home, "--data-dir", str(data_dir), *flags)
    assert outcome.returncode not in (0, None)
    assert not list(data_dir.iterdir()), "something was written"
    lines = [line for line in outcome.stderr.splitlines() if "Warning" not in line]
    assert len(lines) == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    return lines[0]


@pytest.mark.parametrize("scheme", ["slot:0", "slot:x", "height"])
def test_a_bad_scheme(tmp_path: Path, genesis: Path, scheme: str) -> None:
    line = refused(
        tmp_path,
        ["--genesis", str(genesis), "--network-id", "19763", "--sync-mode", "none"]
        + ["--enable-blockio", "--blockio-view-scheme", scheme],
    )
    assert "--blockio-view-scheme" in line and repr(scheme) in line


@pytest.mark.parametrize("memory", ["lots", "100"])
def test_memory_that_does_not_do(tmp_path: Path, genesis: Path, memory: str) -> None:
    line = refused(
        tmp_path,
        ["--genesis", str(genesis), "--network-id", "19763", "--sync-mode", "none"]
        + ["--enable-blockio", "--blockio-memory", memory],
    )
    assert "--blockio-memory" in line and memory in line


def test_light_mode(tmp_path: Path) -> None:
    line = refused(tmp_path, ["--enable-blockio", "--sync-mode", "light"])
    assert "--enable-blockio" in line and "--sync-mode light" in line


def test_a_genesis_without_a_network_id(tmp_path: Path, genesis: Path) -> None:
    line = refused(
        tmp_path, ["--enable-blockio", "--sync-mode", "none", "--genesis", str(genesis)]
    )
    assert "--network-id" in line


def test_help_knows_the_flags(tmp_path: Path) -> None:
    outcome = trinity(tmp_path, "--help")
    assert outcome.returncode == 0
    assert "--enable-blockio" in outcome.stdout
    assert "--blockio-view-scheme" in outcome.stdout
    assert "--blockio-memory MIB" in outcome.stdout
    assert "(default: 256, at least 160)" in " ".join(outcome.stdout.split())


def test_other_commands_are_unharmed(tmp_path: Path) -> None:
    assert trinity(tmp_path, "--version").returncode == 0
    outcome = trinity(tmp_path, "--enable-blockio", "--disable-tx-pool", "fix-unclean-shutdown")
    assert outcome.returncode == 0
    assert "Found 0 processes" in outcome.stderr + outcome.stdout


def read_all(database: Path) -> Dict[bytes, bytes]:
    db = plyvel.DB(str(database))
    try:
        return dict(db.iterator())
    finally:
        db.close()


def test_a_chain_that_breaks_the_scheme(tmp_path: Path, mined: Any) -> None:
    """Slots of a minute hold several blocks of a chain that was made in slots of 12 seconds."""
    shutil.copytree(mined.data_dir, tmp_path / "data")
    database = tmp_path / "data" / "chain-eth1" / "full"
    before = read_all(database)
    outcome = trinity(
        tmp_path,
        *("--data-dir", str(tmp_path / "data"), "--genesis", str(mined.recipe.genesis)),
        *("--network-id", str(mined.recipe.network_id), "--sync-mode", "none"),
        *("--disable-tx-pool", "--enable-blockio", "--blockio-view-scheme", "slot:60"),
    )
    assert outcome.returncode not in (0, None)
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1, outcome.stderr
    assert "--blockio-view-scheme slot:60" in lines[0]
    assert re.search(r"blocks \d+ \(0x[0-9a-f]{8}\) and \d+ \(0x[0-9a-f]{8}\)", lines[0])
    assert read_all(database) == before
