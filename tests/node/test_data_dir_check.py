from pathlib import Path
import socket
import subprocess
import sys
from typing import Iterator, List

import pytest
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.constants import APP_IDENTIFIER_ETH1, SYNC_FULL

from blockio_plugin.node import data_dir_check
from blockio_plugin.node.data_dir_check import InUse, check_unused, find_listeners, find_lock_holder

HOLDER = """
import fcntl, socket, sys, time
kind, path = sys.argv[1:]
if kind == "lock":
    held = open(path, "w")
    fcntl.lockf(held, fcntl.LOCK_EX)
else:
    held = socket.socket(socket.AF_UNIX)
    held.bind(path)
    held.listen()
print("holds", flush=True)
time.sleep(60)
"""
"""A process that holds a lock as LevelDB does, or listens on a socket."""


@pytest.fixture
def trinity_config(tmp_path: Path) -> TrinityConfig:
    config = TrinityConfig(1, app_identifier=APP_IDENTIFIER_ETH1, data_dir=tmp_path)
    config.add_app_config(Eth1AppConfig(config, SYNC_FULL))
    config.ipc_dir.mkdir()
    config.pid_dir.mkdir()
    config.get_app_config(Eth1AppConfig).database_dir.mkdir(parents=True)
    return config


@pytest.fixture(autouse=True)
def no_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_dir_check, "END_TIMEOUT", 0.5)


class Holders:
    """Processes of this test."""

    def __init__(self) -> None:
        self._started: List["subprocess.Popen[bytes]"] = []

    def start(self, kind: str, path: Path) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, kind, str(path)], stdout=subprocess.PIPE
        )
        self._started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def kill(self) -> None:
        for process in self._started:
            with process:
                process.kill()


@pytest.fixture
def holders() -> Iterator[Holders]:
    holders = Holders()
    yield holders
    holders.kill()


def lock_of(config: TrinityConfig) -> Path:
    path: Path = config.get_app_config(Eth1AppConfig).database_dir / "LOCK"
    return path


def list_files(config: TrinityConfig) -> List[str]:
    return sorted(path.name for path in config.data_dir.rglob("*") if not path.is_dir())


def test_a_new_directory(trinity_config: TrinityConfig) -> None:
    check_unused(trinity_config)


def test_what_a_killed_node_has_left_is_removed(
    trinity_config: TrinityConfig, holders: Holders, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for name in ("main", "db", "networking"):
        holders.start("socket", trinity_config.ipc_dir / f"{name}.ipc")
    holders.start("lock", lock_of(trinity_config))
    holders.kill()
    # The number may be anybody's by now: here it is that of the init process.
    (trinity_config.pid_dir / "database.pid").write_text("1\n")
    check_unused(trinity_config)
    assert list_files(trinity_config) == ["LOCK"]
    assert "3 sockets, 1 pid files" in caplog.text


@pytest.mark.parametrize("name", ["main", "logging"])
def test_a_node_that_runs(trinity_config: TrinityConfig, holders: Holders, name: str) -> None:
    main = holders.start("socket", trinity_config.ipc_dir / f"{name}.ipc")
    other = holders.start("socket", trinity_config.ipc_dir / "db.ipc")
    other.kill()
    (trinity_config.pid_dir / "database.pid").write_text(f"{other.pid}\n")
    before = list_files(trinity_config)
    with pytest.raises(InUse, match=rf"^a node runs on \S+ \(process {main.pid}\): stop it first$"):
        check_unused(trinity_config)
    assert list_files(trinity_config) == before


def test_what_has_outlived_its_main_process(
    trinity_config: TrinityConfig, holders: Holders
) -> None:
    holders.start("socket", trinity_config.ipc_dir / "main.ipc")
    holders.kill()
    lock = holders.start("lock", lock_of(trinity_config))
    networking = holders.start("socket", trinity_config.ipc_dir / "networking.ipc")
    before = list_files(trinity_config)
    pids = sorted([lock.pid, networking.pid])
    with pytest.raises(InUse, match=rf"is in use by processes {pids[0]}, {pids[1]}, left of "):
        check_unused(trinity_config)
    assert list_files(trinity_config) == before


def test_another_program_that_holds_the_database(
    trinity_config: TrinityConfig, holders: Holders
) -> None:
    lock = holders.start("lock", lock_of(trinity_config))
    with pytest.raises(InUse, match=rf"is in use by process {lock.pid}, left of .* or of another"):
        check_unused(trinity_config)


def test_who_is_about_to_end_is_waited_for(
    trinity_config: TrinityConfig, holders: Holders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_dir_check, "END_TIMEOUT", 10.0)
    lock = holders.start("lock", lock_of(trinity_config))
    monkeypatch.setattr(data_dir_check.time, "sleep", lambda _: lock.kill())
    check_unused(trinity_config)


def test_who_holds_the_lock(tmp_path: Path, holders: Holders) -> None:
    lock = tmp_path / "LOCK"
    assert find_lock_holder(lock) is None
    lock.touch()
    assert find_lock_holder(lock) is None
    holder = holders.start("lock", lock)
    assert find_lock_holder(lock) == holder.pid
    holders.kill()
    assert find_lock_holder(lock) is None


def test_a_file_in_the_place_of_a_socket_is_nobodys(tmp_path: Path, holders: Holders) -> None:
    (tmp_path / "main.ipc").touch()
    assert find_listeners(tmp_path) == {}


def test_a_listener_that_accepts_nobody_is_there(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "db.ipc"))
        server.listen(0)
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            for client in (first, second):
                client.setblocking(False)
                try:
                    client.connect(str(tmp_path / "db.ipc"))
                except BlockingIOError:
                    pass
            assert set(find_listeners(tmp_path)) == {"db"}
