"""The figures of the README, measured on this machine, as tables and as JSON."""
import argparse
import asyncio
import json
from pathlib import Path
import sys
import tempfile
from typing import Callable, Dict, List, Sequence

from rich.console import Console

from blockio_plugin.tools import bench_bus, bench_chain, bench_chaos, bench_scheduler, bench_sync
from blockio_plugin.tools.bench_report import BenchRun, Figure, Part, make_table
from blockio_plugin.tools.display import Display

NODE_PARTS: Dict[str, Part] = {
    "sync": bench_sync.PART,
    "chain": bench_chain.PART,
    "bus": bench_bus.PART,
}
"""The parts that run processes of their own."""

PLAYED_PARTS: Dict[str, Callable[[List[str]], int]] = {
    "scheduler": bench_scheduler.main,
    "chaos": bench_chaos.main,
}
"""The parts that play modelled networks."""

PARTS = (*PLAYED_PARTS, *NODE_PARTS)
"""All parts, in the order in which they are run."""


def run_nodes(part: str, arguments: Sequence[str]) -> int:
    """Run a part with real nodes; 0 where all figures are met."""
    sections = NODE_PARTS[part].sections
    parser = argparse.ArgumentParser(prog=f"bench {part}")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the figures there")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=sections,
        default=sections,
        metavar="SECTION",
        help=f"measure these alone, of {', '.join(sections)}",
    )
    options = parser.parse_args(arguments)
    display = Display(Console())
    figures: List[Figure] = []
    try:
        with tempfile.TemporaryDirectory(prefix="blockio-") as directory:
            measuring = NODE_PARTS[part].measure(
                BenchRun(Path(directory), display, frozenset(options.only), figures)
            )
            asyncio.get_event_loop().run_until_complete(measuring)
    finally:
        display.console.print(make_table(part, figures))
        if options.json is not None:
            rows = [figure.as_dict() for figure in figures]
            options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(figure.is_met for figure in figures) else 1


def run(part: str, arguments: Sequence[str]) -> int:
    """Run one part with its own arguments."""
    if part in PLAYED_PARTS:
        return PLAYED_PARTS[part](list(arguments))
    return run_nodes(part, arguments)


def main() -> int:
    """Run one part, or all of them."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="the part to run; all where absent")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the part, like --json")
    args = parser.parse_args()
    if args.part is not None:
        return run(args.part, args.arguments)
    return max([run(part, ()) for part in PARTS])


if __name__ == "__main__":
    sys.exit(main())
