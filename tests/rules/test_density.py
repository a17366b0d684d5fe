"""The expected blocks per view follow what is seen."""
import pytest

from blockio_plugin.rules.density import Density


def test_views_are_taken_to_be_full_until_seen_otherwise() -> None:
    density = Density()
    assert density.value == 1.0
    density.seen(100, 99)
    assert density.value == 1.0


def test_a_full_chain_may_end_in_a_chasm() -> None:
    density = Density()
    density.seen(100, 100)
    density.seen(100, 0)
    assert density.value == 0.5


def test_a_sparse_chain_is_found_sparse() -> None:
    density = Density()
    for _ in range(30):
        density.seen(1000, 10)
    assert density.value == pytest.approx(0.01, rel=0.1)


def test_each_empty_answer_doubles_the_reach_and_a_block_ends_that() -> None:
    density = Density()
    density.seen(100, 50)
    first = density.value
    density.seen(100, 0)
    density.seen(100, 0)
    assert density.value == pytest.approx(first / 4)
    density.seen(100, 50)
    assert density.value > first / 2
