"""
The bench of the scheduling core: ratios to the lower bound, of the standing scenarios and of
families of networks; cost of planning, memory, view sets.

Runs in two processes. Exits with 1 where a figure is missed.
"""
from argparse import ArgumentParser
import json
from multiprocessing import Pool
from pathlib import Path
from statistics import median
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from rich.console import Console
from rich.table import Table

from blockio_plugin.simulator.layouts import draw_layout, perturb
from blockio_plugin.simulator.result import Result
from blockio_plugin.simulator.run import simulate
from blockio_plugin.simulator.scenario import load_scenario
from blockio_plugin.tools.bench_scheduler_costs import REPEATS, Figure, measure_costs
from blockio_plugin.tools.bench_scheduler_families import (
    FamilyRow,
    make_family_table,
    measure_families,
)

SEEDS = (1, 2, 3)
"""Seeds of the fixed column; the median counts."""

PERTURBED = 12
"""Perturbed runs; the worst counts."""

LAYOUTS = 100
"""Random layouts."""

PROCESSES = 2
"""Runs at a time."""

TABLE_WIDTH = 120
"""Columns of text that the tables need, whatever the terminal has."""

PARTS = ("scenarios", "families")
"""What can be measured alone."""

UNFINISHED = 1e6
"""Ratio of a run that did not finish."""


class Goal(NamedTuple):
    """The most that the ratios of a standing scenario may be; ``perturbed`` None: not asked."""

    name: str
    fixed: float
    perturbed: Optional[float]


GOALS = (
    Goal("uneven", 1.10, 1.25),
    Goal("long-fat", 1.30, 1.60),
    Goal("nested", 1.06, 1.10),
    Goal("nested-mirrored", 1.06, 1.10),
    Goal("black-hole", 1.15, 1.20),
    Goal("empty-liars", 1.05, 1.08),
    Goal("omitters", 1.06, 1.08),
    Goal("chasm", 1.20, 1.30),
    Goal("chasm-wide", 1.20, 1.30),
    Goal("forgers", 1.06, 1.10),
    Goal("own-link", 1.05, 1.10),
    Goal("quotas", 1.10, 1.25),
    Goal("straggler", 1.15, 1.40),
    Goal("window", 1.10, 1.25),
    Goal("slow-drip", 1.30, 1.40),
    Goal("flip", 1.05, 1.08),
    Goal("churn", 1.06, 1.08),
    Goal("scale", 1.10, None),
    Goal("nobody-has-it", 1.15, None),
)
"""The standing scenarios and what they must reach."""


class Row(NamedTuple):
    """What the runs of one standing scenario came to; counts are of the median run."""

    name: str
    fixed: float
    fixed_goal: float
    perturbed: Optional[float]
    perturbed_goal: Optional[float]
    seconds: float
    lower_bound: float
    duplicates: int
    requests: int
    cpu_seconds: float
    cpu_share: float

    @property
    def is_met(self) -> bool:
        """Whether both columns are within their goals."""
        if self.perturbed is not None and self.perturbed_goal is not None:
            return self.fixed <= self.fixed_goal and self.perturbed <= self.perturbed_goal
        return self.fixed <= self.fixed_goal


class Job(NamedTuple):
    """One run: a standing scenario (perturbed or not), or, with no path, a random layout."""

    path: Optional[Path]
    seed: int
    is_perturbed: bool


def play(job: Job) -> Result:
    """Play one run."""
    if job.path is None:
        return simulate(draw_layout(job.seed), job.seed)
    scenario = load_scenario(job.path)
    if job.is_perturbed:
        scenario = perturb(scenario, job.seed)
    return simulate(scenario, job.seed)


def ratio(result: Result) -> float:
    """Its ratio, out of reach where it did not finish."""
    return result.ratio if result.finished else UNFINISHED


def make_jobs(goal: Goal, scenarios: Path) -> List[Job]:
    """The runs that a standing scenario needs."""
    path = scenarios / f"{goal.name}.toml"
    jobs = [Job(path, seed, False) for seed in SEEDS]
    if goal.perturbed is not None:
        jobs.extend(Job(path, seed, True) for seed in range(PERTURBED))
    return jobs


