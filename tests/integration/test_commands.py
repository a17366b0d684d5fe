"""``trinity blockio ...`` as people use it, on real nodes."""
import asyncio
import contextlib
import fcntl
import json
import os
from pathlib import Path
import pty
import re
import signal
import struct
import termios
import time
from typing import Any, AsyncIterator, List, Tuple

import pytest
from trinity_command import COMMAND_TIMEOUT, TRINITY, run_trinity

from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.shaped_link import ShapedLink

pytestmark = pytest.mark.integration

SYNC_TIMEOUT = 60.0
"""Seconds for a sync of some hundred blocks, most."""

NO_NODE_TIME = 3.0
"""Seconds until it is said that there is no node, on an idle machine."""

LEAVE_SCREEN = b"\x1b[?1049l"
"""What gives a terminal back the screen that it had before."""

SHOW_CURSOR = b"\x1b[?25h"


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, master: int, process: asyncio.subprocess.Process) -> None:
        self._master = master
        self.process = process
        self.output = b""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, columns: int, *flags: str) -> AsyncIterator["Terminal"]:
        """Run ``trinity`` with flags on a terminal of so many columns."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        process = await asyncio.create_subprocess_exec(
            TRINITY,
            *flags,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"},
        )
        os.close(slave)
        terminal = cls(master, process)
        loop = asyncio.get_event_loop()
        loop.add_reader(master, terminal._read)
        try:
            yield terminal
        finally:
            loop.remove_reader(master)
            os.close(master)
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _read(self) -> None:
        try:
            self.output += os.read(self._master, 2 ** 16)
        except OSError:
            # Its other end is closed.
            asyncio.get_event_loop().remove_reader(self._master)

    def screen(self) -> str:
        """What was drawn last, without colours."""
        last = self.output.rpartition(b"\x1b[H")[2]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last.decode(errors="replace"))

    async def wait_for(self, text: str) -> str:
        """Wait until the screen shows ``text``; all that it shows."""
        deadline = time.monotonic() + COMMAND_TIMEOUT
        while text not in self.screen():
            assert time.monotonic() < deadline, self.screen()
            await asyncio.sleep(0.1)
        return self.screen()

    async def press_ctrl_c(self) -> int:
        """The exit status of the command."""
        self.process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(self.process.wait(), COMMAND_TIMEOUT)


async def time_of_trinity() -> float:
    """Seconds that Trinity takes to say its version, now."""
    began_at = time.monotonic()
    await run_trinity("--version")
    return time.monotonic() - began_at


@pytest.mark.parametrize("command", ["status", "status --json", "status --watch"])
async def test_no_node_is_said_in_one_line(directory: Path, command: str) -> None:
    limit = max(NO_NODE_TIME, 2 * await time_of_trinity())
    began_at = time.monotonic()
    outcome = await run_trinity("--data-dir", str(directory / "n"), "blockio", *command.split())
    assert time.monotonic() - began_at < limit
    assert outcome == (1, "", f"no node runs on {directory / 'n'}\n")
    assert not list(directory.iterdir()), "something was made"


async def test_a_node_is_looked_for_below_the_root(directory: Path) -> None:
    root = ("--trinity-root-dir", str(directory))
    outcome = await run_trinity(*root, "--network-id", "5", "blockio", "status")
    assert outcome.err == f"no node runs on {directory / 'goerli'}\n"
    outcome = await run_trinity(*root, "--network-id", "77", "blockio", "status")
    assert outcome == (1, "", "--network-id 77 needs --data-dir to find the node by\n")


@pytest.mark.parametrize("command", [[], ["stauts"], ["status", "--yaml"]])
async def test_commands_that_are_none(directory: Path, command: List[str]) -> None:
    outcome = await run_trinity("--data-dir", str(directory / "n"), "blockio", *command)
    assert outcome.status == 2 and outcome.out == ""
    assert "Traceback" not in outcome.err and "usage: trinity" in outcome.err


async def test_a_node_that_was_killed_and_one_without_block_io(
    mined: Any, directory: Path
) -> None:
    config = mined.configure(directory / "n", True)
    find = ("--data-dir", str(directory / "n"), "blockio", "status")
    async with NodeProcess.run(config) as node:
        assert (await run_trinity(*find)).status == 0
        node.kill()
        await node.wait()
        outcome = await run_trinity(*find)
        left = "what is there was left by one that was killed"
        assert outcome == (1, "", f"no node runs on {directory / 'n'}; {left}\n")
    vanilla = mined.configure(directory / "v", True)._replace(view_scheme=None)
    async with NodeProcess.run(vanilla):
        outcome = await run_trinity("--data-dir", str(directory / "v"), "blockio", "status")
        assert outcome.status == 1
        assert outcome.err.startswith(f"the node on {directory / 'v'} runs without block I/O")


@contextlib.asynccontextmanager
async def syncing(
    mined: Any, directory: Path, rate: float
) -> AsyncIterator[Tuple[NodeProcess, NodeProcess, ShapedLink]]:
    """An archive, and a node that syncs from it over a link of so many bytes a second."""
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        async with ShapedLink.open(archive.port, rate) as link:
            config = mined.configure(directory / "f", False, archive.enode(link.port))
            async with NodeProcess.run(config) as fresh:
                yield archive, fresh, link


async def test_the_status_of_both_ends(mined: Any, directory: Path) -> None:
    at_fresh = ("--data-dir", str(directory / "f"), "blockio", "status")
    async with syncing(mined, directory, 8_000.0) as (archive, fresh, link):
        probe = HeadProbe(fresh.config.data_dir)
        await probe.wait_for(20, SYNC_TIMEOUT)
        said = {"target_number": None}
        while said["target_number"] is None:
            # Its number is asked of the peer, and the answer comes behind what was asked before.
            outcome = await run_trinity(*at_fresh, "--json")
            assert (outcome.status, outcome.err) == (0, "")
            said = json.loads(outcome.out)
            assert said["syncing"] and said["role"] == "drives"
        assert said["head_number"] >= 20 and said["imported_blocks"] == said["head_number"]
        assert said["target_number"] == mined.recipe.blocks
        assert said["percent"] == 100 * said["head_number"] / mined.recipe.blocks
        assert said["blocks_per_second"] > 0 and said["bytes_per_second"] > 0
        assert said["eta_seconds"] > 0
        (peer,) = said["peers"]
        assert "0x" + peer["node_id"] == archive.key.public_key.to_hex()
        assert peer["address"] == f"127.0.0.1:{link.port}"
        assert peer["client"].startswith("Trinity/")
        assert peer["covered_views"] == peer["head_view"] + 1
        assert peer["blocks"] > 0 and peer["score"] > 0
        text = await run_trinity(*at_fresh)
        assert text.out.startswith("Block I/O drives the chain, view scheme slot:12\nSyncing: ")

        link.rate = None
        await probe.wait_for(mined.recipe.blocks, SYNC_TIMEOUT)
        many = await run_trinity(*at_fresh, "--json", "--watch", stop_after=10.0)
        assert (many.status, many.err) == (0, "")
        lines = [json.loads(line) for line in many.out.splitlines()]
        assert lines[-1]["percent"] == 100.0 and not lines[-1]["syncing"]
        at_archive = ("--data-dir", str(directory / "a"), "blockio", "status")
        served = json.loads((await run_trinity(*at_archive, "--json")).out)
        assert served["served_blocks"] >= mined.recipe.blocks
        assert served["served_bytes"] > 100 * served["served_blocks"]


@pytest.mark.parametrize("columns", [80, 120])
async def test_the_screen_survives_a_restart_of_the_node(
    mined: Any, directory: Path, columns: int
) -> None:
    flags = ("--data-dir", str(directory / "f"), "blockio", "watch")
    async with syncing(mined, directory, 8_000.0) as (_, fresh, link):
        async with Terminal.open(columns, *flags) as terminal:
            screen = await terminal.wait_for(f"of {mined.recipe.blocks} blocks")
            for part in ("progress", "blocks/s", "views", "Trinity/", "joined: Trinity/"):
                assert part in screen
            assert max(map(len, screen.splitlines())) <= columns
            await fresh.stop()
            await terminal.wait_for("(as it was ")
            link.rate = None
            await fresh.start()
            await terminal.wait_for(f"at block {mined.recipe.blocks}")
            assert await terminal.press_ctrl_c() == 0
            await asyncio.sleep(0.2)
            assert LEAVE_SCREEN in terminal.output and SHOW_CURSOR in terminal.output
            assert b"Traceback" not in terminal.output


async def test_plain_lines_where_there_is_no_terminal(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)):
        flags = ("--data-dir", str(directory / "a"), "blockio", "watch")
        outcome = await run_trinity(*flags, stop_after=15.0)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert len(lines) >= 2
    for line in lines:
        assert re.match(r"\d\d:\d\d:\d\d (At|Syncing: at) block 400 \(view \d+\)", line), line
