"""Scores recover the speed of modelled peers, and trust goes by AIMD."""
from typing import Sequence, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.scoring import (
    DECREASE,
    FIRST_REQUESTS,
    INCREASE,
    MAX_PAUSE,
    MIN_TRUST,
    Score,
)

NO_PACE = 1e-9
"""Blocks of others arrive so fast that our link is no limit."""


def play(score: Score, rate: float, rtt: float, overhead: float, sizes: Sequence[int]) -> float:
    """Requests sent together at 0, then each as the one two before is answered; the time after."""
    issued = [0.0, 0.0]
    done = rtt / 2
    now = 0.0
    for index, blocks in enumerate(sizes):
        done = max(done, issued[index] + rtt / 2) + overhead + blocks / rate
        now = done + rtt / 2
        score.supplied(issued[index], index > 0, blocks, NO_PACE, now)
        issued.append(now)
    return now


@given(
    rate=st.floats(10, 2000),
    rtt=st.floats(0.01, 0.5),
    sizes=st.lists(st.integers(10, 100), min_size=6, max_size=12),
)
def test_the_rate_is_found_from_pipelined_answers(
    rate: float, rtt: float, sizes: Sequence[int]
) -> None:
    score = Score()
    # As long as requests are answered back to back, the way does not count.
    sizes = [max(size, int(rate * rtt) + 1) for size in sizes]
    play(score, rate, rtt, 0.0, [*FIRST_REQUESTS, *sizes])
    assert score.service_time(100) == pytest.approx(100 / rate, rel=0.25)


def test_overhead_is_told_from_speed() -> None:
    score = Score()
    play(score, 60.0, 0.1, 3.0, FIRST_REQUESTS)
    assert score.overhead == pytest.approx(3.0, abs=0.3)
    assert 1 / score.seconds_per_block == pytest.approx(60.0, rel=0.3)
    assert score.request_blocks > 400


def test_a_slower_peer_has_a_worse_score_and_is_asked_for_less() -> None:
    quick, slow = Score(), Score()
    play(quick, 400.0, 0.1, 0.0, [8, 32, 40, 40, 40])
    play(slow, 40.0, 0.1, 0.0, [8, 32, 40, 40, 40])
    assert slow.value > 5 * quick.value
    assert slow.budget < quick.budget / 5
    assert slow.request_blocks < quick.request_blocks / 5


def test_trust_falls_by_half_and_recovers_by_steps() -> None:
    score = Score()
    play(score, 100.0, 0.1, 0.0, [8, 32])
    before, budget = score.value, score.budget
    score.timed_out(1.0)
    assert score.trust == DECREASE and score.value > before and score.budget < budget
    score.supplied(1.0, False, 10, NO_PACE, 1.2)
    assert score.trust == DECREASE + INCREASE
    for _ in range(50):
        score.declined(2.0)
    assert score.trust == MIN_TRUST
    assert score.paused_until <= 2.0 + MAX_PAUSE


def test_pauses_double_until_a_block_comes() -> None:
    score = Score()
    pauses = []
    for number in range(4):
        score.disproved(100.0 * number)
        pauses.append(score.paused_until - 100.0 * number)
    assert pauses == [pauses[0] * 2 ** number for number in range(4)]
    score.supplied(400.0, False, 5, NO_PACE, 400.5)
    assert score.paused_until <= 400.5


@pytest.mark.parametrize("hinted, pauses", [(False, True), (True, False)])
def test_an_empty_answer_with_a_hint_costs_a_newcomer_nothing(
    hinted: bool, pauses: bool
) -> None:
    score = Score()
    score.answered_empty(hinted, 1.0)
    assert (score.paused_until > 1.0) == pauses
    assert score.trust == 1.0 and score.faults == 0


def test_what_disproofs_do_to_a_score_lasts() -> None:
    honest, omitter = Score(), Score()
    sizes: Tuple[int, ...] = (8, 32, *[15] * 40)
    play(honest, 100.0, 0.1, 0.0, sizes)
    omitter.disproved(0.0)
    for _ in range(20):
        omitter.disproved(0.1)
    play(omitter, 100.0, 0.1, 0.0, sizes)
    assert omitter.trust == 1.0
    assert omitter.value > 1.5 * honest.value


def test_a_short_answer_limits_the_next_ones_and_the_limit_recovers() -> None:
    score = Score()
    for _ in range(3):
        score.cut_short(100)
    assert score.answer_limit == 100
    for _ in range(200):
        score.not_cut_short()
    assert score.answer_limit == 512


def test_our_own_link_is_not_taken_for_overhead() -> None:
    score = Score()
    now = 0.0
    for blocks in (8, 32, 4, 12, 6, 10, 3, 9):
        # Our link brings 100 blocks/s in all; 0.4 s of others' blocks come before each of its own.
        now += 0.4 + blocks / 100
        score.supplied(now - 1.0, True, blocks, 0.01, now)
    assert score.overhead == 0.0
