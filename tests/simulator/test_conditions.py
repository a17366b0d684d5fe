"""Conditions that users of other systems reported: how close to the best each run comes."""
from pathlib import Path
from typing import Dict, NamedTuple, Optional

import pytest

from blockio_plugin.simulator.result import Delays
from blockio_plugin.simulator.run import simulate
from blockio_plugin.simulator.scenario import load_scenario

SCENARIOS = Path(__file__).parents[2] / "fixtures" / "scenarios"

SEEDS = (1, 2, 3)

STARTS = (0.0, 3600.0, 950_400.0)
"""What the clock reads at first (s): a machine just started, an hour later, eleven days later."""


class Bound(NamedTuple):
    """Most that a run may come to. ``ratio`` is to the lower bound of the network's time."""

    ratio: float
    requests: Optional[int] = None
    delays: Optional[Delays] = None


BOUNDS: Dict[str, Bound] = {
    # Goal: 2. The second is a sixth of the run in which nothing comes. Measured: 1.50.
    "lost-second": Bound(1.65),
    # Goal: 1.1. Measured: 1.03.
    "lossy": Bound(1.1),
    # Goal: a block is here within 1 s in the median, 3 s at worst. Measured: 0.16 and 1.07 s. The
    # run is as long as the chain grows, so that its ratio tells nothing: measured 1.001.
    "silent-at-the-tip": Bound(1.01, delays=Delays(0.18, 1.18)),
    # Goal: 1.1. Measured: 1.072.
    "fragmented-chasm": Bound(1.1),
    # Goal: 1.1. Measured: 1.05.
    "comb-advert": Bound(1.1),
    # Goal: 1.2. Measured: 1.138.
    "costly-requests": Bound(1.2),
    # Goal: 1.2. Measured: 1.112.
    "costly-requests-tenth": Bound(1.2),
    # Goal: 1.3. Measured: 1.276, with 41 requests.
    "quota-by-declining": Bound(1.35, requests=46),
    # Goal: 1.3 of 21 s, of which 20.1 s are the bound. Measured: 1.27, with 234 requests.
    "half-declined": Bound(1.35, requests=275),
    # Goal: 2,000 requests. Measured: 1,800, and a ratio of 1.03.
    "omitters-asked-in-a-loop": Bound(1.1, requests=1_950),
    # Goal: 1.3. Measured: 1.22, with 1,879 requests.
    "heavy-omitters": Bound(1.3, requests=2_020),
    # Goal: 1.3. Measured: 1.27 in the median, 1.308 at worst.
    "far-peers": Bound(1.35),
    # Goal: 1.6. Measured: 1.35.
    "rates-that-change": Bound(1.48),
    # Goal: 1.15. Measured: 1.05.
    "half-true": Bound(1.15),
    # Goal: 1.15. Measured: 1.04 and 1.03.
    "overclaimers": Bound(1.15),
    "overclaimers-many": Bound(1.1),
    # Goal: 1.1. Measured: 1.06.
    "very-slow-own-link": Bound(1.1),
}
"""
The goal is what a scheduler could reach on the network, where one is set. A bound is at most 1.1
times what was measured with ``SEEDS``, and where that meets the goal no looser than the goal.
"""

QUICK = ("lost-second", "quota-by-declining", "fragmented-chasm")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_each_run_ends_near_the_best(name: str, seed: int) -> None:
    bound = BOUNDS[name]
    result = simulate(load_scenario(SCENARIOS / f"{name}.toml"), seed)
    assert result.finished and result.honest_banned == 0
    assert result.ratio <= bound.ratio
    assert bound.requests is None or result.requests <= bound.requests
    if bound.delays is not None:
        assert result.delays is not None
        assert result.delays.median <= bound.delays.median
        assert result.delays.worst <= bound.delays.worst


@pytest.mark.parametrize("name", QUICK)
def test_no_run_hangs_on_when_it_starts(name: str) -> None:
    scenario = load_scenario(SCENARIOS / f"{name}.toml")
    ratios = {simulate(scenario._replace(start=start), 1).ratio for start in STARTS}
    assert len(ratios) == 1
