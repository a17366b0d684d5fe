"""The families' goals, and when they are met."""
from blockio_plugin.simulator.families import FAMILIES
from blockio_plugin.simulator.sampling import Sample, sum_up
from blockio_plugin.tools.bench_scheduler_families import (
    FAMILY_GOALS,
    FamilyGoal,
    FamilyRow,
    make_family_table,
)


def row(*ratios: float, banned: int = 0) -> FamilyRow:
    samples = [Sample(seed, ratio, 10.0, banned, 0.1) for seed, ratio in enumerate(ratios)]
    return FamilyRow(sum_up("x", samples), FamilyGoal("x", 1.10, 1.20, 1.30))


def test_each_family_has_a_goal() -> None:
    assert [goal.family for goal in FAMILY_GOALS] == list(FAMILIES)
    assert all(1.0 < goal.median <= goal.p90 <= goal.worst for goal in FAMILY_GOALS)


def test_a_goal_is_met_where_each_of_its_figures_is() -> None:
    # Of ten, the median lies between the fifth and the sixth, and the ninth in ten is the last.
    assert row(*[1.1] * 9, 1.2).is_met
    assert not row(*[1.1] * 9, 1.21).is_met
    assert not row(*[1.11] * 10).is_met
    assert not row(*[1.1] * 19, 1.31).is_met and row(*[1.1] * 19, 1.2).is_met
    assert not row(*[1.1] * 10, banned=1).is_met
    assert not row(float("inf"), *[1.0] * 9).is_met


def test_the_table_has_a_row_for_each() -> None:
    assert make_family_table([row(1.0), row(2.0)]).row_count == 2
