"""The whole view range in one line: what is held, here, asked for, wanted, in nobody's hands."""
from typing import Tuple

from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange, ViewRanges

BAR_CELLS = 240
"""Cells of the bar, most: two for each column of a wide terminal."""

HELD = "#"
"""A cell that our chain covers."""

CACHED = "="
"""Answered: to be linked, or imported."""

IN_FLIGHT = ">"
"""Asked for."""

WANTED = "."
"""Still to be asked for."""

MISSING = "!"
"""Wanted, and advertised by nobody."""

UNKNOWN = "?"
"""Below our head, and not covered by our chain."""

RANKS = IN_FLIGHT + MISSING + CACHED + WANTED + UNKNOWN + HELD
"""What a cell is drawn as that has several of them: the first of these that it has a view of."""


def draw_views(ledger: Ledger, peers: PeerBook, own: ViewRanges) -> str:
    """
    Cells of equal size over all views below the target, one character each; one cell for each view
    where there are fewer of these than ``BAR_CELLS``.

    :param own: what our own chain covers, normal
    """
    stop = max(ledger.target, ledger.front)
    cells = min(BAR_CELLS, stop)
    unclaimed = _find_unclaimed(ledger, peers)
    bounds = [stop * index // cells for index in range(cells + 1)] if cells else [0]
    return "".join(
        _draw_cell(ViewRange(start, end), ledger, own, unclaimed)
        for start, end in zip(bounds, bounds[1:])
    )


def merge_cells(cells: str, width: int) -> str:
    """The same bar in at most ``width`` characters."""
    if width < 1 or len(cells) <= width:
        return cells
    bounds = [len(cells) * index // width for index in range(width + 1)]
    return "".join(
        min(cells[start:end], key=RANKS.index) for start, end in zip(bounds, bounds[1:])
    )


def _find_unclaimed(ledger: Ledger, peers: PeerBook) -> ViewRanges:
    partition = peers.availability.partition(ViewRange(ledger.front, ledger.target))
    return tuple(
        ViewRange(segment.start, segment.stop)
        for segment in partition.segments
        if not segment.holders
    )


def _draw_cell(cell: ViewRange, ledger: Ledger, own: ViewRanges, unclaimed: ViewRanges) -> str:
    below = ViewRange(cell.start, min(cell.stop, ledger.front))
    above = ViewRange(max(cell.start, ledger.front), cell.stop)
    if above.length > 0:
        if _has_any(ledger.in_flight, above):
            return IN_FLIGHT
        missing = [_overlap(above, views) for views in unclaimed]
        if any(part.length > 0 and _is_wanted(ledger, part) for part in missing):
            return MISSING
        if _has_any(ledger.answered, above):
            return CACHED
        if _is_wanted(ledger, above):
            return WANTED
    if below.length > 0:
        covered = sum(max(_overlap(below, views).length, 0) for views in own)
        return HELD if covered else UNKNOWN
    return HELD


def _overlap(one: ViewRange, other: Tuple[int, int]) -> ViewRange:
    return ViewRange(max(one.start, other[0]), min(one.stop, other[1]))


def _has_any(views: ViewSet, cell: ViewRange) -> bool:
    found = views.next_at(cell.start)
    return found is not None and found < cell.stop


def _is_wanted(ledger: Ledger, views: ViewRange) -> bool:
    return views.stop > ledger.horizon or _has_any(ledger.wanted, views)
