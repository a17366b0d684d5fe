"""The figures of the README, measured on this machine: a table, and JSON on standard output."""
import argparse
import asyncio
import json
from pathlib import Path
import sys
import tempfile
from typing import Callable, Dict, List, Sequence

from rich.console import Console

from blockio_plugin.tools import bench_chain, bench_sync
from blockio_plugin.tools.bench_report import Figure, make_table
from blockio_plugin.tools.display import Display

Part = Callable[[Sequence[str], Display], int]
"""Runs a part with the rest of the command line; the exit status."""


def run_sync(arguments: Sequence[str], display: Display) -> int:
    """Whole nodes that sync a chain."""
    loop = asyncio.get_event_loop()
    with tempfile.TemporaryDirectory(prefix="blockio-") as directory:
        figures = loop.run_until_complete(bench_sync.measure(Path(directory), display))
    return report("sync", figures, display)


def run_chain(arguments: Sequence[str], display: Display) -> int:
    """The chain side of nodes: importing, following, serving, memory, crashes."""
    loop = asyncio.get_event_loop()
    with tempfile.TemporaryDirectory(prefix="blockio-") as directory:
        figures = loop.run_until_complete(bench_chain.measure(Path(directory), display))
    return report("chain", figures, display)


def report(title: str, figures: List[Figure], display: Display) -> int:
    """Print figures; the exit status says whether all are met."""
    display.console.print(make_table(title, figures))
    json.dump([figure.as_dict() for figure in figures], sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0 if all(figure.is_met for figure in figures) else 1


PARTS: Dict[str, Part] = {"sync": run_sync, "chain": run_chain}
"""The parts by name, in the order in which all are run."""


def main() -> int:
    """Run one part, or all of them."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=sorted(PARTS), help="the part to run (all)")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for the part")
    args = parser.parse_args()
    display = Display(Console(stderr=True))
    names = list(PARTS) if args.part is None else [args.part]
    statuses = [PARTS[name](args.arguments, display) for name in names]
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
