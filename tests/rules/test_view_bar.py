from typing import List, Set

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.view_bar import (
    BAR_CELLS,
    CACHED,
    HELD,
    IN_FLIGHT,
    MISSING,
    RANKS,
    UNKNOWN,
    WANTED,
    draw_views,
    merge_cells,
)
from blockio_plugin.rules.views import ViewRange, normalise

KINDS = "".join((HELD, CACHED, IN_FLIGHT, WANTED, MISSING, UNKNOWN))


def make_book(*ranges: ViewRange) -> PeerBook:
    peers = PeerBook()
    peers.join("alice")
    peers.availability.advertise("alice", 10 ** 6, normalise(ranges))
    return peers


def test_a_cell_for_each_view_where_they_are_few() -> None:
    ledger = Ledger(4)
    ledger.set_target(12)
    ledger.take(ViewRange(4, 6))
    ledger.take(ViewRange(6, 8))
    ledger.land(ViewRange(6, 8), ())
    ledger.answer(ViewRange(6, 8))
    bar = draw_views(ledger, make_book(ViewRange(0, 10)), (ViewRange(0, 1), ViewRange(2, 4)))
    assert bar == "#?##>>==..!!"


def test_nothing_to_draw() -> None:
    assert draw_views(Ledger(0), PeerBook(), ()) == ""


def test_past_the_horizon_all_is_wanted() -> None:
    ledger = Ledger(0)
    ledger.set_target(10 ** 8)
    assert draw_views(ledger, make_book(ViewRange(0, 10 ** 8)), ()) == WANTED * BAR_CELLS
    half = draw_views(ledger, make_book(ViewRange(0, 5 * 10 ** 7)), ())
    assert half == WANTED * (BAR_CELLS // 2) + MISSING * (BAR_CELLS // 2)


@given(
    st.integers(0, 300),
    st.integers(0, 300),
    st.sets(st.integers(0, 599)),
    st.sets(st.integers(0, 599)),
    st.sets(st.integers(0, 599)),
)
def test_against_a_model_view_by_view(
    front: int, length: int, in_flight: Set[int], answered: Set[int], covered: Set[int]
) -> None:
    target = front + length
    ledger = Ledger(front)
    ledger.set_target(target)
    above = set(range(front, target))
    for view in in_flight & above:
        ledger.take(ViewRange(view, view + 1))
    for view in answered & above - in_flight:
        ledger.answer(ViewRange(view, view + 1))
    ranges = [ViewRange(view, view + 1) for view in sorted(covered)]
    bar = draw_views(ledger, make_book(*ranges), normalise(ranges))
    kinds: List[str] = []
    for view in range(target):
        if view < front:
            kinds.append(HELD if view in covered else UNKNOWN)
        elif view in in_flight:
            kinds.append(IN_FLIGHT)
        elif view in answered:
            kinds.append(CACHED)
        else:
            kinds.append(WANTED if view in covered else MISSING)
    cells = min(BAR_CELLS, target)
    assert len(bar) == cells
    bounds = [target * index // cells for index in range(cells + 1)] if cells else []
    for cell, start, stop in zip(bar, bounds, bounds[1:]):
        inside = set(kinds[start:stop])
        # Below the front one view that is held is enough.
        ranks = RANKS.replace(UNKNOWN, "") + UNKNOWN
        assert cell == min(inside, key=ranks.index)


@given(st.text(KINDS, max_size=300), st.integers(1, 300))
def test_a_narrower_bar_keeps_what_matters_most(cells: str, width: int) -> None:
    merged = merge_cells(cells, width)
    assert len(merged) == min(len(cells), width)
    assert set(merged) <= set(cells)
    if cells:
        assert min(merged, key=RANKS.index) == min(cells, key=RANKS.index)
