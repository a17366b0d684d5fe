from math import log2

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.fork_search import ForkSearch


def search(top: int, fork: int) -> int:
    """How many blocks are compared until the fork is found."""
    found = ForkSearch(top)
    asked = []
    while found.candidate is not None:
        asked.append(found.candidate)
        assert 1 <= asked[-1] <= top
        found.learn(asked[-1], asked[-1] <= fork)
    assert found.fork == fork
    assert len(set(asked)) == len(asked)
    return len(asked)


@given(st.data())
def test_finds_the_fork_in_few_steps(data: st.DataObject) -> None:
    top = data.draw(st.integers(0, 10 ** 7))
    fork = data.draw(st.integers(0, top))
    assert search(top, fork) <= 2 * log2(top - fork + 2) + 3


def test_a_fork_just_below_the_top_takes_two_steps() -> None:
    assert search(1_000_000, 999_999) == 2
    assert search(1_000_000, 1_000_000) == 1
