"""
Play a scenario, or networks that are drawn by chance.

    python -m blockio_plugin.simulator SCENARIO.toml [--seed N] [--json] [--plot OUT.svg] [--judge]
    python -m blockio_plugin.simulator --family NAME [--count N] [--seed S] [--write FILE.toml]
    python -m blockio_plugin.simulator --chaos SEED [--count N] [--write FILE.toml] [--shrink]
"""
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
import json
from pathlib import Path
import sys
from typing import List, Optional

from blockio_plugin.extras import needs_extra

with needs_extra("tools", "python -m blockio_plugin.simulator"):
    from rich.console import Console
    from rich.table import Table

    from blockio_plugin.simulator.campaign import judge_seeds, sum_up
    from blockio_plugin.simulator.chaos import draw_chaos
    from blockio_plugin.simulator.families import FAMILIES, draw_network
    from blockio_plugin.simulator.models import Scenario
    from blockio_plugin.simulator.result import Result
    from blockio_plugin.simulator.run import Run
    from blockio_plugin.simulator.sampling import play_samples
    from blockio_plugin.simulator.sampling import sum_up as sum_up_family
    from blockio_plugin.simulator.scenario import ScenarioError, load_scenario
    from blockio_plugin.simulator.shrinking import shrink
    from blockio_plugin.simulator.trial import Verdict, judge
    from blockio_plugin.simulator.writing import write_scenario

BAD_INPUT = 2
"""Exit code where the scenario cannot be used."""

FAMILY_COUNT = 30
"""Networks of a family that are played where it is not said how many."""

UNFINISHED = 1
"""Exit code where the run came to the scenario's limit, or failed a check."""


def parse_arguments() -> ArgumentParser:
    """The command line."""
    parser = ArgumentParser(
        prog="python -m blockio_plugin.simulator",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", type=Path, nargs="?", metavar="SCENARIO.toml")
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (default: 1)")
    parser.add_argument("--json", action="store_true", help="write the result as one JSON object")
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="OUT.svg",
        help="draw what happened; of a family, with the worst network",
    )
    parser.add_argument(
        "--judge", action="store_true", help="check the run as those of --chaos are checked"
    )
    parser.add_argument(
        "--family",
        metavar="NAME",
        help=f"draw networks of a family, from --seed on, and play them: {', '.join(FAMILIES)}",
    )
    parser.add_argument(
        "--chaos", type=int, metavar="SEED", help="draw a network by chance, and judge its run"
    )
    parser.add_argument(
        "--count",
        type=int,
        metavar="N",
        help=f"draw those of N seeds (default: 1, and {FAMILY_COUNT} of a family)",
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="play so many at a time (default: 1)"
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE.toml",
        help="write the first network that fails there, or the worst one of a family",
    )
    parser.add_argument(
        "--shrink", action="store_true", help="make it smaller before, as long as it still fails"
    )
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
    """Play one scenario, or draw and judge; the exit code."""
    parser = parse_arguments()
    options = parser.parse_args(arguments)
    asked = (options.scenario, options.family, options.chaos)
    if sum(each is not None for each in asked) != 1:
        parser.error("one of a scenario, --family and --chaos is needed")
    if options.count is not None and options.count < 1:
        parser.error("--count is below 1")
    if options.family is not None:
        return sample(options)
    if options.chaos is not None:
        return search(options)
    try:
        scenario = load_scenario(options.scenario)
    except ScenarioError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    if options.judge:
        verdict = judge(scenario, options.seed)
        print(verdict, flush=True)
        keep(options, scenario, verdict)
        return 0 if verdict.failed is None else UNFINISHED
    result = play(scenario, options.seed, options.plot)
    if options.json:
        sys.stdout.write(json.dumps(result.to_json()) + "\n")
    else:
        show(result, scenario.name)
    return 0 if result.finished else UNFINISHED


def play(scenario: Scenario, seed: int, picture: Optional[Path]) -> Result:
    """Play a scenario, and draw what happened to where it is asked for."""
    run = Run(scenario, seed, traced=picture is not None)
    result = run.play()
    if picture is not None:
        from blockio_plugin.simulator.plot import draw

        draw(scenario, result, run.trace, picture)
    return result


def sample(options: Namespace) -> int:
    """Draw and play networks of a family, tell of all, and keep the worst; the exit code."""
    if options.family not in FAMILIES:
        tell(f"--family {options.family}: unknown; there are {', '.join(FAMILIES)}")
        return BAD_INPUT
    seeds = range(options.seed, options.seed + (options.count or FAMILY_COUNT))
    samples = []
    for found in play_samples(options.family, seeds, options.jobs):
        samples.append(found)
        tell(f"{len(samples)} of {len(seeds)}: seed {found.seed}, ratio {found.ratio:.3f}")
    summary = sum_up_family(options.family, samples)
    print(json.dumps(summary.to_json()) if options.json else summary, flush=True)
    seed, ratio = summary.worst_seeds[0]
    worst = draw_network(options.family, seed)
    if options.write is not None:
        replay = f"python -m blockio_plugin.simulator FILE --seed {seed}"
        comment = f"{options.family}, seed {seed}: {ratio:.3f} times the bound\n{replay}"
        options.write.write_text(write_scenario(worst, comment))
    if options.plot is not None:
        play(worst, seed, options.plot)
    return 0 if summary.is_sound else UNFINISHED


def search(options: Namespace) -> int:
    """Draw and judge networks, and tell of those that fail; the exit code."""
    count = options.count or 1
    seeds = range(options.chaos, options.chaos + count)
    verdicts: List[Verdict] = []
    is_kept = False
    for verdict in judge_seeds(seeds, options.jobs, tell):
        verdicts.append(verdict)
        if verdict.failed is not None or count == 1:
            print(verdict, flush=True)
            if not is_kept:
                keep(options, draw_chaos(verdict.seed), verdict)
                is_kept = True
    summary = sum_up(verdicts)
    print(summary)
    return 0 if summary.is_cheap and not summary.failures else UNFINISHED


def keep(options: Namespace, scenario: Scenario, verdict: Verdict) -> None:
    """Write a network to where it is asked for; smaller before, where that is asked for."""
    if options.shrink and verdict.failed is not None:
        scenario, verdict = shrink(scenario, verdict, lambda smaller: tell(f"smaller: {smaller}"))
        print(f"shrunk: {verdict}", flush=True)
    if options.write is not None:
        replay = f"python -m blockio_plugin.simulator FILE --seed {verdict.seed} --judge"
        options.write.write_text(write_scenario(scenario, f"{verdict}\n{replay}"))


def tell(words: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
