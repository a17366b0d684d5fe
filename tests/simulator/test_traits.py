"""Each trait does what its name says, and nothing else."""
from random import Random
from typing import List

import pytest

from blockio_plugin.simulator.families import draw_network
from blockio_plugin.simulator.models import Scenario
from blockio_plugin.simulator.traits import (
    ANSWER_BLOCKS,
    CHURN_END,
    JITTERS,
    STEPS_END,
    TRAITS,
    log_uniform,
)


def draws(trait: str, seeds: int = 20) -> List[Scenario]:
    return [draw_network(trait, seed) for seed in range(seeds)]


def test_log_uniform_is_within_its_bounds_and_reaches_all_decades() -> None:
    drawn = [log_uniform(Random(seed), (1.0, 1000.0)) for seed in range(3000)]
    decades = [sum(low <= value <= 10 * low for value in drawn) for low in (1, 10, 100)]
    # 1,000 each, with a deviation of 26.
    assert sum(decades) == 3000 and all(880 < count < 1120 for count in decades)


def test_steps_change_the_rate_by_a_factor_of_its_base_until_they_end() -> None:
    rates = [model.rate for drawn in draws("steps") for model in drawn.peers]
    for base, *steps in rates:
        assert all(0.05 <= step.rate / base.rate <= 2.0 for step in steps)
        assert all(step.time < STEPS_END for step in steps)
    # One in 4 s for 60 s.
    assert 12 < sum(map(len, rates)) / len(rates) < 20


def test_the_first_of_a_churn_stays_and_others_come_and_go() -> None:
    for drawn in draws("churn", 5):
        steady, *others = drawn.peers
        assert steady.leaves is None and steady.rate == ((0.0, 30.0),)
        lives = [model for model in others if model.leaves is not None]
        assert all(model.joins < (model.leaves or 0.0) < CHURN_END for model in lives)
        # Whoever is there in the end stays: 8 slots that are full for three quarters of the time.
        assert len(others) - len(lives) <= 8
        assert all(model.joins < CHURN_END for model in others)
        # 8 slots of 120 s, in which a life and a gap are 8 s.
        assert 80 < len(others) < 180


def test_some_hold_a_piece_alone_and_the_first_everything() -> None:
    for drawn in draws("partial"):
        first, *others = [model.holds[0].ranges[0].length for model in drawn.peers]
        pieces = [length for length in others if length < drawn.views]
        assert first == drawn.views and len(pieces) == int(0.8 * len(drawn.peers))
        assert all(100 <= length <= 1600 for length in pieces)


def test_sizes_change_once_or_four_times_between_small_and_large() -> None:
    drawn = draws("sizes", 40)
    for scenario in drawn:
        means = [sizes.mean for sizes in scenario.sizes]
        assert scenario.in_bytes and means == (means[:2] * len(means))[: len(means)]
        assert sorted(means[:2]) == [600.0, 60_000.0]
        stops = [0, *(sizes.views.stop for sizes in scenario.sizes)]
        assert [sizes.views.start for sizes in scenario.sizes] == stops[:-1]
        assert stops[-1] == scenario.views
        assert all(20e3 <= model.rate[0].rate <= 2e6 for model in scenario.peers)
    assert {len(scenario.sizes) for scenario in drawn} == {2, 5}
    assert {scenario.sizes[0].mean for scenario in drawn} == {600.0, 60_000.0}


def test_a_bucket_gives_less_than_its_peer_sends_for_long() -> None:
    models = [model for drawn in draws("bucket") for model in drawn.peers]
    limited = [model for model in models if model.bucket is not None]
    assert 0.5 < len(limited) / len(models) < 0.7
    for model in limited:
        assert model.bucket is not None and 32 <= model.bucket.burst <= 256
        assert 0.1 <= model.bucket.refill / model.rate[0].rate <= 0.6


def test_a_sparse_chain_has_4000_blocks_and_hints_of_all_or_of_nobody() -> None:
    drawn = draws("sparse")
    assert {scenario.views for scenario in drawn} == {10 ** 6, 10 ** 7}
    hints = {tuple({model.hints for model in scenario.peers}) for scenario in drawn}
    assert hints == {(True,), (False,)}
    for scenario in drawn:
        (views, share), = scenario.filled
        assert share * views.length == pytest.approx(4000)


def test_the_others_draw_what_they_are_named_after() -> None:
    assert all(len(drawn.peers) == 150 and drawn.views == 16_000 for drawn in draws("many", 3))
    assert {drawn.jitter for drawn in draws("jitter")} == set(JITTERS)
    models = [model for drawn in draws("small-answers") for model in drawn.peers]
    assert {model.max_blocks for model in models} == set(ANSWER_BLOCKS)
    models = [model for drawn in draws("overhead") for model in drawn.peers]
    assert all(0.001 <= model.overhead <= 1.0 for model in models)


def test_traits_that_meet_leave_somebody_who_has_everything() -> None:
    scenario = draw_network("own-link", 1)
    for name in ("sparse", "sizes", "churn", "partial", "bucket", "window"):
        scenario = TRAITS[name](Random(1), scenario)
    first = scenario.peers[0]
    assert first.leaves is None and first.holds[0].ranges[0].length == scenario.views
    # As many blocks as ever, in views that hold one in 250 or in 2,500.
    assert scenario.window * scenario.filled[0].probability == pytest.approx(512, rel=0.51)
    assert scenario.in_bytes
