"""``trinity blockio status``: says how the running node is doing."""
import argparse
import asyncio
import json
from pathlib import Path

from blockio_plugin.node.commands.ending import OK, run_until_end
from blockio_plugin.node.commands.report import StatusReport, make_report
from blockio_plugin.node.commands.running_node import connect, find_ipc_dir
from blockio_plugin.node.commands.text import tell_status

WATCH_INTERVAL = 2.0
"""Seconds between two looks with ``--watch``."""


def main(args: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    # Who watches has seen what there was to see.
    interrupted = {"interrupted": OK} if args.watch else {}
    return run_until_end(_run(args), **interrupted)


async def _run(args: argparse.Namespace) -> int:
    await show_status(find_ipc_dir(args), args.json, args.watch)
    return OK


async def show_status(ipc_dir: Path, as_json: bool, is_watching: bool) -> None:
    """
    Print the status: once, or again and again.

    :raise NoNode: there is none, or no more
    """
    async with connect(ipc_dir) as node:
        while True:
            report = make_report(await node.ask_status())
            print(render(report, as_json, is_watching), flush=True)
            if not is_watching:
                return
            await asyncio.sleep(WATCH_INTERVAL)


def render(report: StatusReport, as_json: bool, is_one_of_many: bool) -> str:
    """
    The status as text.

    :param is_one_of_many: one line for each JSON object, an empty line between two texts
    """
    if as_json:
        return json.dumps(report.to_json(), indent=None if is_one_of_many else 2)
    return "\n".join(tell_status(report)) + ("\n" if is_one_of_many else "")
