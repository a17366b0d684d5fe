"""Samples of a family, and what is said of all of them."""
from math import inf

import pytest

from blockio_plugin.simulator.families import draw_network
from blockio_plugin.simulator.run import simulate
from blockio_plugin.simulator.sampling import Sample, play_sample, play_samples, sum_up


def sample(seed: int, ratio: float, banned: int = 0) -> Sample:
    return Sample(seed, ratio, 10.0, banned, 0.1 * seed)


def test_median_ninth_in_ten_and_worst_are_told_with_the_seeds_of_the_worst() -> None:
    summary = sum_up("x", [sample(seed, 1.0 + seed / 100) for seed in range(30, 0, -1)])
    assert (summary.runs, summary.worst) == (30, 1.30)
    assert summary.median == pytest.approx(1.155) and summary.p90 == pytest.approx(1.28)
    assert [seed for seed, _ in summary.worst_seeds] == [30, 29, 28]
    assert summary.is_sound and summary.cpu_share == pytest.approx(0.3)
    assert "median 1.155, p90 1.280, worst 1.300" in str(summary)
    assert str(summary).endswith("seeds of the worst: 30 (1.300), 29 (1.290), 28 (1.280)")


def test_whoever_does_not_finish_or_bans_the_honest_is_not_sound() -> None:
    unfinished = sum_up("x", [sample(1, 1.1), sample(2, inf)])
    assert not unfinished.is_sound and unfinished.unfinished == 1
    assert unfinished.to_json()["worst"] is None
    assert unfinished.to_json()["worst_seeds"] == [[2, None], [1, 1.1]]
    assert not sum_up("x", [sample(1, 1.1, banned=1)]).is_sound
    assert sum_up("x", [sample(1, 1.1)]).worst_seeds == ((1, 1.1),)


def test_a_sample_is_the_run_of_the_network_with_its_seed() -> None:
    result = simulate(draw_network("window", 3), 3)
    found = play_sample("window", 3)
    assert (found.ratio, found.seconds) == (result.ratio, result.seconds)


@pytest.mark.parametrize("processes", [1, 2])
def test_samples_come_in_the_order_of_their_seeds(processes: int) -> None:
    found = [item.seed for item in play_samples("own-link-even", [5, 3, 4], processes)]
    assert found == [5, 3, 4]
