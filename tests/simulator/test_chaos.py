"""Networks drawn by chance: what they promise, and that the rules pass on each of them."""
from functools import lru_cache
from math import inf

import pytest

from blockio_plugin.simulator.campaign import judge_seed, sum_up
from blockio_plugin.simulator.chaos import MAX_HOSTILE, PEERS, RATES, ROUND_TRIPS, draw_chaos
from blockio_plugin.simulator.models import PeerModel, Scenario
from blockio_plugin.simulator.trial import Verdict, settle

SEEDS = 300
"""Networks that are played here; ``bench -- chaos`` plays more."""

judged = lru_cache(maxsize=None)(judge_seed)
"""Each network is played once, whatever is asked of its verdict."""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_drawn_network_passes(seed: int) -> None:
    verdict: Verdict = judged(seed)
    assert verdict.failed is None, str(verdict)


def test_the_rules_take_little_of_the_processor() -> None:
    summary = sum_up([judged(seed) for seed in range(SEEDS)])
    assert summary.measured > SEEDS / 3 and summary.is_cheap, str(summary)


def is_hostile(model: PeerModel) -> bool:
    """Whether a peer is worse than what befalls any honest one, and passes."""
    return (
        not model.is_honest
        or model.holds != model.adverts
        or (not model.is_answering and model.leaves is None)
    )


def test_drawn_networks_keep_their_promises() -> None:
    for seed in range(500):
        drawn = draw_chaos(seed)
        assert drawn == draw_chaos(seed)
        assert PEERS[0] <= len(drawn.peers) <= PEERS[1]
        hostile = [model for model in drawn.peers if is_hostile(model)]
        assert len(hostile) <= MAX_HOSTILE * len(drawn.peers)
        for model in drawn.peers:
            assert ROUND_TRIPS[0] <= model.rtt <= ROUND_TRIPS[1]
            assert all(RATES[0] <= step.rate <= RATES[1] for step in model.rate)


def holds_everything(scenario: Scenario) -> bool:
    return any(
        views.start == 0 and views.stop >= scenario.views
        for model in settle(scenario).peers
        for views in model.holds[-1].ranges
    )


def test_in_most_networks_somebody_has_everything_and_in_some_nobody() -> None:
    kept = sum(holds_everything(draw_chaos(seed)) for seed in range(500))
    assert 400 <= kept <= 495


def test_everything_that_the_format_knows_is_drawn() -> None:
    networks = [draw_chaos(seed) for seed in range(300)]
    defaults = PeerModel._field_defaults
    for key, value in defaults.items():
        drawn = sum(
            getattr(model, key) != value for network in networks for model in network.peers
        )
        assert drawn > 5, key
    for steps in ("rate", "holds", "adverts"):
        assert any(len(getattr(model, steps)) > 1 for item in networks for model in item.peers)
    for fault in ("lies", "omits", "loses", "declines"):
        stops = {getattr(model, fault).stop < inf for item in networks for model in item.peers}
        assert stops == {True, False}, fault
    for key in ("download", "window", "grows", "stalls", "restarts"):
        assert 10 < sum(bool(getattr(network, key)) for network in networks) < 290, key
