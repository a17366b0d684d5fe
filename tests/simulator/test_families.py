"""Drawn families are what they are said to be."""
from random import Random
from typing import List

import pytest
import tomli

from blockio_plugin.rules.views import range_at
from blockio_plugin.simulator.families import (
    APART,
    FAMILIES,
    LAYOUTS,
    MIXED,
    PEERS,
    draw_mix,
    draw_network,
)
from blockio_plugin.simulator.models import Scenario
from blockio_plugin.simulator.sampling import play_samples, sum_up
from blockio_plugin.simulator.scenario import read_scenario
from blockio_plugin.simulator.traits import RATES, ROUND_TRIPS, TRAITS, VIEWS
from blockio_plugin.simulator.writing import write_scenario


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_network_is_a_function_of_its_seed_and_reads_as_it_was_written(
    family: str, seed: int
) -> None:
    drawn = draw_network(family, seed)
    assert drawn == draw_network(family, seed) != draw_network(family, seed + 1)
    text = write_scenario(drawn, "")
    assert read_scenario(tomli.loads(text), drawn.name) == drawn


@pytest.mark.parametrize("family", FAMILIES)
def test_somebody_honest_who_stays_holds_each_view(family: str) -> None:
    for seed in range(3):
        drawn = draw_network(family, seed)
        lasting = [
            model.holds[0].ranges
            for model in drawn.peers
            if model.is_honest and model.is_answering and model.leaves is None
        ]
        for view in range(0, drawn.views, max(1, drawn.views // 300)):
            assert any(range_at(ranges, view) for ranges in lasting)


def test_what_a_family_does_not_speak_of_is_plain() -> None:
    for seed in range(20):
        drawn = draw_network("window", seed)
        assert drawn.window in (256, 512, 1024) and drawn.views == VIEWS
        assert PEERS[0] <= len(drawn.peers) <= PEERS[1] and not drawn.download
        for model in drawn.peers:
            assert RATES[0] <= model.rate[0].rate <= RATES[1]
            assert ROUND_TRIPS[0] <= model.rtt <= ROUND_TRIPS[1]


def draws(family: str) -> List[Scenario]:
    return [draw_network(family, seed) for seed in range(20)]


def test_our_link_takes_a_share_of_what_all_send() -> None:
    for family in ("own-link", "own-link-even", "own-link-bytes"):
        shares = [
            drawn.download / sum(model.rate[0].rate for model in drawn.peers)
            for drawn in draws(family)
        ]
        assert 0.1 <= min(shares) < 0.3 and 0.7 < max(shares) <= 0.9
    assert all(
        model.rate == ((0.0, 100.0),) for drawn in draws("own-link-even") for model in drawn.peers
    )
    assert {drawn.download for drawn in draws("layouts-own-link")} == {500.0}


def test_a_mixed_network_has_three_traits_that_go_together() -> None:
    mixes = [draw_mix(Random(seed)) for seed in range(300)]
    assert all(len(set(names)) == MIXED for names in mixes)
    assert not any(pair <= set(names) for names in mixes for pair in APART)
    assert {name for names in mixes for name in names} == {LAYOUTS, *TRAITS}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_few_of_each_family_end_near_the_bound(family: str) -> None:
    summary = sum_up(family, list(play_samples(family, SEEDS)))
    assert summary.is_sound
    assert all(ratio >= 1.0 for _, ratio in summary.worst_seeds)
    assert summary.median <= MEDIANS[family]


SEEDS = (101, 102, 103)
"""Seeds of the networks that are played here; the bench plays thirty of each family."""

MEDIANS = {
    "own-link": 1.05,
    "own-link-even": 1.05,
    "layouts-own-link": 1.05,
    "layouts": 1.10,
    "overhead": 1.35,
    "window": 1.45,
    "steps": 1.15,
    "small-answers": 1.10,
    "jitter": 1.17,
    "sparse": 1.50,
    "many": 1.33,
    "bucket": 1.12,
    "churn": 1.12,
    "partial": 1.10,
    "sizes": 4.5,
    "own-link-bytes": 2.5,
    "mixed": 1.25,
}
"""The ratio that the median of them must hold."""
