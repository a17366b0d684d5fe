from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.protocol.codecs import MAX_BLOCKS_SIZE
from blockio_plugin.rules.limits import (
    DEFAULT_CACHE_BYTES,
    DEFAULT_MEMORY,
    LARGEST_ANSWER,
    LEAST_MEMORY,
    MIB,
    MemoryBudget,
    TooLittleMemory,
)


@given(st.integers(LEAST_MEMORY, 2 ** 50))
def test_the_shares_add_up_and_each_suffices(total: int) -> None:
    budget = MemoryBudget.divide(total)
    assert sum(budget) == budget.total == total
    assert min(budget) >= LARGEST_ANSWER


def test_by_default_all_is_256_mib_and_a_cache_has_a_quarter() -> None:
    assert MemoryBudget.divide() == MemoryBudget.divide(DEFAULT_MEMORY)
    assert DEFAULT_MEMORY == 256 * MIB
    assert MemoryBudget.divide().cache == DEFAULT_CACHE_BYTES == 64 * MIB


@given(st.integers(-(2 ** 50), LEAST_MEMORY - 1))
def test_too_little_is_refused_with_what_suffices(total: int) -> None:
    with pytest.raises(TooLittleMemory, match=f"^{LEAST_MEMORY // MIB} MiB are the least: "):
        MemoryBudget.divide(total)


def test_the_largest_answer_is_that_of_the_protocol() -> None:
    assert LARGEST_ANSWER == MAX_BLOCKS_SIZE
    assert LEAST_MEMORY == (len(MemoryBudget._fields) + 1) * LARGEST_ANSWER
