from typing import Any, Callable

from blockio_plugin.node.commands.report import make_report
from blockio_plugin.node.commands.text import shorten, tell_line, tell_progress, tell_status

MakeStatus = Callable[..., Any]


def test_while_syncing(make_status: MakeStatus) -> None:
    lines = tell_status(make_report(make_status(idle_reason="no peer covers view 9")))
    assert lines[0] == "Block I/O drives the chain, view scheme slot:30"
    assert lines[1] == (
        "Syncing: block 567 (view 161,028) of block 3,000 (view 4,501,500), 18.9 %, "
        "312 blocks/s, 0.42 MB/s, 7s left"
    )
    assert "  no peer covers view 9" in lines
    head, *peers = lines[-4:]
    assert head.split() == [
        *("peer", "client", "state", "head", "ms/block", "rtt", "ms", "blocks"),
        *("open", "late", "why"),
    ]
    assert peers[0].split()[1:] == [
        *("Trinity/v0.1.0a37/linux~", "asked", "4501500", "15.2", "39.0", "527", "2", "0"),
    ]
    assert peers[1].endswith("declines, asked again in 2.0 s")


def test_before_a_peer_gave_the_block_at_the_target(make_status: MakeStatus) -> None:
    unknown = make_status(target_number=None, percent=None, eta_seconds=None)
    assert tell_progress(make_report(unknown)) == (
        "Syncing: block 567 (view 161,028) of view 4,501,500, 312 blocks/s, 0.42 MB/s"
    )
    alone = make_report(unknown._replace(target_view=unknown.head_view, peers=()))
    assert tell_progress(alone).endswith(", nobody has told of more yet")


def test_at_the_head(make_status: MakeStatus) -> None:
    report = make_report(make_status(syncing=False, drives=False, peers=()))
    assert tell_progress(report) == "At block 567 (view 161,028)"
    assert tell_status(report)[0].startswith("Block I/O assists Trinity's own syncer")
    assert tell_line(report).endswith(", 0 peers, 64 blocks in flight, 120 cached, 12 served")


def test_the_reason_ends_the_line(make_status: MakeStatus) -> None:
    assert tell_line(make_report(make_status(idle_reason="no peers"))).endswith("; no peers")


def test_shorten() -> None:
    assert shorten("geth", 4) == "geth"
    assert shorten("geth/v1", 4) == "get~"
