"""Whole runs: the invariants after every event, faults, and what the result says."""
from typing import Any, Dict, List, Optional, Tuple

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.chaos import draw_chaos
from blockio_plugin.simulator.invariants import InvariantBroken, check_invariants
from blockio_plugin.simulator.layouts import draw_layout, perturb
from blockio_plugin.simulator.models import Scenario, ViewsStep, always
from blockio_plugin.simulator.result import Result
from blockio_plugin.simulator.run import Run, TimeStandsStill, simulate
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


@pytest.mark.parametrize("seed", range(10))
def test_the_same_network_and_seed_give_the_same_trace(seed: int) -> None:
    drawn = draw_chaos(seed)._replace(limit=30.0)
    first, second = (Run(drawn, seed, traced=True) for _ in range(2))
    assert without_cpu(first.play()) == without_cpu(second.play())
    assert first.trace == second.trace


@settings(max_examples=20)
@given(seed=st.integers(0, 10 ** 6), start=st.floats(0.0, 30 * 24 * 3600.0))
def test_nothing_hangs_on_what_the_clock_reads_at_first(seed: int, start: float) -> None:
    drawn = draw_chaos(seed)._replace(limit=30.0)
    at_zero, later = (
        Run(drawn._replace(start=begin), seed, traced=True) for begin in (0.0, start)
    )
    first, second = at_zero.play(), later.play()
    assert at_zero.trace.deliveries == later.trace.deliveries
    # Scores are sums of times, and are rounded otherwise where those are larger.
    assert without_cpu(first)._replace(peers=()) == without_cpu(second)._replace(peers=())
    for before, after in zip(first.peers, second.peers):
        assert before._replace(score=0.0) == after._replace(score=0.0)
        assert before.score == pytest.approx(after.score, rel=1e-6)


def test_the_clock_starts_where_it_is_told_to_and_else_anywhere() -> None:
    def first_reading(start: Optional[float], seed: int) -> float:
        readings: List[float] = []
        tested = scenario({})._replace(start=start)
        run = Run(tested, seed, lambda run: readings.append(run.now - run.time))
        run.begin()
        run.step()
        return readings[0]

    assert first_reading(3600.0, 1) == first_reading(3600.0, 2) == 3600.0
    drawn = [first_reading(None, seed) for seed in range(20)]
    assert drawn == [first_reading(None, seed) for seed in range(20)]
    assert len(set(drawn)) == 20
    assert 0.0 <= min(drawn) < 5 * 24 * 3600 and 25 * 24 * 3600 < max(drawn) <= 30 * 24 * 3600


def exactly(*peers: Dict[str, Any], **tables: Any) -> Scenario:
    """A network to be worked out by hand: no jitter, and no cost of a request."""
    tables.setdefault("simulation", {})["jitter"] = 0.0
    return scenario(*({"overhead": 0.0, "rtt": 0.0, **peer} for peer in peers), **tables)


def test_what_comes_while_our_loop_stands_still_is_stamped_by_the_wire() -> None:
    # 8 and 32 blocks are asked for at 0 s and reach the wire at 0.08 s and 0.40 s. Our loop stands
    # still from 0.05 s until 20.05 s: nothing is asked before that, nobody is late after it, and
    # the peer is seen to send 100 blocks/s.
    tested = exactly({"rate": 100.0}, views=200, simulation={"stalls": [[0.05, 20.0]]})
    run = Run(tested, 1, traced=True)
    result = run.play()
    first, second, third = run.trace.deliveries[:3]
    assert [first.blocks, second.blocks] == [8, 32]
    assert [first.arrived, second.arrived] == pytest.approx([0.08, 0.40], abs=1e-3)
    assert [first.issued, second.issued, third.issued] == pytest.approx([0, 0, 20.05], abs=1e-3)
    assert result.timeouts == 0
    assert run.trace.scores[1].score == pytest.approx(0.01, rel=0.05)
    # 160 blocks more at 100 blocks/s.
    assert result.seconds == pytest.approx(20.05 + 1.6, abs=0.01)


def test_what_came_before_the_rules_would_have_given_up_is_taken_in_first() -> None:
    # At 8 s the rules may give up on a new peer, and at 105 s must. From 5 s until then our loop
    # stands still. Each request costs 9 s: the first two are answered at 9 s and at 18 s.
    tested = exactly(
        {"rate": 1e6, "overhead": 9.0}, views=8, simulation={"stalls": [[5.0, 100.0]]}
    )
    run = Run(tested, 1, traced=True)
    result = run.play()
    assert run.trace.deliveries[0].arrived == pytest.approx(9.0, abs=1e-3)
    assert result.timeouts == 0 and result.seconds == pytest.approx(105.0, abs=1e-3)


def test_two_stalls_that_overlap_are_one() -> None:
    tested = exactly({"rate": 100.0}, simulation={"stalls": [[0.05, 1.0], [0.5, 2.0]]}, views=100)
    run = Run(tested, 1, traced=True)
    run.play()
    issued = sorted({delivery.issued for delivery in run.trace.deliveries})
    assert issued[:2] == pytest.approx([0.0, 2.5], abs=1e-3)


