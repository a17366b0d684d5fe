"""Play a scenario: ``python -m blockio_plugin.simulator SCENARIO.toml [--seed N] [--json]``."""
from argparse import ArgumentParser
import json
from pathlib import Path
import sys
from typing import List, Optional

from rich.console import Console
from rich.table import Table

from blockio_plugin.simulator.result import Result
from blockio_plugin.simulator.run import Run
from blockio_plugin.simulator.scenario import ScenarioError, load_scenario

BAD_INPUT = 2
"""Exit code where the scenario cannot be used."""

UNFINISHED = 1
"""Exit code where the run came to the scenario's limit."""


def parse_arguments() -> ArgumentParser:
    """The command line."""
    parser = ArgumentParser(prog="python -m blockio_plugin.simulator", description=__doc__)
    parser.add_argument("scenario", type=Path, metavar="SCENARIO.toml")
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (default: 1)")
    parser.add_argument("--json", action="store_true", help="write the result as one JSON object")
    parser.add_argument("--plot", type=Path, metavar="OUT.svg", help="draw what happened")
    return parser


def show(result: Result, name: str) -> None:
    """Write the result for people."""
    console = Console()
    state = "finished" if result.finished else "NOT finished"
    console.print(
        f"{name}: {state} after {result.seconds:.2f} s, lower bound {result.lower_bound:.2f} s, "
        f"ratio {result.ratio:.3f}"
    )
    console.print(
        f"{result.blocks} blocks, {result.duplicates} duplicates, {result.requests} requests, "
        f"{result.timeouts} time-outs, at most {result.max_in_flight} blocks in flight and "
        f"{result.max_held} held, {result.cpu_seconds:.2f} s of CPU"
    )
    if result.delays is not None:
        console.print(
            f"new blocks after {result.delays.median:.2f} s in the median, "
            f"{result.delays.worst:.2f} s at worst"
        )
    if result.unavailable:
        console.print("nobody has views " + ", ".join(map(str, result.unavailable)))
    table = Table("peer", "requests", "blocks", "score (ms per block)", "banned")
    for peer in result.peers:
        score = f"{peer.score * 1000:.2f}" if peer.score else "-"
        table.add_row(
            peer.name, str(peer.requests), str(peer.blocks), score, "yes" if peer.banned else ""
        )
    console.print(table)


def main(arguments: Optional[List[str]] = None) -> int:
    """Play one scenario; the exit code."""
    options = parse_arguments().parse_args(arguments)
    try:
        scenario = load_scenario(options.scenario)
    except ScenarioError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    run = Run(scenario, options.seed, traced=options.plot is not None)
    result = run.play()
    if options.json:
        sys.stdout.write(json.dumps(result.to_json()) + "\n")
    else:
        show(result, scenario.name)
    if options.plot is not None:
        from blockio_plugin.simulator.plot import draw

        draw(scenario, result, run.trace, options.plot)
    return 0 if result.finished else UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
