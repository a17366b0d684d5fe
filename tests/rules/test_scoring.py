"""Scores recover the speed of modelled peers, and trust goes by AIMD."""
from functools import partial
from typing import Callable, List, Sequence, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.requests import MAX_UNANSWERED
from blockio_plugin.rules.scoring import (
    DECLINE_PAUSE,
    DECREASE,
    FIRST_CREDIT,
    FIRST_REQUESTS,
    INCREASE,
    MAX_EMPTY_PAUSE,
    MAX_PAUSE,
    MIN_TRUST,
    REQUEST_PRICE,
    STRAY_DECLINES,
    Score,
)


def play(score: Score, rate: float, rtt: float, overhead: float, sizes: Sequence[int]) -> float:
    """Requests sent together at 0, then each as the one two before is answered; the time after."""
    issued = [0.0, 0.0]
    done = rtt / 2
    now = 0.0
    for index, blocks in enumerate(sizes):
        done = max(done, issued[index] + rtt / 2) + overhead + blocks / rate
        now = done + rtt / 2
        score.supplied(issued[index], index > 0, blocks, 0.0, now)
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
    assert score.service_time(sizes[-1]) == pytest.approx(sizes[-1] / rate, rel=0.25)


def test_overhead_is_told_from_speed() -> None:
    score = Score()
    play(score, 60.0, 0.1, 3.0, [*FIRST_REQUESTS, 64])
    assert score.sure_overhead > 1.0 and score.request_blocks > 300
    play(score, 60.0, 0.1, 3.0, [*FIRST_REQUESTS, 64, *[300, 500] * 5])
    assert score.overhead == pytest.approx(3.0, abs=0.5)
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
    score.supplied(1.0, False, 10, 0.0, 1.2)
    assert score.trust == DECREASE + INCREASE
    for _ in range(50):
        score.timed_out(2.0)
    assert score.trust == MIN_TRUST
    assert score.paused_until == 2.0 + MAX_PAUSE


def test_who_declines_some_requests_gets_fewer_and_larger_ones() -> None:
    score = Score()
    play(score, 100.0, 0.1, 0.0, [8, 32, 20, 20])
    before, usual = score.value, score.request_blocks
    for now in range(6):
        score.declined(now, now)
        score.answered()
    # It is honest, and as quick as it was with what it takes on.
    assert score.trust == 1.0 and score.paused_until <= 1.0
    assert score.value > before and score.request_blocks > 2 * usual
    for _ in range(40):
        score.answered()
    score.not_cut_short()
    play(score, 100.0, 0.1, 0.0, [20])
    assert score.request_blocks == pytest.approx(usual, rel=0.3)


def test_pauses_after_declines_in_a_row_grow_up_to_a_bound() -> None:
    score, pauses = Score(), []
    for number in range(40):
        now = 100.0 * number
        score.declined(now, now)
        pauses.append(score.paused_until - now)
        assert score.strays == (number + 1 >= STRAY_DECLINES)
    assert pauses[0] <= 0 and pauses[STRAY_DECLINES - 1] == pytest.approx(DECLINE_PAUSE)
    growing = pauses[STRAY_DECLINES - 1:]
    assert all(before <= after + 1e-6 for before, after in zip(growing, growing[1:]))
    assert pauses[-1] == MAX_EMPTY_PAUSE
    score.answered()
    score.declined(1e4, 1e4)
    assert score.paused_until < 1e4 and not score.strays


def test_nobody_pauses_for_ever() -> None:
    score = Score()
    for number in range(100):
        now = 1e3 * number
        faults: List[Tuple[Callable[[float], None], float]] = [
            (score.timed_out, MAX_PAUSE),
            (score.disproved, MAX_EMPTY_PAUSE),
            (score.voided, REQUEST_PRICE),
            (partial(score.declined, now), MAX_EMPTY_PAUSE),
            (score.asked, REQUEST_PRICE),
        ]
        for fault, most in faults:
            score.paused_until = 0.0
            fault(now)
            assert score.paused_until <= now + most


