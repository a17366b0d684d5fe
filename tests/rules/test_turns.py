from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.turns import LONGEST_TIME, PATIENCE, Turns

starts = st.sampled_from((0.0, -1e4, 3600.0, 2.0 ** 20))


@given(starts)
def test_who_brings_nothing_is_soon_one_of_many(start: float) -> None:
    turns, taken, now = Turns(most=256), 0, start
    while taken < 256:
        taken += turns.free_places(taken, 1000, now)
        now += 0.1
    assert now - start < 6.0
    assert turns.free_places(taken, 1000, now + 100.0) == 0


@given(starts)
def test_many_short_turns_of_which_nothing_comes_are_no_better(start: float) -> None:
    turns, waiting, now = Turns(most=256), 1000, start
    while waiting:
        # Each takes 0.4 s and ends.
        waiting -= turns.free_places(0, waiting, now)
        now += 0.4
    assert now - start < 8.0


@given(starts, st.integers(20, 128))
def test_who_brings_enough_is_left_undisturbed_for_a_while(start: float, blocks: int) -> None:
    turns, now = Turns(most=256), start
    assert turns.free_places(0, 10, now) == 1
    while now + 1.0 < start + LONGEST_TIME:
        now += PATIENCE * 0.9
        assert turns.free_places(1, 9, now) == 0
        # Importing it takes longer than patience would last.
        now += PATIENCE
        turns.note_import(blocks, PATIENCE, now)
        assert turns.free_places(1, 9, now) == 0
    assert turns.free_places(1, 9, start + LONGEST_TIME) == 1


@given(starts)
def test_who_brings_a_block_now_and_then_is_not(start: float) -> None:
    turns, now = Turns(most=256), start
    taken = turns.free_places(0, 1000, start)
    while taken < 64:
        now += 0.4
        turns.note_import(1, 0.0, now)
        taken += turns.free_places(taken, 1000, now)
    assert now - start < 6.0


def test_where_one_ends_the_next_begins() -> None:
    turns = Turns(most=256)
    assert turns.free_places(0, 3, 0.0) == 1
    assert turns.free_places(1, 2, 0.1) == 0
    assert turns.free_places(0, 2, 0.1) == 1


def test_where_nobody_waits_patience_begins_anew() -> None:
    turns = Turns(most=256)
    turns.free_places(0, 3, 0.0)
    assert turns.free_places(0, 8, PATIENCE) == 2
    assert turns.free_places(2, 0, PATIENCE) == 0
    assert turns.free_places(0, 3, 10.0) == 1
    turns.note_import(1, 0.0, 10.0)
    assert turns.free_places(1, 2, 10.0 + PATIENCE) == 1
    assert turns.free_places(1, 0, 10.0 + PATIENCE) == 0
