"""What answers say about who gave them."""
from typing import Callable, Tuple

import pytest

from blockio_plugin.rules.judging import judge
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.scoring import STRAY_DECLINES
from blockio_plugin.rules.views import ViewRange

ASKED = ViewRange(10, 20)


def make_peers(*covers: Tuple[int, int]) -> PeerBook:
    peers = PeerBook()
    for number, (start, stop) in enumerate(covers):
        peers.join(number)
        peers.availability.advertise(number, stop - 1, (ViewRange(start, stop),))
    return peers


def answer(peers: PeerBook, peer: int, covered: ViewRange = ASKED, blocks: int = 0) -> None:
    entry = peers.tracker.issue(peer, ASKED, 8, 8.0, False, 1.0, 9.0)
    peers.tracker.close(entry)
    judge(peers, entry, covered, False, blocks, 1.0)


def test_who_answers_empty_waits_while_another_can_be_asked() -> None:
    peers = make_peers((0, 100), (0, 100))
    answer(peers, 0)
    assert peers.scores[0].paused_until > 1.0


@pytest.mark.parametrize("covers", [((0, 100),), ((0, 100), (50, 100))])
def test_the_only_one_that_covers_the_views_does_not_wait(
    covers: Tuple[Tuple[int, int], ...]
) -> None:
    peers = make_peers(*covers)
    answer(peers, 0)
    assert peers.scores[0].paused_until <= 1.0


def test_who_answers_empty_too_is_no_better() -> None:
    peers = make_peers((0, 100), (0, 100))
    answer(peers, 0)
    answer(peers, 1)
    assert peers.scores[1].paused_until <= 1.0
    answer(peers, 0, blocks=8)
    answer(peers, 1)
    assert peers.scores[1].paused_until > 1.0


@pytest.mark.parametrize("state", ["declines", "is late"])
def test_who_declines_or_is_late_is_no_better(state: str) -> None:
    peers = make_peers((0, 100), (0, 100))
    if state == "declines":
        answer(peers, 1, NOTHING)
    else:
        peers.tracker.mark_late(peers.tracker.issue(1, ASKED, 8, 8.0, False, 0.0, 1.0))
    answer(peers, 0)
    assert peers.scores[0].paused_until <= 1.0


NOTHING = ViewRange(10, 10)
"""What a peer covers that declines."""


def test_a_decline_bars_no_views_but_two_in_a_row_tell_to_ask_elsewhere() -> None:
    peers = make_peers((0, 100))
    score = peers.scores[0]
    answer(peers, 0, NOTHING)
    assert score.declines == 1 and not score.strays and score.paused_until <= 1.0
    answer(peers, 0, NOTHING)
    assert score.declines == STRAY_DECLINES and score.strays and score.paused_until > 1.0
    assert peers.availability.may_ask(0, 15, 1.0)
    answer(peers, 0)
    assert not score.strays


def decline_twice(peers: PeerBook) -> None:
    answer(peers, 0, NOTHING)
    answer(peers, 0, NOTHING)


def be_disproved(peers: PeerBook) -> None:
    peers.scores[0].disproved(1.0)


@pytest.mark.parametrize("stray", [decline_twice, be_disproved])
def test_who_strayed_is_asked_on_from_where_it_had_blocks(
    stray: Callable[[PeerBook], None]
) -> None:
    peers = make_peers((0, 100))
    answer(peers, 0, blocks=8)
    assert peers.scores[0].anchor is None
    stray(peers)
    answer(peers, 0, blocks=8)
    assert peers.scores[0].anchor == ASKED.stop and not peers.scores[0].strays
    answer(peers, 0, ViewRange(10, 14), blocks=4)
    assert peers.scores[0].anchor == 14
    stray(peers)
    assert peers.scores[0].anchor is None


def test_time_in_which_our_full_link_brought_others_blocks_is_not_the_peers() -> None:
    peers, now, entries = make_peers((0, 100), (0, 100)), 0.0, []
    # Two peers with ten blocks in each answer, one right after another, a tenth of a second each.
    for number in range(80):
        entries.append(peers.tracker.issue(number % 2, ASKED, 10, 10.0, False, now, 99.0))
        entries[-1].arrived_before = peers.arrivals.total
        if number < 4:
            continue
        now += 1.0
        entry = entries[number - 4]
        peers.tracker.close(entry)
        judge(peers, entry, ASKED, False, 10, now)
    assert peers.arrivals.link_block_time == pytest.approx(0.1, rel=0.1)
    for score in peers.scores.values():
        # Alone, each may be as quick as the link.
        assert score.service_time(10) < 1.3


def test_a_short_answer_limits_the_next_requests() -> None:
    peers = make_peers((0, 100))
    answer(peers, 0, ViewRange(10, 14), blocks=4)
    short = peers.scores[0].answer_limit
    answer(peers, 0, blocks=8)
    assert peers.scores[0].answer_limit > short