def test_new_blocks_are_wanted_as_they_are_born_and_their_delay_is_told() -> None:
    # Each 2 s one block. Its advert takes 0.05 s, and the request, 1 block at 1000 blocks/s and the
    # answer 0.101 s more. The last of 5 is born at 10 s.
    tested = exactly({"rate": 1000.0, "rtt": 0.1}, chain={"views": 100, "grows": [2.0, 5]})
    result = play(tested)
    assert result.finished and result.blocks == 105
    assert result.lower_bound == pytest.approx(10.05)
    assert result.seconds == pytest.approx(10.151, abs=1e-3)
    assert result.delays is not None
    assert result.delays.median == pytest.approx(0.151, abs=1e-3)
    assert result.delays.worst == pytest.approx(0.151, abs=1e-3)


def test_there_are_no_delays_where_nothing_grows() -> None:
    assert play(scenario({"rate": 1000.0}, views=100)).delays is None


def test_a_restart_keeps_what_was_linked_and_nothing_else() -> None:
    # Two halves come at 100 blocks/s each. After 2.6 s some 260 blocks are there from view 0 on,
    # and are kept. Some 240 of the upper half do not link yet, and come twice; not all 260, as what
    # is under way is lost.
    halves = [{"rate": 100.0, "holds": [[0, 500]]}, {"rate": 100.0, "holds": [[500, 1000]]}]
    tested = exactly(*halves, views=1000, simulation={"restarts": [2.6]})
    result = play(tested)
    assert result.finished and result.duplicates == 0
    assert 1000 + 200 <= result.blocks <= 1000 + 260
    assert result.seconds == pytest.approx(2.6 + 5.0, abs=0.5)


def test_what_a_restart_took_away_must_arrive_again() -> None:
    # The lowest 10 blocks come one in a second, so that at 9.5 s next to nothing links. The other
    # 900 are all there, and are all to come again, in 9 s; the last of the lowest comes sooner.
    slow = {"rate": 1.0, "holds": [[0, 10]]}
    tested = exactly(
        slow, {"rate": 100.0, "holds": [[10, 910]]}, views=910, simulation={"restarts": [9.5]}
    )
    run = Run(tested, 1)
    result = run.play()
    assert result.finished and run.confirmed == 910
    assert result.seconds > 18.0


def test_a_restart_leaves_alone_whom_we_dropped() -> None:
    tested = scenario({"rate": 100.0}, {"forges": True}, simulation={"restarts": [3.0]})
    result = play(tested)
    assert result.finished and [peer.banned for peer in result.peers] == [False, True]


def test_an_honest_peer_that_breaks_the_protocol_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: object) -> None:
        raise Offence("tested")

    monkeypatch.setattr("blockio_plugin.simulator.run.check_answer", refuse)
    result = play(scenario({}, simulation={"limit": 5.0}))
    assert not result.finished and result.honest_banned == 1


def test_blocks_that_are_not_the_chain_s_next_ones_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = Fetch.ready
    monkeypatch.setattr(Fetch, "ready", lambda self, *bounds: ready(self, *bounds)[1:])
    with pytest.raises(InvariantBroken, match="are not the chain's"):
        play(scenario({}))


def test_rules_that_want_to_be_called_without_end_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Fetch, "wake_at", lambda self, now: now)
    with pytest.raises(TimeStandsStill):
        simulate(scenario({"joins": 1.0}), 1)


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


def test_a_run_in_bytes_counts_what_came_and_what_each_brought() -> None:
    # 50 blocks of 0.5 to 1.5 kB and 50 of 50 to 150 kB, at 1 MB/s each.
    chain = {"views": 100, "bytes": [[0, 50, 1e3], [50, 100, 1e5]]}
    tested = exactly({"bytes_rate": 1e6}, {"bytes_rate": 1e6}, chain=chain)
    run = Run(tested, 1, lambda run: check_invariants(run.fetch, 0, run.now))
    result = run.play()
    size = sum(len(block.rlp) for block in run.network.chain.blocks)
    assert result.finished and result.bytes == size == sum(peer.bytes for peer in result.peers)
    assert result.lower_bound == pytest.approx(size / 2e6)
    assert 1.0 <= result.ratio < 2.0


def test_the_rules_hear_of_a_block_once_it_is_decoded_and_when_it_was_on_the_wire() -> None:
    # 8 and 32 blocks are asked for at 0 s and reach the wire at 0.08 s and 0.40 s. They are decoded
    # at 0.02 s each, up to 0.24 s and from 0.40 s to 1.04 s. So more is asked for at 0.24 s, and
    # the peer is seen to send 100 blocks/s.
    tested = exactly({"rate": 100.0}, views=200, client={"decode": 0.02})
    run = Run(tested, 1, traced=True)
    result = run.play()
    first, second, third = run.trace.deliveries[:3]
    assert [first.blocks, second.blocks] == [8, 32]
    assert [first.arrived, second.arrived] == pytest.approx([0.08, 0.40], abs=1e-3)
    assert third.issued == pytest.approx(0.24, abs=1e-3)
    assert run.trace.scores[1].score == pytest.approx(0.01, rel=0.05)
    # The first block is here after 0.01 s, and then each takes 0.02 s.
    assert result.lower_bound == pytest.approx(0.01 + 200 * 0.02)
    assert result.lower_bound <= result.seconds < 4.5


def test_large_blocks_leave_the_cache_within_its_bound() -> None:
    # 100 blocks of a megabyte are more than the cache takes at once.
    chain = {"views": 100, "bytes": [[0, 100, 1e6]]}
    tested = exactly({"bytes_rate": 1e7}, {"bytes_rate": 1e6}, chain=chain)
    assert play(tested).finished
