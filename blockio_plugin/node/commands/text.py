"""A node's status in plain lines, for terminals and files alike."""
from typing import Iterator, List, Optional, Sequence

from blockio_plugin.node.commands.report import PeerReport, StatusReport
from blockio_plugin.rules.durations import describe_seconds

MEGABYTE = 1e6
"""Bytes."""

COLUMNS = ("peer", "client", "state", "head", "ms/block", "rtt ms", "blocks", "open", "late", "why")
"""What the table of peers has, from the left."""

NUMBERS = ("head", "ms/block", "rtt ms", "blocks", "open", "late")
"""Columns that are aligned to the right."""

CLIENT_WIDTH = 24
"""Characters of a client's name that are shown, most."""


def tell_role(report: StatusReport) -> str:
    """What block I/O does in the node."""
    does = "drives the chain" if report.role == "drives" else "assists Trinity's own syncer"
    return f"Block I/O {does}, view scheme {report.scheme}"


def tell_progress(report: StatusReport) -> str:
    """How far it is, in one line."""
    at = f"block {report.head_number:,} (view {report.head_view:,})"
    if not report.syncing:
        return f"At {at}"
    if report.target_view <= report.head_view:
        return f"Syncing: at {at}, nobody has told of more yet"
    to = f"view {report.target_view:,}"
    if report.target_number is not None:
        to = f"block {report.target_number:,} ({to})"
    parts = [f"Syncing: {at} of {to}"]
    if report.percent is not None:
        parts.append(f"{report.percent:.1f} %")
    parts.append(tell_pace(report))
    return ", ".join(parts)


def tell_pace(report: StatusReport) -> str:
    """Blocks and bytes a second, and the time that is left."""
    pace = (
        f"{report.blocks_per_second:,.0f} blocks/s, "
        f"{report.bytes_per_second / MEGABYTE:.2f} MB/s"
    )
    return pace if report.eta_seconds is None else f"{pace}, {tell_eta(report.eta_seconds)} left"


def tell_eta(seconds: Optional[float]) -> str:
    """The time that is left; a question mark where it cannot be told."""
    return "?" if seconds is None else describe_seconds(seconds)


def tell_line(report: StatusReport) -> str:
    """All of it in one line, as for a log."""
    peers = "1 peer" if len(report.peers) == 1 else f"{len(report.peers)} peers"
    line = (
        f"{tell_progress(report)}, {peers}, {report.in_flight_blocks:,} blocks in flight, "
        f"{report.cached_blocks:,} cached, {report.served_blocks:,} served"
    )
    return line if report.reason is None else f"{line}; {report.reason}"


def tell_status(report: StatusReport) -> List[str]:
    """All of it, line by line."""
    cached, budget = report.cached_bytes / MEGABYTE, report.memory_budget / MEGABYTE
    lines = [
        tell_role(report),
        tell_progress(report),
        f"  head      {report.head_hash}",
        f"  fetching  {report.wanted_views:,} views to ask for, "
        f"{report.in_flight_blocks:,} blocks in flight, "
        f"{report.cached_blocks:,} cached ({cached:.1f} of {budget:.0f} MB)",
        f"  so far    {report.imported_blocks:,} blocks imported, {report.served_blocks:,} served "
        f"({report.served_bytes / MEGABYTE:.1f} MB)",
    ]
    if report.reason is not None:
        lines.append(f"  {report.reason}")
    if report.peers:
        lines += ["", *tell_peers(report.peers)]
    return lines


def tell_peers(peers: Sequence[PeerReport]) -> Iterator[str]:
    """The peers as a table, one line each."""
    rows = [COLUMNS, *(row_of(peer) for peer in peers)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [
            cell.rjust(width) if name in NUMBERS else cell.ljust(width)
            for name, cell, width in zip(COLUMNS, row, widths)
        ]
        yield "  ".join(cells).rstrip()


def row_of(peer: PeerReport) -> Sequence[str]:
    """One line of the table of peers."""
    return (
        peer.node_id[:8],
        shorten(peer.client, CLIENT_WIDTH),
        state_of(peer),
        "-" if peer.head_view is None else f"{peer.head_view}",
        tell_milliseconds(peer.score),
        tell_milliseconds(peer.round_trip),
        f"{peer.blocks}",
        f"{peer.open_requests}",
        f"{peer.late}",
        peer.state.partition(": ")[2],
    )


def state_of(peer: PeerReport) -> str:
    """The state without its reason."""
    return peer.state.partition(":")[0]


def tell_milliseconds(seconds: Optional[float]) -> str:
    """Milliseconds; a dash where not known."""
    return "-" if seconds is None else f"{seconds * 1000:.1f}"


def shorten(text: str, width: int) -> str:
    """At most ``width`` characters of ``text``."""
    return text if len(text) <= width else text[: width - 1] + "~"
