"""What ``trinity blockio probe`` says, as an object and as text."""
from dataclasses import dataclass
from typing import List, Optional, Tuple

from blockio_plugin.node.commands.text import tell_milliseconds
from blockio_plugin.node.commands.view_ranges import count_views, tell_ranges

BAR_WIDTH = 60
"""Characters of the bar that shows an advert."""


@dataclass(frozen=True)
class ProbeReport:
    """A look at one node from outside."""

    client: str
    """What it calls itself."""
    capabilities: Tuple[str, ...]
    """The protocols that it speaks, as ``name/version``."""
    scheme: Optional[str]
    """The view scheme that it advertises; null where it does not advertise."""
    head_view: Optional[int]
    """The view of its head, as advertised; null where it does not advertise."""
    ranges: Tuple[Tuple[int, int], ...]
    """The views that it advertises, each range without its end."""
    round_trip: Optional[float]
    """Seconds to its answer to a request for one block; null where none came."""
    blocks: int
    """Blocks that it gave."""
    blocks_per_second: Optional[float]
    """Blocks a second that it gave of requests sent all at once; null where it gave none."""
    requests: int
    """Requests that it was sent, at most."""
    conforms: bool
    """Whether nothing was found wrong."""
    findings: Tuple[str, ...]
    """What was found wrong, in plain words."""


def draw_advert(ranges: Tuple[Tuple[int, int], ...], head_view: int) -> str:
    """All views up to the head in ``BAR_WIDTH`` characters: covered, partly, not at all."""
    total = max(1, head_view + 1)
    width = min(BAR_WIDTH, total)
    cells = []
    for index in range(width):
        start, stop = total * index // width, total * (index + 1) // width
        covered = sum(max(0, min(stop, end) - max(start, begin)) for begin, end in ranges)
        cells.append("#" if covered >= stop - start else "+" if covered else ".")
    return "".join(cells)


def tell_probe(report: ProbeReport) -> List[str]:
    """The report, line by line."""
    lines = [
        f"client        {report.client}",
        f"capabilities  {', '.join(report.capabilities)}",
    ]
    if report.scheme is not None and report.head_view is not None:
        lines += [
            f"view scheme   {report.scheme}",
            f"advertises    {count_views(report.ranges):,} views, head at {report.head_view:,}: "
            f"{tell_ranges(report.ranges) or 'none'}",
            f"              {draw_advert(report.ranges, report.head_view)}",
            f"round trip    {tell_milliseconds(report.round_trip)} ms",
        ]
    if report.blocks_per_second is not None:
        lines.append(
            f"gave          {report.blocks:,} blocks, {report.blocks_per_second:,.0f} blocks/s"
        )
    if report.conforms:
        lines.append(f"conforms      nothing wrong in {report.requests} requests")
    else:
        lines += [f"WRONG         {finding}" for finding in report.findings]
    return lines
