"""
Draws the live screen: from what the node said to what a terminal shows, and nothing else.

All that is of strangers, the names of clients above all, goes in as text and never as markup.
"""
from typing import List, NamedTuple, Optional, Sequence, Tuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockio_plugin.events import BlockIOStatus, News
from blockio_plugin.node.commands.report import PeerReport, StatusReport, make_report
from blockio_plugin.node.commands.text import (
    shorten,
    state_of,
    tell_eta,
    tell_milliseconds,
    tell_role,
)
from blockio_plugin.rules.durations import describe_seconds
from blockio_plugin.rules.meter import BUCKET_TIME
from blockio_plugin.rules.view_bar import (
    CACHED,
    HELD,
    IN_FLIGHT,
    MISSING,
    UNKNOWN,
    WANTED,
    merge_cells,
)

SHOWN_NEWS = 5
"""Events that are shown, most: the latest."""

WIDE = 110
"""Columns from which on there is room for more of each peer."""

LABEL_WIDTH = 10
"""Columns of the labels at the left."""

FIXED_LINES = 14
"""Lines of a screen that the peers do not get: all others, and the head of their own table."""

LEAST_PEERS = 3
"""Peers that are shown however low the screen is."""

CLIENT_WIDTH = {False: 14, True: 26}
"""Columns for the name of a client on a narrow and on a wide screen."""


class CellStyle(NamedTuple):
    """How a cell of the view bar is shown."""

    glyph: str
    ascii: str
    style: str
    name: str


CELLS = {
    HELD: CellStyle("█", "#", "green", "held"),
    CACHED: CellStyle("▓", "=", "cyan", "cached"),
    IN_FLIGHT: CellStyle("►", ">", "yellow", "in flight"),
    WANTED: CellStyle("░", ".", "white", "wanted"),
    MISSING: CellStyle("×", "!", "red", "no peer"),
    UNKNOWN: CellStyle("?", "?", "magenta", "not held"),
}
"""The kinds of cells, in the order of the legend; each has a shape of its own beside its colour."""

LEVELS = " ▁▂▃▄▅▆▇█"
"""Heights of the line of blocks/s."""

ASCII_LEVELS = " .:-=+*#@"
"""The same without block characters."""


class View(NamedTuple):
    """What there is to show."""

    place: str
    """The data directory of the node."""
    status: Optional[BlockIOStatus]
    """What the node said last; None where it never did."""
    age: float
    """Seconds since it did."""
    trouble: Optional[str]
    """Why it does not say any more; None where it does."""


class Room(NamedTuple):
    """The terminal."""

    width: int
    """Columns."""
    height: int
    """Lines."""
    is_ascii: bool
    """Whether it shows ASCII only."""


def draw(view: View, room: Room) -> RenderableType:
    """The whole screen."""
    lines: List[RenderableType] = [_draw_title(view, room)]
    if view.status is None:
        return Group(*lines)
    report = make_report(view.status)
    role = Text(tell_role(report))
    if view.trouble:
        role.append(f" (as it was {view.age:.0f} s ago)", style="red")
    lines += [
        _cut(role, room),
        Text(),
        _draw_progress(report, room),
        _draw_rate(view.status, room),
        _draw_views(view.status, room),
        _draw_legend(view.status, room),
        _draw_flow(report, room),
        Text(),
        _draw_peers(report, room),
        *_draw_news(view.status.news, view.age, room),
    ]
    return Group(*lines)


def _cut(text: Text, room: Room) -> Text:
    text.truncate(room.width, overflow="crop" if room.is_ascii else "ellipsis")
    return text


def _label(name: str) -> Text:
    return Text(name.ljust(LABEL_WIDTH), style="bold")


def _draw_title(view: View, room: Room) -> Text:
    if view.trouble:
        return _cut(Text(f"Block I/O: {view.trouble}", style="bold red"), room)
    return _cut(Text("Block I/O ", style="bold").append(view.place, style=""), room)


def _draw_progress(report: StatusReport, room: Room) -> Text:
    line = _label("progress")
    if not report.syncing:
        line.append(f"at block {report.head_number:,}, view {report.head_view:,}", style="green")
        return _cut(line, room)
    told = Text(f" {report.head_number:,}")
    if report.target_number is None:
        line.append_text(told.append(f", view {report.head_view:,} of {report.target_view:,}"))
        return _cut(line, room)
    told.append(f" of {report.target_number:,} blocks, {tell_eta(report.eta_seconds)} left")
    share = f" {report.percent or 0.0:5.1f} %"
    columns = max(0, room.width - LABEL_WIDTH - len(share) - len(told))
    filled = int(columns * (report.percent or 0.0) / 100)
    full, empty = ("#", "-") if room.is_ascii else ("━", "─")
    line.append(full * filled, style="green").append(empty * (columns - filled), style="dim")
    return _cut(line.append(share, style="bold").append_text(told), room)


