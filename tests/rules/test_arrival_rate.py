"""The pace of all arrivals together, and when it is our own link's."""
from typing import List, Sequence, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.arrival_rate import ArrivalRate

SIZES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 100)), min_size=30, max_size=60)
"""Who answers next, and with how many blocks."""


def send(
    arrivals: ArrivalRate, answers: Sequence[Tuple[str, int]], block_time: float, now: float = 0.0
) -> float:
    """All are asked now, and answers come through our link one right after another until then."""
    issued_at = now
    for peer, blocks in answers:
        now += blocks * block_time
        arrivals.note(peer, blocks, issued_at, now)
    return now


def test_before_anything_arrived_nothing_is_known() -> None:
    arrivals = ArrivalRate()
    assert arrivals.total == arrivals.block_time == arrivals.link_block_time == 0


def test_the_pace_is_that_of_the_last_arrivals() -> None:
    arrivals = ArrivalRate()
    for tick in range(1, 101):
        arrivals.note("a", 10, 0.0, tick * 0.1)
    assert arrivals.block_time == pytest.approx(0.01, rel=0.1)
    for tick in range(1, 101):
        arrivals.note("a", 10, 0.0, 10 + tick * 0.5)
    assert arrivals.block_time == pytest.approx(0.05, rel=0.1)
    assert arrivals.total == 2000


@given(st.lists(st.floats(0.0, 1000.0), min_size=2, max_size=20))
def test_time_in_which_nothing_was_asked_for_does_not_count(idle: List[float]) -> None:
    arrivals, now = ArrivalRate(), 0.0
    for seconds in idle:
        issued_at = now + seconds
        now = issued_at + 0.5
        arrivals.note("a", 10, issued_at, now)
        assert arrivals.block_time == pytest.approx(0.05)


@given(SIZES, st.floats(-1e6, 1e6))
def test_time_has_no_origin(answers: List[Tuple[str, int]], origin: float) -> None:
    here, there = ArrivalRate(), ArrivalRate()
    for index, (peer, blocks) in enumerate(answers):
        for arrivals, began in ((here, 0.0), (there, origin)):
            issued_at = began + 3.0 * (index // 4)
            arrivals.note(peer, blocks, issued_at, began + index)
    assert there.block_time == pytest.approx(here.block_time, abs=1e-6)
    assert there.link_block_time == pytest.approx(here.link_block_time, abs=1e-6)


@given(SIZES, st.floats(1e-4, 1.0), st.floats(0.2, 5.0))
def test_a_full_link_is_told_and_followed_when_it_changes(
    answers: List[Tuple[str, int]], block_time: float, factor: float
) -> None:
    answers = [*answers, ("a", 10), ("b", 10)]
    arrivals = ArrivalRate()
    now = send(arrivals, answers, block_time)
    assert arrivals.link_block_time == pytest.approx(block_time)
    # The answers so far fade out.
    other = block_time * factor
    for _ in range(200):
        now = send(arrivals, [("a", 50), ("b", 50)], other, now)
    assert arrivals.link_block_time == pytest.approx(other, rel=0.06)


@given(SIZES)
def test_one_peer_alone_does_not_tell_of_our_link(answers: List[Tuple[str, int]]) -> None:
    arrivals = ArrivalRate()
    send(arrivals, [("a", blocks) for _, blocks in answers], 0.01)
    assert arrivals.block_time == pytest.approx(0.01)
    assert arrivals.link_block_time == 0


@given(st.floats(0.0, 0.35), st.integers(2, 6), st.integers(1, 100))
def test_answers_that_coincide_show_that_our_link_could_carry_more(
    apart: float, peers: int, blocks: int
) -> None:
    arrivals = ArrivalRate()
    for second in range(30):
        for peer in range(peers):
            now = second + apart * peer / (peers - 1)
            arrivals.note(peer, blocks, now - 1.5, now)
    assert arrivals.block_time > 0
    assert arrivals.link_block_time == 0


def test_an_answer_that_nobody_waited_for_behind_another_does_not_tell_of_our_link() -> None:
    arrivals, now = ArrivalRate(), 0.0
    for index in range(40):
        # Each is asked after the other's answer is here.
        arrivals.note("ab"[index % 2], 10, now + 0.1, now + 0.5)
        now += 0.5
    assert arrivals.link_block_time == 0


@given(st.floats(0.0, 0.01), st.floats(1e-3, 1.0))
def test_a_link_that_fills_up_is_told_whatever_was_seen_before(
    apart: float, block_time: float
) -> None:
    arrivals = ArrivalRate()
    for second in range(10):
        arrivals.note("a", 10, second - 1.0, second)
        arrivals.note("b", 10, second - 1.0, second + apart)
    send(arrivals, [("a", 10), ("b", 10)] * 400, block_time, 10.0)
    assert arrivals.link_block_time == pytest.approx(block_time, rel=0.06)
