"""View ranges as people write them: ``START..STOP``, without STOP."""
import argparse
from typing import Sequence, Tuple

MAX_SHOWN = 8
"""Ranges that are written out, most."""

VIEW_LIMIT = 2 ** 63
"""Views are below this on the bus and on the wire."""


def parse_views(text: str) -> Tuple[int, int]:
    """
    Read a range.

    :raise argparse.ArgumentTypeError: it is none; the message is one line
    """
    start, dots, stop = text.partition("..")
    if not dots or not all(part.isascii() and part.isdigit() for part in (start, stop)):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of views: write START..STOP")
    views = int(start), int(stop)
    if views[0] >= views[1]:
        raise argparse.ArgumentTypeError(
            f"{text!r} holds no view: it goes from START up to before STOP"
        )
    if views[1] > VIEW_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} goes beyond view 2**63")
    return views


def count_views(ranges: Sequence[Tuple[int, int]]) -> int:
    """How many views there are in ranges that do not overlap."""
    return sum(stop - start for start, stop in ranges)


def tell_ranges(ranges: Sequence[Tuple[int, int]]) -> str:
    """The ranges as text, the lowest ones where they are many."""
    told = ", ".join(f"{start}..{stop}" for start, stop in ranges[:MAX_SHOWN])
    more = len(ranges) - MAX_SHOWN
    return told if more <= 0 else f"{told} and {more} more"
