import asyncio
import os
from pathlib import Path
import subprocess
import sys
from typing import Iterator, List

import psutil
import pytest

from blockio_plugin.node.process_watchdog import ChildWatch

END_TIMEOUT = 5.0
"""Seconds for a process to end after its parent, most: what is promised."""

FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
"""A process that starts another, and prints its number once it is under way."""

FOLLOWER = """
from blockio_plugin.node.process_watchdog import follow_parent
follow_parent()
follow_parent()
print("follows", flush=True)
{work}
"""

SLEEPS = "import time; time.sleep(60)"

IGNORES = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; " + SLEEPS

COMPUTES = "while True: pass"


@pytest.mark.parametrize("work", [SLEEPS, IGNORES, COMPUTES])
def test_ends_with_its_parent_whatever_it_does(work: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", FAMILY, FOLLOWER.format(work=work)], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    with parent:
        child = psutil.Process(int(parent.stdout.readline()))
        try:
            assert child.is_running()
            parent.kill()
            child.wait(END_TIMEOUT)
        finally:
            if child.is_running():
                child.kill()


SERVER = """
import socket, sys, time
if len(sys.argv) > 2:
    server = socket.socket(socket.AF_UNIX)
    server.bind(sys.argv[2])
    server.listen()
print("there", flush=True)
time.sleep(60)
"""
"""A process with a socket, if it is given a path; the argument before it is a mark."""


@pytest.fixture
def started() -> Iterator[List["subprocess.Popen[bytes]"]]:
    processes: List["subprocess.Popen[bytes]"] = []
    yield processes
    for process in processes:
        end(process)


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, *arguments], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    with process:
        process.kill()


def test_names_the_process_that_is_gone(
    tmp_path: Path, started: List["subprocess.Popen[bytes]"]
) -> None:
    for name in ("db", "networking"):
        started.append(start("asyncio_run_in_process", str(tmp_path / f"{name}.ipc")))
    watch = ChildWatch(tmp_path)
    assert watch.look() == []
    assert watch.look() == []
    end(started[1])
    [lost] = watch.look()
    assert (lost.pid, lost.endpoint) == (started[1].pid, "networking")
    assert str(lost) == f"the process networking ({started[1].pid}) is gone"


def test_a_process_that_has_no_socket_yet_counts(
    tmp_path: Path, started: List["subprocess.Popen[bytes]"]
) -> None:
    started.append(start("asyncio_run_in_process"))
    watch = ChildWatch(tmp_path)
    assert watch.look() == []
    end(started[0])
    [lost] = watch.look()
    assert str(lost) == f"the process of a component ({started[0].pid}) is gone"


def test_a_process_is_gone_before_anybody_asks_for_its_exit_code(
    tmp_path: Path, started: List["subprocess.Popen[bytes]"]
) -> None:
    started.append(start("asyncio_run_in_process", str(tmp_path / "db.ipc")))
    watch = ChildWatch(tmp_path)
    assert watch.look() == []
    started[0].kill()
    os.waitid(os.P_PID, started[0].pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(started[0].pid).status() == psutil.STATUS_ZOMBIE
    assert [lost.endpoint for lost in watch.look()] == ["db"]


def test_other_children_may_come_and_go(
    tmp_path: Path, started: List["subprocess.Popen[bytes]"]
) -> None:
    started.append(start("git", str(tmp_path / "x.ipc")))
    watch = ChildWatch(tmp_path)
    assert watch.look() == []
    end(started[0])
    assert watch.look() == []


async def test_run_ends_with_a_line_once_a_process_is_gone(
    tmp_path: Path,
    started: List["subprocess.Popen[bytes]"],
    caplog: pytest.LogCaptureFixture,
) -> None:
    started.append(start("asyncio_run_in_process", str(tmp_path / "db.ipc")))
    running = asyncio.ensure_future(ChildWatch(tmp_path).run())
    done, _ = await asyncio.wait({running}, timeout=0.1)
    assert not done
    end(started[0])
    await asyncio.wait_for(running, END_TIMEOUT)
    assert "so the node stops: the process db" in caplog.text


async def test_a_process_that_is_gone_is_named_though_another_noticed_first(
    tmp_path: Path,
    started: List["subprocess.Popen[bytes]"],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("db", "networking"):
        started.append(start("asyncio_run_in_process", str(tmp_path / f"{name}.ipc")))
    running = asyncio.ensure_future(ChildWatch(tmp_path).run())
    await asyncio.wait({running}, timeout=0.1)
    for process in started:
        end(process)
    running.cancel()
    await asyncio.wait({running})
    assert "so the node stops: the process db" in caplog.text
    assert f"and the process networking ({started[1].pid}) is gone" in caplog.text


async def test_a_node_that_is_stopped_names_no_process(
    tmp_path: Path,
    started: List["subprocess.Popen[bytes]"],
    caplog: pytest.LogCaptureFixture,
) -> None:
    started.append(start("asyncio_run_in_process", str(tmp_path / "db.ipc")))
    running = asyncio.ensure_future(ChildWatch(tmp_path).run())
    await asyncio.wait({running}, timeout=0.1)
    running.cancel()
    await asyncio.wait({running})
    assert caplog.text == ""