def sum_up(goal: Goal, results: Sequence[Result]) -> Row:
    """One row of the table."""
    count = len(SEEDS)
    fixed = sorted(results[:count], key=ratio)[len(SEEDS) // 2]
    perturbed = results[count:]
    return Row(
        name=goal.name,
        fixed=ratio(fixed),
        fixed_goal=goal.fixed,
        perturbed=max(map(ratio, perturbed)) if perturbed else None,
        perturbed_goal=goal.perturbed,
        seconds=fixed.seconds,
        lower_bound=fixed.lower_bound,
        duplicates=fixed.duplicates,
        requests=fixed.requests,
        cpu_seconds=fixed.cpu_seconds,
        cpu_share=fixed.cpu_seconds / fixed.seconds,
    )


def measure_share(scenarios: Path) -> float:
    """CPU over virtual time of ``scale``, played alone: two runs at a time slow each other down."""
    job = Job(scenarios / "scale.toml", SEEDS[0], False)
    results = [play(job) for _ in range(REPEATS)]
    return min(result.cpu_seconds / result.seconds for result in results)


def measure(scenarios: Path) -> Tuple[List[Row], List[Figure]]:
    """Run everything."""
    with Pool(PROCESSES) as pool:
        jobs = [make_jobs(goal, scenarios) for goal in GOALS]
        layouts = [Job(None, seed, False) for seed in range(LAYOUTS)]
        flat = [job for group in jobs for job in group] + layouts
        results = pool.map(play, flat, chunksize=1)
    rows: List[Row] = []
    start = 0
    for goal, group in zip(GOALS, jobs):
        end = start + len(group)
        rows.append(sum_up(goal, results[start:end]))
        start = end
    ratios = sorted(map(ratio, results[start:]))
    figures = [
        Figure("random layouts, median ratio", median(ratios), 1.10),
        Figure("random layouts, 90th percentile", ratios[len(ratios) * 9 // 10], 1.25),
        Figure("random layouts, worst", ratios[-1], None),
        Figure("random layouts, unfinished", float(ratios.count(UNFINISHED)), 0.0),
        Figure("scale: CPU over virtual time", measure_share(scenarios), 0.05),
    ]
    return rows, figures + measure_costs()


def show(rows: Sequence[Row], figures: Sequence[Figure], console: Console) -> None:
    """Write the tables of the standing scenarios and of the other figures."""
    table = Table(title="Time over the lower bound: median of 3 seeds, worst of 12 perturbed")
    for heading in ("scenario", "fixed", "goal", "perturbed", "goal", "s", "bound s"):
        table.add_column(heading, justify="left" if heading == "scenario" else "right")
    for heading in ("duplicates", "requests", "CPU s", "CPU %", "met"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.fixed:.3f}",
            f"{row.fixed_goal:.2f}",
            "-" if row.perturbed is None else f"{row.perturbed:.3f}",
            "-" if row.perturbed_goal is None else f"{row.perturbed_goal:.2f}",
            f"{row.seconds:.2f}",
            f"{row.lower_bound:.2f}",
            str(row.duplicates),
            str(row.requests),
            f"{row.cpu_seconds:.2f}",
            f"{100 * row.cpu_share:.1f}",
            "yes" if row.is_met else "NO",
        )
    console.print(table)
    other = Table("figure", "value", "goal", "met", title="Layouts, cost, memory, view sets")
    for figure in figures:
        goal = "-" if figure.goal is None else f"{figure.goal:g}"
        other.add_row(figure.name, f"{figure.value:.4g}", goal, "yes" if figure.is_met else "NO")
    console.print(other)


def to_json(
    rows: Sequence[Row], figures: Sequence[Figure], families: Sequence[FamilyRow]
) -> Dict[str, Any]:
    """Everything as plain values."""
    return {
        "scenarios": [{**row._asdict(), "met": row.is_met} for row in rows],
        "figures": [{**figure._asdict(), "met": figure.is_met} for figure in figures],
        "families": [
            {**row.summary.to_json(), "goal": row.goal._asdict(), "met": row.is_met}
            for row in families
        ],
    }


def tell(words: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the bench; 0 where all figures are met."""
    parser = ArgumentParser(prog="bench scheduler", description=__doc__)
    parser.add_argument("--scenarios", type=Path, default=Path("fixtures/scenarios"))
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write the figures there")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, help="measure these alone"
    )
    options = parser.parse_args(arguments)
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)
    rows: List[Row] = []
    figures: List[Figure] = []
    families: List[FamilyRow] = []
    if "scenarios" in options.only:
        rows, figures = measure(options.scenarios)
        show(rows, figures, console)
    if "families" in options.only:
        families = measure_families(PROCESSES, tell)
        console.print(make_family_table(families))
    if options.json is not None:
        options.json.write_text(json.dumps(to_json(rows, figures, families), indent=2) + "\n")
    met = [item.is_met for item in rows] + [item.is_met for item in figures]
    return 0 if all(met + [item.is_met for item in families]) else 1


if __name__ == "__main__":
    sys.exit(main())
