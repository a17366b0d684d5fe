from typing import List, Set, Tuple

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.head_number import MAX_SOUNDINGS, NEAR_VIEWS, HeadNumber, Sounding

HEAD = Sounding(1000, 700)


def test_nothing_is_known_before_a_peer_said_it() -> None:
    numbers = HeadNumber()
    assert numbers.estimate(5000, HEAD) is None
    assert numbers.is_wanted(5000, HEAD)
    assert numbers.note(Sounding(5000, 3100), HEAD)
    assert numbers.estimate(5000, HEAD) == 3100
    assert not numbers.is_wanted(5000, HEAD)


def test_at_the_head_and_next_to_it_nobody_has_to_be_asked() -> None:
    numbers = HeadNumber()
    assert numbers.estimate(900, HEAD) == numbers.estimate(1000, HEAD) == 700
    assert numbers.estimate(1001, HEAD) == 701
    assert not numbers.is_wanted(1000 + NEAR_VIEWS, HEAD)
    assert numbers.is_wanted(1001 + NEAR_VIEWS, HEAD)


def test_what_cannot_be_is_not_believed() -> None:
    numbers = HeadNumber()
    for number in (700, 699, 4701, 10 ** 30, -1):
        assert not numbers.note(Sounding(5000, number), HEAD)
    assert not numbers.note(Sounding(1000, 701), HEAD)
    assert numbers.estimate(5000, HEAD) is None


def test_when_the_target_moves_it_is_asked_for_again_some_time() -> None:
    numbers = HeadNumber()
    numbers.note(Sounding(5000, 3100), HEAD)
    assert numbers.estimate(5010, HEAD) == 3101
    assert not numbers.is_wanted(5000 + NEAR_VIEWS, HEAD)
    assert numbers.is_wanted(5001 + NEAR_VIEWS, HEAD)
    # A claim above the target tells nothing of it.
    assert numbers.estimate(4000, HEAD) is None


def test_what_is_kept_is_bounded() -> None:
    numbers = HeadNumber()
    for view in range(2000, 2000 + 3 * MAX_SOUNDINGS):
        numbers.note(Sounding(view, view - 500), HEAD)
    assert numbers.estimate(2000 + MAX_SOUNDINGS, HEAD) is None
    assert numbers.estimate(1999 + 3 * MAX_SOUNDINGS, HEAD) == 1499 + 3 * MAX_SOUNDINGS


@given(
    st.sets(st.integers(1, 2000), min_size=2),
    st.lists(st.integers(0, 1999), min_size=1, max_size=30),
)
def test_it_does_not_fall_while_the_target_stands(
    views: Set[int], order: List[int]
) -> None:
    """A true chain: its head is the target, and anything below may be sounded, in any order."""
    chain: List[Tuple[int, int]] = list(zip([0, *sorted(views)], range(len(views) + 1)))
    numbers, target, shown = HeadNumber(), chain[-1][0], 0
    at = 0
    for index in order:
        at = min(at + index % 5, len(chain) - 1)
        head = Sounding(*chain[at])
        numbers.note(Sounding(*chain[index % len(chain)]), head)
        estimate = numbers.estimate(target, head)
        if estimate is not None:
            assert shown <= estimate <= chain[-1][1]
            shown = estimate
