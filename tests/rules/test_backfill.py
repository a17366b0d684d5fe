from typing import Dict

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.backfill import RETRY_TIME, SLICE_TIME, Backfill, Gap, Slice, link_down
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.tools.memory_chain import MemoryChain

CHAIN = MemoryChain.of_views(range(0, 300, 3)).blocks


def gap_between(below: int, above: int) -> Gap:
    """The gap between two blocks of ``CHAIN`` that are held."""
    return Gap(
        first=below + 1,
        last=above - 1,
        last_hash=CHAIN[above].parent_hash,
        floor=CHAIN[below].view + 1,
        ceiling=CHAIN[above].view,
    )


def by_hash(*blocks: Block) -> Dict[bytes, Block]:
    return {block.hash: block for block in blocks}


def make_book(**adverts: ViewRange) -> PeerBook:
    book = PeerBook()
    for peer, views in adverts.items():
        book.join(peer)
        book.availability.advertise(peer, views.stop - 1, (views,))
    return book


DENSE = Gap(1, 10 ** 6, b"hash", 1, 10 ** 6 + 1)
"""A block in every view."""

EVERYTHING = ViewRange(0, 2 * 10 ** 6)


@given(st.data())
def test_a_slice_lies_in_the_gap_and_in_the_advert(data: st.DataObject) -> None:
    floor = data.draw(st.integers(1, 2 ** 40))
    blocks = data.draw(st.integers(1, 2 ** 20))
    gap = Gap(5, 4 + blocks, b"hash", floor, floor + blocks + data.draw(st.integers(0, 2 ** 40)))
    start = data.draw(st.integers(0, 2 * gap.ceiling))
    advert = ViewRange(start, start + data.draw(st.integers(1, 2 * gap.ceiling)))
    backfill = Backfill(make_book(alice=advert))
    for step in data.draw(st.lists(st.sampled_from(["narrow", "settle"]), max_size=60)):
        asked = backfill.next_slice(gap, 0.0)
        if asked is None:
            break
        assert max(gap.floor, advert.start) <= asked.views.start < asked.views.stop
        assert asked.views.stop == min(gap.ceiling, advert.stop)
        if step == "narrow":
            backfill.narrow()
        else:
            assert backfill.settle(gap, asked, {}, 0.0, 0.0) == ()


def test_a_slice_is_for_one_request() -> None:
    book = make_book(alice=EVERYTHING)
    blocks = int(book.scores["alice"].request_blocks)
    backfill = Backfill(book)
    asked = backfill.next_slice(DENSE, 0.0)
    assert asked == Slice("alice", ViewRange(10 ** 6 + 1 - blocks, 10 ** 6 + 1), False)
    # One view in a thousand has a block.
    thin = Gap(1, 1000, b"other", 1, 10 ** 6 + 1)
    asked = backfill.next_slice(thin, 0.0)
    assert asked is not None and asked.views.length == blocks * 1000
    backfill.narrow()
    asked = backfill.next_slice(thin, 0.0)
    assert asked is not None and asked.views.length == blocks * 500


def test_reaches_further_down_where_there_is_nothing_and_ends_at_the_bottom() -> None:
    backfill = Backfill(make_book(alice=EVERYTHING))
    lengths = []
    asked = backfill.next_slice(DENSE, 0.0)
    while asked is not None:
        lengths.append(asked.views.length)
        assert backfill.settle(DENSE, asked, {}, 0.0, 0.0) == ()
        asked = backfill.next_slice(DENSE, 0.0)
    assert lengths[1] == 2 * lengths[0]
    assert lengths[-1] == 10 ** 6 and len(lengths) < 20
    assert backfill.next_slice(DENSE, RETRY_TIME - 0.1) is None
    assert backfill.next_slice(DENSE, RETRY_TIME) is not None
    # For another block it starts over.
    asked = backfill.next_slice(DENSE._replace(last_hash=b"other"), 0.0)
    assert asked is not None and asked.views.length == lengths[0]


def test_who_was_of_use_is_asked_first() -> None:
    backfill = Backfill(make_book(alice=EVERYTHING, bob=EVERYTHING))
    gap = gap_between(10, 50)
    asked = backfill.next_slice(gap, 0.0)
    assert asked is not None and asked.peer == "alice"
    # It has another block where the highest missing one should be.
    backfill.settle(gap, asked, by_hash(CHAIN[49]._replace(hash=b"lie")), 0.0, 0.0)
    asked = backfill.next_slice(gap, 0.0)
    assert asked is not None and asked.peer == "bob"
    filled = backfill.settle(gap, asked, by_hash(*CHAIN[40:50]), 0.0, 0.0)
    assert filled == tuple(reversed(CHAIN[40:50]))
    asked = backfill.next_slice(gap_between(10, 40), 0.0)
    assert asked is not None and asked.peer == "bob"


def test_slices_take_the_peer_about_a_quarter_of_a_second() -> None:
    book = make_book(alice=ViewRange(0, 300))
    backfill = Backfill(book)
    gap = gap_between(0, 99)
    lengths = []
    for took in (0.01, 0.01, 0.2, SLICE_TIME + 0.1, 0.2):
        asked = backfill.next_slice(gap, 0.0)
        assert asked is not None
        lengths.append(asked.views.length)
        assert backfill.settle(gap, asked, by_hash(*CHAIN[90:99]), took, 0.0)
    first = lengths[0]
    expected = [first, 2 * first, 4 * first, 4 * first, 2 * first]
    # There are several views to a block, and a slice is a whole number of them.
    assert lengths == pytest.approx(expected, abs=4)


def test_who_pauses_covers_nothing_or_is_gone_is_not_asked() -> None:
    book = make_book(alice=EVERYTHING, bob=ViewRange(10 ** 6 + 1, 2 * 10 ** 6))
    backfill = Backfill(book)
    book.scores["alice"].paused_until = 5.0
    assert backfill.next_slice(DENSE, 4.0) is None
    assert backfill.next_slice(DENSE, 5.0) is not None
    book.leave("alice")
    assert backfill.next_slice(DENSE, 5.0) is None


def test_a_peer_whose_head_is_missing_here_is_asked() -> None:
    backfill = Backfill(make_book(alice=ViewRange(0, 500)))
    asked = backfill.next_slice(Gap(1, 100, b"hash", 1, 1000), 0.0)
    assert asked is not None and asked.views.stop == 500


def test_links_from_the_top_until_a_hole() -> None:
    gap = gap_between(10, 50)
    blocks = by_hash(*CHAIN[11:30], *CHAIN[31:50])
    assert link_down(gap, blocks) == tuple(reversed(CHAIN[31:50]))
    assert link_down(gap, by_hash(*CHAIN[11:50])) == tuple(reversed(CHAIN[11:50]))
    assert link_down(gap, by_hash(*CHAIN[11:49])) == ()


def test_does_not_go_on_below_the_gap() -> None:
    assert link_down(gap_between(10, 12), by_hash(*CHAIN)) == (CHAIN[11],)


def test_a_block_of_another_number_does_not_fill() -> None:
    moved = CHAIN[20]._replace(number=7)
    assert link_down(gap_between(10, 21), by_hash(moved)) == ()
