from typing import List, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.memory_pool import GREED, OWN_PART, Holding, MemoryPool

SIZE = 1_000_000

HOLDERS = 8


def ask(holding: Holding) -> None:
    """As much as it may."""
    holding.promise(holding.promised + int(holding.room))


def land(holding: Holding) -> None:
    """What was promised comes."""
    size = int(holding.promised)
    holding.promise(0)
    assert holding.takes(size)
    holding.hold(holding.held + size)


def test_one_alone_has_much_of_it() -> None:
    pool = MemoryPool(SIZE, HOLDERS)
    alone = pool.open()
    ask(alone)
    land(alone)
    common = SIZE * (1 - OWN_PART)
    assert alone.held == pytest.approx(pool.own_size + common * GREED / (1 + GREED), abs=2)
    assert alone.room < 1


@pytest.mark.parametrize("count", [2, 5, HOLDERS])
def test_many_that_ask_by_and_by_have_alike(count: int) -> None:
    pool = MemoryPool(SIZE, HOLDERS)
    holdings = [pool.open() for _ in range(count)]
    for _ in range(10_000 // count):
        for holding in holdings:
            holding.promise(holding.promised + min(200, int(holding.room)))
    used = [holding.promised for holding in holdings]
    assert max(used) - min(used) <= 400
    common = SIZE * (1 - OWN_PART)
    assert sum(used) > pool.own_size * count + common * GREED * count / (1 + GREED * count) * 0.99


def test_whatever_the_others_have_each_has_its_own_part() -> None:
    pool = MemoryPool(SIZE, HOLDERS)
    for _ in range(HOLDERS - 1):
        greedy = pool.open()
        ask(greedy)
        land(greedy)
    last = pool.open()
    assert last.room >= pool.own_size
    assert last.takes(pool.own_size)
    ask(last)
    land(last)


def test_what_is_given_back_is_there_for_the_others() -> None:
    pool = MemoryPool(SIZE, HOLDERS)
    first, second = pool.open(), pool.open()
    ask(first)
    before = second.room
    first.close()
    assert second.room > before
    assert (pool.held, pool.free) == (0, SIZE)


def test_what_is_set_aside_for_others_is_not_taken() -> None:
    pool = MemoryPool(SIZE, HOLDERS)
    one, other = pool.open(), pool.open()
    most = SIZE - (HOLDERS - 1) * pool.own_size
    assert one.takes(most) and not one.takes(most + 1)
    one.hold(most)
    assert not one.takes(1) and other.takes(pool.own_size) and not other.takes(pool.own_size + 1)
    assert pool.fits(SIZE - most) and not pool.fits(SIZE - most + 1)


@given(
    st.lists(
        st.tuples(
            st.integers(0, HOLDERS - 1),
            st.sampled_from(["promise", "land", "surprise", "free", "close"]),
            st.integers(0, SIZE),
        )
    )
)
def test_no_more_is_held_than_there_is(steps: List[Tuple[int, str, int]]) -> None:
    """Whatever is asked for, and however much more comes."""
    pool = MemoryPool(SIZE, HOLDERS)
    holdings = [pool.open() for _ in range(HOLDERS)]
    for index, step, size in steps:
        holding = holdings[index]
        if step == "promise":
            holding.promise(holding.promised + min(size, holding.room))
        elif step == "land":
            holding.promise(max(0.0, holding.promised - size))
            if holding.takes(size):
                holding.hold(holding.held + size)
        elif step == "surprise" and holding.takes(size):
            holding.hold(holding.held + size)
        elif step == "free":
            holding.hold(max(0, holding.held - size))
        elif step == "close":
            holding.close()
        assert pool.held == sum(holding.held for holding in holdings) <= SIZE
        promised = sum(holding.promised for holding in holdings)
        assert pool.free == pytest.approx(SIZE - pool.held - promised)
        assert all(holding.room <= holding.space for holding in holdings)


@given(st.lists(st.tuples(st.integers(0, HOLDERS - 1), st.integers(0, SIZE))))
def test_no_more_is_promised_than_there_is(asked: List[Tuple[int, int]]) -> None:
    pool = MemoryPool(SIZE, HOLDERS)
    holdings = [pool.open() for _ in range(HOLDERS)]
    for index, size in asked:
        holding = holdings[index]
        holding.promise(holding.promised + min(size, holding.room))
        assert pool.free >= 0
