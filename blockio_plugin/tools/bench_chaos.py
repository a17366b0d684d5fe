"""
Chaos: 10,000 networks drawn by chance, each played and judged.

Exits with 1 where one fails. ``python -m blockio_plugin.simulator --chaos SEED --write FILE.toml``
writes such a network as a scenario.
"""
from argparse import ArgumentParser
import json
from pathlib import Path
import sys
from typing import List, Optional

from rich.console import Console

from blockio_plugin.simulator.campaign import judge_seeds, sum_up
from blockio_plugin.simulator.trial import Verdict

SEEDS = 10_000
"""Networks that are drawn."""

PROCESSES = 2
"""Networks that are played at a time."""


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the bench; 0 where every network passes."""
    parser = ArgumentParser(prog="bench chaos", description=__doc__)
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="(default: 0)")
    parser.add_argument("--count", type=int, default=SEEDS, metavar="N", help="of networks")
    parser.add_argument("--jobs", type=int, default=PROCESSES, metavar="N", help="at a time")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the verdicts there")
    options = parser.parse_args(arguments)
    console, errors = Console(soft_wrap=True), Console(stderr=True)
    verdicts: List[Verdict] = []
    seeds = range(options.first, options.first + options.count)
    for verdict in judge_seeds(seeds, options.jobs, errors.print):
        verdicts.append(verdict)
        if verdict.failed is not None:
            console.print(str(verdict), markup=False, highlight=False)
    summary = sum_up(verdicts)
    console.print(str(summary), markup=False, highlight=False)
    if options.json is not None:
        rows = [verdict._asdict() for verdict in verdicts]
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if summary.is_cheap and not summary.failures else 1


if __name__ == "__main__":
    sys.exit(main())
