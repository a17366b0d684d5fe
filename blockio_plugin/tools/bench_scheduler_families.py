"""The families' part of the scheduler's bench: ratios to the lower bound beside what to reach."""
from typing import Callable, List, NamedTuple, Sequence

from rich.table import Table

from blockio_plugin.simulator.sampling import FamilySummary, play_samples, sum_up

NETWORKS = 30
"""Networks of each family."""

FIRST_SEED = 1
"""Seed of the first of them."""


class FamilyGoal(NamedTuple):
    """The most that the ratios of a family may be."""

    family: str
    median: float
    p90: float
    worst: float


FAMILY_GOALS = (
    FamilyGoal("own-link", 1.01, 1.04, 1.11),
    FamilyGoal("own-link-even", 1.01, 1.05, 1.06),
    FamilyGoal("layouts-own-link", 1.02, 1.07, 1.3),
    FamilyGoal("layouts", 1.06, 1.15, 1.4),
    FamilyGoal("overhead", 1.20, 1.45, 1.8),
    FamilyGoal("window", 1.20, 1.40, 1.8),
    FamilyGoal("steps", 1.12, 1.30, 1.6),
    FamilyGoal("small-answers", 1.10, 1.25, 1.4),
    FamilyGoal("jitter", 1.06, 1.12, 1.3),
    FamilyGoal("sparse", 1.15, 1.30, 1.5),
    FamilyGoal("many", 1.12, 1.20, 1.3),
    FamilyGoal("bucket", 1.05, 1.09, 1.10),
    FamilyGoal("churn", 1.06, 1.09, 1.12),
    FamilyGoal("partial", 1.02, 1.02, 1.02),
    FamilyGoal("sizes", 1.12, 1.25, 1.5),
    FamilyGoal("own-link-bytes", 1.05, 1.12, 1.3),
    FamilyGoal("mixed", 1.15, 1.35, 1.8),
)
"""What each family must reach; where a figure is to hold, what was first seen of it."""


class FamilyRow(NamedTuple):
    """What came of a family, and its goal."""

    summary: FamilySummary
    goal: FamilyGoal

    @property
    def is_met(self) -> bool:
        """Whether all three ratios are within the goal as told, and nothing else went wrong."""
        summary, goal = self.summary, self.goal
        return (
            summary.is_sound
            and round(summary.median, 2) <= goal.median
            and round(summary.p90, 2) <= goal.p90
            and round(summary.worst, 2) <= goal.worst
        )


def measure_families(processes: int, note: Callable[[str], None]) -> List[FamilyRow]:
    """
    Play all families, ``processes`` networks at a time.

    :param note: is told of each family what came of it
    """
    seeds = range(FIRST_SEED, FIRST_SEED + NETWORKS)
    rows: List[FamilyRow] = []
    for goal in FAMILY_GOALS:
        summary = sum_up(goal.family, list(play_samples(goal.family, seeds, processes)))
        note(str(summary))
        rows.append(FamilyRow(summary, goal))
    return rows


def make_family_table(rows: Sequence[FamilyRow]) -> Table:
    """The table of the families."""
    table = Table(title=f"Families, time over the lower bound: {NETWORKS} networks of each")
    for heading in ("family", "median", "goal", "p90", "goal", "worst", "goal"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    for heading in ("seeds of the worst", "unfinished", "banned", "CPU %", "met"):
        table.add_column(heading, justify="right")
    for row in rows:
        summary, goal = row.summary, row.goal
        table.add_row(
            summary.family,
            f"{summary.median:.3f}",
            f"{goal.median:.2f}",
            f"{summary.p90:.3f}",
            f"{goal.p90:.2f}",
            f"{summary.worst:.3f}",
            f"{goal.worst:.2f}",
            ", ".join(str(seed) for seed, _ in summary.worst_seeds),
            str(summary.unfinished),
            str(summary.honest_banned),
            f"{100 * summary.cpu_share:.1f}",
            "yes" if row.is_met else "NO",
        )
    return table
