"""Whole runs: the invariants after every event, faults, and what the result says."""
from typing import Any, Dict, List, Tuple

import pytest

from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.invariants import check_invariants
from blockio_plugin.simulator.layouts import draw_layout, perturb
from blockio_plugin.simulator.models import Scenario, ViewsStep, always
from blockio_plugin.simulator.result import Result
from blockio_plugin.simulator.run import Run, simulate
from blockio_plugin.simulator.scenario import read_scenario


def scenario(*peers: Dict[str, Any], views: int = 1500, **tables: Any) -> Scenario:
    return read_scenario({"chain": {"views": views}, "peers": list(peers), **tables}, "test")


def play(tested: Scenario, seed: int = 1) -> Result:
    return Run(
        tested, seed, observer=lambda run: check_invariants(run.fetch, tested.window, run.now)
    ).play()


def without_cpu(result: Result) -> Result:
    return result._replace(cpu_seconds=0.0)


MIXED = scenario(
    {"count": 2, "rate": 100.0},
    {"rate": 200.0, "silent_after": 1.0},
    {"rate": 100.0, "omits": 0.1},
    {"lies": "empty"},
    {"forges": True},
    {"rate": 300.0, "holds": [[0, 300]], "adverts": [[0, 10 ** 9]]},
    {"rate": 50.0, "joins": 1.0, "leaves": 2.5},
    chain={"views": 2000, "filled": [[0, 700, 1.0], [1500, 2000, 0.5]]},
)


@pytest.mark.parametrize("seed", range(6))
def test_any_mix_of_faults_ends_and_only_forgers_are_dropped(seed: int) -> None:
    result = play(MIXED, seed)
    assert result.finished and result.ratio >= 1.0
    assert result.honest_banned == 0
    assert [peer.name for peer in result.peers if peer.banned] == ["5"]


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    first, second = (Run(MIXED, 4, traced=True) for _ in range(2))
    assert without_cpu(first.play()) == without_cpu(second.play())
    assert first.trace == second.trace
    assert without_cpu(simulate(MIXED, 5)) != without_cpu(simulate(MIXED, 4))


@pytest.mark.parametrize("seed", range(12))
def test_perturbed_networks_keep_the_invariants(seed: int) -> None:
    assert play(perturb(MIXED, seed), seed).finished


@pytest.mark.parametrize("seed", [3, 5, 14, 36])
def test_random_layouts_keep_the_invariants(seed: int) -> None:
    drawn = draw_layout(seed)
    # The same shape with fewer views: what is tested here is not how fast it goes.
    factor = max(1, int(drawn.views * drawn.filled[0].probability) // 2000)

    def shrink(steps: Tuple[ViewsStep, ...]) -> Tuple[ViewsStep, ...]:
        return always(tuple(ViewRange(a // factor, -(-b // factor)) for a, b in steps[0].ranges))

    small = drawn._replace(
        views=drawn.views // factor,
        filled=tuple(
            item._replace(views=ViewRange(0, drawn.views // factor)) for item in drawn.filled
        ),
        peers=tuple(
            peer._replace(holds=shrink(peer.holds), adverts=shrink(peer.adverts))
            for peer in drawn.peers
        ),
    )
    assert play(small, seed).finished


def test_views_that_nobody_holds_are_reported_and_not_asked_for_in_a_loop() -> None:
    peers: List[Dict[str, Any]] = [{"rate": 100.0, "holds": [[0, 500], [510, 1500]]}] * 2
    result = play(scenario(*peers))
    assert result.finished
    assert result.unavailable == (ViewRange(500, 510),)
    assert result.requests < 250


def test_a_window_is_kept() -> None:
    tested = scenario({"count": 3, "rate": 100.0}, {"rate": 4.0}, client={"window": 64})
    result = play(tested)
    assert result.finished and result.max_held <= 64


def test_our_own_link_is_the_limit_where_it_is_narrow() -> None:
    tested = scenario({"count": 4, "rate": 200.0}, client={"download": 100.0})
    result = play(tested)
    assert result.lower_bound == pytest.approx(15.0, rel=0.02)
    assert result.ratio < 1.1 and result.duplicates < 75


def test_an_empty_liar_is_hardly_asked_any_more() -> None:
    result = play(scenario({"count": 2, "rate": 100.0}, {"lies": "empty"}))
    liar = result.peers[2]
    assert liar.requests < 8 and liar.blocks == 0 and not liar.banned


def test_omitters_end_with_the_worse_scores() -> None:
    result = play(scenario({"count": 3, "rate": 100.0}, {"count": 2, "rate": 100.0, "omits": 0.05}))
    scores = [peer.score for peer in result.peers]
    assert max(scores[:3]) < min(scores[3:])


def test_a_chasm_is_crossed_without_hints_too() -> None:
    tested = scenario(
        {"rate": 100.0, "hints": False},
        chain={"views": 10 ** 6, "filled": [[0, 200, 1.0], [10 ** 6 - 200, 10 ** 6, 1.0]]},
    )
    result = play(tested)
    assert result.finished and result.requests < 120


def test_a_run_that_cannot_end_ends_at_its_limit() -> None:
    tested = scenario({"rate": 1.0}, simulation={"limit": 3.0})
    result = play(tested)
    assert not result.finished and result.seconds >= 3.0
