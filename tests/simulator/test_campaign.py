"""Many verdicts, and what is said of all of them."""
from typing import List, Optional

import pytest

from blockio_plugin.simulator import campaign
from blockio_plugin.simulator.campaign import judge_seed, judge_seeds, sum_up
from blockio_plugin.simulator.trial import CPU_PER_REQUEST, Verdict


def verdict(
    seed: int,
    failed: Optional[str] = None,
    bound: float = 10.0,
    factor: float = 1.0,
    requests: int = 1000,
    cpu: float = 0.1,
) -> Verdict:
    return Verdict(seed, failed, "", 20.0, 5.0, bound, factor, 500, requests, cpu)


def test_the_worst_of_each_kind_is_told() -> None:
    summary = sum_up(
        [
            verdict(1, factor=2.0, cpu=0.2),
            verdict(2, factor=2.5, cpu=0.1),
            verdict(3, factor=99.0, bound=0.1),
            verdict(4, requests=3, cpu=0.5),
            verdict(5, failed="finish", factor=0.0),
        ]
    )
    assert summary.runs == 5 and summary.failures == 1
    assert summary.worst == (2.5, 2)
    # The fourth has too few requests to tell.
    assert summary.measured == 4 and summary.costliest == pytest.approx((0.2e-3, 1))
    assert summary.cpu == pytest.approx(0.1e-3)
    assert str(summary).startswith("5 run, 1 failures, at worst 2.50 times the bound (seed 2)")


def test_the_median_of_many_runs_must_be_cheap() -> None:
    costly = 2000 * CPU_PER_REQUEST
    dear = [verdict(seed, cpu=costly) for seed in range(11)]
    cheap = [verdict(seed) for seed in range(10)]
    assert not sum_up(dear + cheap).is_cheap and "FAILED" in str(sum_up(dear + cheap))
    assert sum_up(cheap + dear[:9]).is_cheap
    # A few runs do not tell: the machine may have been busy.
    assert sum_up(dear).is_cheap and sum_up([]).is_cheap


@pytest.mark.parametrize("processes", [1, 2])
def test_seeds_are_judged_in_order_and_progress_is_told(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "PROGRESS_TIME", 0.0)
    told: List[str] = []
    verdicts = list(judge_seeds(range(4, 7), processes, told.append))
    assert [item._replace(cpu=0.0) for item in verdicts] == [
        judge_seed(seed)._replace(cpu=0.0) for seed in range(4, 7)
    ]
    assert told[-1].startswith("3 of 3, ")
