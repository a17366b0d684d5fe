from typing import Dict, List, Tuple

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.advert_queue import (
    ADVERT_COST,
    RANGES_AT_ONCE,
    RANGES_PER_SECOND,
    WAITING_TIME,
    AdvertQueue,
    extend,
)
from blockio_plugin.rules.messages import MAX_RANGES, Availability
from blockio_plugin.rules.views import ViewRange

LONGEST = (MAX_RANGES + ADVERT_COST) / RANGES_PER_SECOND + 2 * WAITING_TIME
"""Seconds that an advert waits, most."""


def make_advert(ranges: int, head_view: int = 0) -> Availability:
    return Availability(
        "number", head_view, tuple(ViewRange(2 * n, 2 * n + 1) for n in range(ranges))
    )


def test_the_first_adverts_of_a_peer_are_taken_in_at_once() -> None:
    queue = AdvertQueue()
    assert queue.admit("alice", make_advert(MAX_RANGES), 0.0)
    assert queue.admit("alice", make_advert(MAX_RANGES), 1.0)
    assert queue.admit("bob", make_advert(MAX_RANGES), 1.0)
    assert len(queue) == 0


def test_a_chain_of_a_block_a_second_is_followed_at_once() -> None:
    queue = AdvertQueue()
    for second in range(1000):
        # Announced, and advertised.
        assert queue.admit("alice", make_advert(3, 2 * second), float(second))
        assert queue.admit("alice", make_advert(3, 2 * second), second + 0.5)


def test_of_those_that_wait_the_latest_is_taken_in() -> None:
    queue, now = AdvertQueue(), 0.0
    for head in range(10):
        queue.admit("alice", make_advert(1000, head), now)
        now += 1.0
    latest = queue.latest("alice")
    assert latest is not None and latest.head_view == 9
    assert len(queue) == 1
    (turn,) = queue.take_turns(now)
    assert (turn.peer, turn.advert.head_view, turn.is_whole) == ("alice", 9, True)
    # That has cost more than was left: of the next one only the head is taken in for a while.
    queue.admit("alice", make_advert(1000, 10), now)
    (turn,) = queue.take_turns(now)
    assert (turn.peer, turn.advert.head_view, turn.is_whole) == ("alice", 10, False)
    (turn,) = queue.take_turns(now + LONGEST)
    assert (turn.peer, turn.advert.head_view, turn.is_whole) == ("alice", 10, True)
    assert list(queue.take_turns(now + LONGEST)) == []


def test_an_advert_that_is_taken_in_makes_an_older_one_void() -> None:
    queue = AdvertQueue()
    for head in range(3):
        queue.admit("alice", make_advert(1000, head), 0.0)
    assert queue.latest("alice") is not None
    assert queue.admit("alice", make_advert(1, 3), 16.0)
    assert queue.latest("alice") is None
    assert list(queue.take_turns(1000.0)) == []


def test_who_left_is_forgotten() -> None:
    queue = AdvertQueue()
    for head in range(3):
        queue.admit("alice", make_advert(1000, head), 0.0)
    queue.leave("alice")
    queue.leave("alice")
    assert queue.latest("alice") is None
    assert list(queue.take_turns(1000.0)) == []


def test_extending_an_advert() -> None:
    advert = Availability("number", 9, (ViewRange(0, 3), ViewRange(5, 10)))
    assert extend(advert, 9) is None
    assert extend(advert, 12) == Availability(
        "number", 12, (ViewRange(0, 3), ViewRange(5, 13))
    )
    # It may hold the block of its head and not cover it.
    assert extend(advert._replace(head_view=20), 21) is None
    assert extend(advert._replace(ranges=()), 21) is None


schedules = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.sampled_from("abc"), st.integers(0, MAX_RANGES)),
    max_size=60,
)


@given(st.sampled_from((0.0, -1e4, 3600.0, 1e6)), schedules)
def test_no_peer_costs_more_than_it_may_and_the_last_word_counts(
    start: float, schedule: List[Tuple[float, str, int]]
) -> None:
    queue = AdvertQueue()
    now, looked_at = start, start
    costs: Dict[object, float] = {}
    said: Dict[object, Tuple[int, float]] = {}
    known: Dict[object, int] = {}

    def take(peer: object, advert: Availability) -> None:
        costs[peer] = costs.get(peer, 0.0) + ADVERT_COST + len(advert.ranges)
        known[peer] = advert.head_view

    def look() -> None:
        for turn in queue.take_turns(looked_at):
            if turn.is_whole:
                take(turn.peer, turn.advert)
        for peer, cost in costs.items():
            owed = MAX_RANGES + ADVERT_COST
            assert cost <= RANGES_AT_ONCE + owed + (looked_at - start) * RANGES_PER_SECOND + 1
        for peer, (head, at) in said.items():
            if looked_at >= at + LONGEST:
                assert known[peer] == head

    for head, (pause, peer, ranges) in enumerate(schedule):
        now += pause
        while looked_at + WAITING_TIME <= now:
            looked_at += WAITING_TIME
            look()
        advert = make_advert(ranges, head)
        said[peer] = (head, now)
        if queue.admit(peer, advert, now):
            take(peer, advert)
    for _ in range(60):
        looked_at += WAITING_TIME
        look()
    assert len(queue) == 0