def _draw_rate(status: BlockIOStatus, room: Room) -> Text:
    now = f" {status.blocks_per_second:,.0f} blocks/s"
    columns = max(0, room.width - LABEL_WIDTH - len(now))
    rates = [blocks / BUCKET_TIME for blocks in status.imported_history][-columns:]
    line = _label("blocks/s")
    line.append(draw_levels(rates, room.is_ascii), style="cyan").append(now, style="bold")
    if rates and len(rates) + len(now) + LABEL_WIDTH + 28 < room.width:
        span = describe_seconds(len(rates) * BUCKET_TIME)
        line.append(f" (best {max(rates):,.0f} in {span})", style="dim")
    return _cut(line, room)


def draw_levels(rates: Sequence[float], is_ascii: bool) -> str:
    """One character for each rate, the highest of all at full height, none above 0 at none."""
    levels = ASCII_LEVELS if is_ascii else LEVELS
    top = max(rates, default=0.0)
    steps = len(levels) - 1
    return "".join(
        levels[0 if rate <= 0 else max(1, round(rate / top * steps))] for rate in rates
    )


def _draw_views(status: BlockIOStatus, room: Room) -> Text:
    line = _label("views")
    for cell in merge_cells(status.view_bar, room.width - LABEL_WIDTH):
        kind = CELLS[cell]
        line.append(kind.ascii if room.is_ascii else kind.glyph, style=kind.style)
    return line


def _draw_legend(status: BlockIOStatus, room: Room) -> Text:
    line = Text(" " * LABEL_WIDTH)
    line.append(f"0 to {status.target_view:,}", style="dim")
    for kind, cell in CELLS.items():
        if kind != UNKNOWN or UNKNOWN in status.view_bar:
            glyph = cell.ascii if room.is_ascii else cell.glyph
            line.append("  ").append(glyph, style=cell.style).append(f" {cell.name}", style="dim")
    return _cut(line, room)


def _draw_flow(report: StatusReport, room: Room) -> Text:
    line = _label("flow")
    line.append(
        f"{report.bytes_per_second / 1e6:.2f} MB/s in, {report.in_flight_blocks:,} in flight, "
        f"{report.cached_blocks:,} cached ({report.cached_bytes / 1e6:.1f} of "
        f"{report.memory_budget / 1e6:.0f} MB), {report.served_blocks:,} served"
    )
    if report.reason is not None:
        line.append(f"\n{'':{LABEL_WIDTH}}").append(report.reason, style="yellow")
        first, second = line.split("\n")
        return Text("\n").join([_cut(first, room), _cut(second, room)])
    return _cut(line, room)


def _draw_peers(report: StatusReport, room: Room) -> RenderableType:
    if not report.peers:
        return Text("no peers", style="dim")
    is_wide = room.width >= WIDE
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for name, is_number in _columns(is_wide):
        table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
    shown = max(LEAST_PEERS, room.height - FIXED_LINES - SHOWN_NEWS)
    for peer in report.peers[:shown]:
        table.add_row(*_row(peer, is_wide))
    if len(report.peers) <= shown:
        return table
    return Group(table, Text(f"and {len(report.peers) - shown} more", style="dim"))


def _columns(is_wide: bool) -> Tuple[Tuple[str, bool], ...]:
    narrow = (
        ("peer", False),
        ("client", False),
        ("state", False),
        ("head", True),
        ("ms/block", True),
        ("rtt ms", True),
        ("blocks", True),
        ("open", True),
        ("late", True),
    )
    if not is_wide:
        return narrow
    more = (("faults", True), ("address", False))
    return (*narrow, *more)


def _row(peer: PeerReport, is_wide: bool) -> List[Text]:
    cells = [
        peer.node_id[:8],
        shorten(peer.client, CLIENT_WIDTH[is_wide]),
        state_of(peer),
        "-" if peer.head_view is None else str(peer.head_view),
        tell_milliseconds(peer.score),
        tell_milliseconds(peer.round_trip),
        str(peer.blocks),
        str(peer.open_requests),
        str(peer.late),
    ]
    if is_wide:
        cells += [str(peer.faults), peer.address]
    return [Text(cell) for cell in cells]


def _draw_news(news: Sequence[News], age: float, room: Room) -> List[Text]:
    lines = [Text()]
    for each in news[-SHOWN_NEWS:]:
        ago = describe_seconds(each.seconds_ago + age).rjust(LABEL_WIDTH - 4)
        line = Text(f"{ago} ago", style="dim").append(f" {each.text}", style="default")
        lines.append(_cut(line, room))
    return lines
