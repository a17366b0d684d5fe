"""The live screen, drawn at several sizes: what it shows, and that it fits."""
import io
from typing import Any, Callable, Optional

from hypothesis import given
from hypothesis import strategies as st
import pytest
from rich.console import Console

from blockio_plugin.events import BlockIOStatus, News
from blockio_plugin.node.commands.screen import CELLS, LEVELS, Room, View, draw, draw_levels

MakeStatus = Callable[..., BlockIOStatus]

HEIGHT = 30


def show(
    status: Optional[BlockIOStatus],
    width: int = 80,
    trouble: Optional[str] = None,
    is_ascii: bool = False,
    height: int = HEIGHT,
) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    console.print(draw(View("/data/f", status, 3.0, trouble), Room(width, height, is_ascii)))
    return console.export_text()


def line_of(screen: str, label: str) -> str:
    (line,) = [line for line in screen.splitlines() if line.startswith(label)]
    return line


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("is_ascii", [False, True])
@pytest.mark.parametrize(
    "changes, trouble",
    [
        ({}, None),
        ({"syncing": False}, None),
        ({"target_number": None, "percent": None, "eta_seconds": None}, None),
        ({"idle_reason": "waiting for " + "views 161029-171028 " * 20}, None),
        ({}, "no node runs on /" + "a" * 200),
        ({"peers": (), "news": (), "imported_history": (), "view_bar": ""}, None),
        ({"head_number": 10 ** 12, "target_number": 10 ** 13, "target_view": 10 ** 15}, None),
    ],
)
def test_every_line_fits(
    make_status: MakeStatus, width: int, is_ascii: bool, changes: Any, trouble: Optional[str]
) -> None:
    screen = show(make_status(**changes), width, trouble, is_ascii)
    assert all(len(line) <= width for line in screen.splitlines()), screen
    assert screen.isascii() or not is_ascii
    assert len(screen.splitlines()) < HEIGHT


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_asked_first_is_there(make_status: MakeStatus, width: int) -> None:
    screen = show(make_status(), width)
    progress = line_of(screen, "progress")
    assert " 18.9 % 567 of 3,000 blocks, 7s left" in progress
    bar = progress[10:].split(" ")[0]
    assert len(bar) > 30 and bar.count("━") / len(bar) == pytest.approx(0.189, abs=1 / len(bar))
    assert "312 blocks/s" in line_of(screen, "blocks/s")
    legend = screen.splitlines()[screen.splitlines().index(line_of(screen, "views")) + 1]
    for name in ("held", "cached", "in flight", "wanted", "no peer", "0 to 4,501,500"):
        assert name in legend


def test_the_bar_shows_each_kind_of_views_once_it_is_there(make_status: MakeStatus) -> None:
    line = line_of(show(make_status(), 120), "views")
    assert [glyph for glyph in dict.fromkeys(line[10:])] == [
        CELLS[kind].glyph for kind in "#>=!."
    ]
    assert len(line) == 120


def test_peers_are_in_the_order_of_their_scores(make_status: MakeStatus) -> None:
    lines = show(make_status()).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("peer "))
    states = [line.split()[-7] if "new" not in line else "new" for line in lines[start + 1 :][:3]]
    assert states == ["asked", "paused", "new"]


def test_a_client_cannot_write_markup(make_status: MakeStatus) -> None:
    assert "[red]no markup[/red]" in show(make_status(), 120)


def test_the_last_five_events(make_status: MakeStatus) -> None:
    lines = [line for line in show(make_status()).splitlines() if " ago " in line]
    assert [line.split(" ago ")[1][0] for line in lines] == list("45678")
    # It was looked at three seconds ago.
    assert lines[-1].split()[0] == "55s"


def test_few_peers_are_shown_where_the_screen_is_low(
    make_status: MakeStatus, make_peer: Callable[..., Any]
) -> None:
    status = make_status(peers=tuple(make_peer() for _ in range(40)))
    for height in (24, 50):
        screen = show(status, height=height)
        assert len(screen.splitlines()) < height
        assert " more" in screen


def test_without_a_node_the_last_state_stays(make_status: MakeStatus) -> None:
    screen = show(make_status(), 120, trouble="the node ended")
    assert screen.startswith("Block I/O: the node ended")
    assert "slot:30 (as it was 3 s ago)" in screen
    assert "18.9 %" in screen
    assert show(None, trouble="no node runs") == "Block I/O: no node runs\n"


def test_levels() -> None:
    assert draw_levels([0, 1, 50, 100], False) == " ▁▄█"
    assert draw_levels([], False) == ""
    assert draw_levels([0, 0], True) == "  "


@given(st.lists(st.floats(0, 1e9), max_size=60))
def test_levels_rise_with_rates(rates: Any) -> None:
    heights = [LEVELS.index(level) for level in draw_levels(rates, False)]
    for one, other in zip(sorted(zip(rates, heights)), sorted(zip(rates, heights))[1:]):
        assert one[1] <= other[1]
    assert all((height > 0) == (rate > 0) for rate, height in zip(rates, heights))


def test_news_of_any_length_fit(make_status: MakeStatus) -> None:
    assert show(make_status(news=(News(1.0, "x" * 500),))).splitlines()[-1].endswith("…")