def test_pauses_double_until_a_block_comes() -> None:
    score = Score()
    pauses = []
    for number in range(4):
        score.disproved(100.0 * number)
        pauses.append(score.paused_until - 100.0 * number)
    assert pauses == [pauses[0] * 2 ** number for number in range(4)]
    score.supplied(400.0, False, 5, 0.0, 400.5)
    assert score.paused_until <= 400.5


@pytest.mark.parametrize("is_welcome", [False, True])
def test_an_empty_answer_that_is_welcome_costs_a_newcomer_nothing(is_welcome: bool) -> None:
    score = Score()
    score.answered_empty(0.5, False, 0.0, is_welcome, 1.0)
    assert (score.paused_until <= 1.0) == is_welcome
    assert score.trust == 1.0 and score.faults == 0 and not score.known


def test_an_empty_answer_tells_the_way() -> None:
    knowing, other = Score(), Score()
    for number in range(4):
        knowing.answered_empty(number, False, 0.0, True, number + 0.5)
    for score in (knowing, other):
        score.supplied(10.0, False, 8, 0.0, 11.3)
    assert knowing.seconds_per_block == pytest.approx(0.1, rel=0.05)
    assert knowing.round_trip + knowing.overhead == pytest.approx(0.5, rel=0.1)
    assert not knowing.is_vague or other.is_vague


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 3)), max_size=200))
def test_requests_are_paid_for_by_blocks_and_time(plan: List[Tuple[float, int]]) -> None:
    score, now, requests, blocks = Score(), 1e3, 0, 0
    for wait, supplied in plan:
        now += wait
        if score.earned_at > now:
            continue
        score.asked(now)
        requests += 1
        if supplied:
            score.supplied(now, False, supplied, 0.0, now)
            blocks += supplied
        assert requests <= 4 * blocks + (FIRST_CREDIT + now - 1e3) / REQUEST_PRICE + 1
        assert score.paused_until >= score.earned_at or score.earned_at <= now


def test_who_supplies_may_be_sent_all_it_may_leave_unanswered_at_once() -> None:
    score = Score()
    score.supplied(0.0, False, 40, 0.0, 0.1)
    for _ in range(MAX_UNANSWERED):
        assert score.earned_at <= 0.1
        score.asked(0.1)


def test_what_was_sent_together_is_declined_once() -> None:
    score = Score()
    play(score, 100.0, 0.1, 0.0, [8, 32])
    for _ in range(30):
        score.declined(5.0, 5.1)
    assert score.declines == 1 and score.window == MAX_UNANSWERED / 2
    score.declined(5.2, 5.3)
    assert score.declines == 2 and score.window == MAX_UNANSWERED / 4
    for number in range(20):
        score.declined(6.0 + number, 6.0 + number)
    assert score.window == 1
    score.supplied(40.0, False, 4, 0.0, 40.1)
    assert score.window == 2


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
    now = play(score, 100.0, 0.1, 0.0, [8, 32, 10, 10])
    overhead = score.overhead
    for blocks in (8, 32, 4, 12, 6, 10, 3, 9):
        # Our link brings 100 blocks/s in all; 0.4 s of others' blocks come before each of its own.
        now += 0.4 + blocks / 100
        score.supplied(now - 1.0, True, blocks, 0.4, now)
    assert score.overhead <= overhead + 0.01
    assert score.sure_overhead < 0.02


def test_who_is_asked_for_single_blocks_is_probed_whatever_is_known() -> None:
    slow, quick = Score(), Score()
    play(slow, 2.0, 0.1, 0.0, [1, 4] * 40)
    play(quick, 200.0, 0.1, 0.0, [10, 40] * 40)
    assert slow.request_blocks == 1.0 and slow.is_vague
    assert not quick.is_vague


def test_one_request_asks_for_no_more_than_a_peer_may_owe() -> None:
    score = Score()
    score.supplied(0.0, False, 1, 0.0, 1e-4)
    assert score.request_blocks <= score.cap < 50


def test_declines_tell_no_time() -> None:
    score = Score()
    score.declined(0.0, 0.46)
    score.supplied(0.0, True, 2, 0.0, 0.52)
    # The answer took half a second, not what lies between it and the decline.
    assert score.round_trip > 0.2
