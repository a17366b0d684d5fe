"""``trinity blockio watch``: the running node on a live screen, through its restarts."""
import argparse
import asyncio
from pathlib import Path
import time
from typing import Callable, Optional

from blockio_plugin.events import BlockIOStatus
from blockio_plugin.extras import needs_extra
from blockio_plugin.node.commands.ending import OK, run_until_end
from blockio_plugin.node.commands.report import make_report
from blockio_plugin.node.commands.running_node import NoNode, connect, find_ipc_dir
from blockio_plugin.node.commands.text import tell_line

with needs_extra("tools", "trinity blockio watch"):
    from rich.console import Console
    from rich.live import Live

    from blockio_plugin.node.commands.screen import Room, View, draw

LOOK_INTERVAL = 0.5
"""Seconds between two looks at the node, on a screen."""

LINE_INTERVAL = 5.0
"""Seconds between two lines where there is no terminal."""

RETRY_INTERVAL = 1.0
"""Seconds between two looks for a node that is not there."""

Show = Callable[[Optional[BlockIOStatus], Optional[str]], None]
"""Is given what the node says, or why it says nothing."""


def main(args: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    return run_until_end(_run(args), OK)


async def _run(args: argparse.Namespace) -> int:
    ipc_dir, console = find_ipc_dir(args), Console()
    if not console.is_terminal:
        await follow(ipc_dir, Lines(console).show, LINE_INTERVAL)
        return OK
    with Live(console=console, screen=True, auto_refresh=False) as live:
        screen = Screen(str(ipc_dir.parent), live)
        await follow(ipc_dir, screen.show, LOOK_INTERVAL)
    return OK


async def follow(ipc_dir: Path, show: Show, interval: float) -> None:
    """Tell ``show`` how the node is doing, for ever, whether it is there or not."""
    while True:
        try:
            async with connect(ipc_dir) as node:
                while True:
                    show(await node.ask_status(), None)
                    await asyncio.sleep(interval)
        except NoNode as err:
            show(None, str(err))
        await asyncio.sleep(RETRY_INTERVAL)


class Lines:
    """Shows plain lines, one for each look; that there is no node is said once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._trouble: Optional[str] = None

    def show(self, status: Optional[BlockIOStatus], trouble: Optional[str]) -> None:
        """Print it."""
        if status is not None:
            self._say(tell_line(make_report(status)))
        elif trouble is not None and trouble != self._trouble:
            self._say(f"{trouble}; waiting for it")
        self._trouble = trouble

    def _say(self, line: str) -> None:
        print(time.strftime("%H:%M:%S"), line, file=self._console.file, flush=True)


class Screen:
    """Shows the whole screen anew at each look. What a node said last stays while it is gone."""

    def __init__(self, place: str, live: Live) -> None:
        self._place = place
        self._live = live
        self._status: Optional[BlockIOStatus] = None
        self._seen_at = 0.0

    def show(self, status: Optional[BlockIOStatus], trouble: Optional[str]) -> None:
        """Draw it."""
        now = time.monotonic()
        if status is not None:
            self._status, self._seen_at = status, now
        view = View(self._place, self._status, now - self._seen_at, trouble)
        console = self._live.console
        room = Room(console.width, console.height, console.options.ascii_only)
        self._live.update(draw(view, room), refresh=True)
