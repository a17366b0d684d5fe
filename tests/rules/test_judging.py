"""What answers say about who gave them."""
from typing import Tuple

import pytest

from blockio_plugin.rules.judging import judge
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange

ASKED = ViewRange(10, 20)


def make_peers(*covers: Tuple[int, int]) -> PeerBook:
    peers = PeerBook()
    for number, (start, stop) in enumerate(covers):
        peers.join(number)
        peers.availability.advertise(number, stop - 1, (ViewRange(start, stop),))
    return peers


def answer(peers: PeerBook, peer: int, covered: ViewRange = ASKED, blocks: int = 0) -> None:
    entry = peers.tracker.issue(peer, ASKED, 8, 8.0, False, 0.0, 9.0)
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


def test_a_decline_bars_the_views_for_a_while() -> None:
    peers = make_peers((0, 100))
    answer(peers, 0, ViewRange(10, 10))
    assert peers.scores[0].declines == 1
    assert not peers.availability.may_ask(0, 15, 1.0)


def test_a_short_answer_limits_the_next_requests() -> None:
    peers = make_peers((0, 100))
    answer(peers, 0, ViewRange(10, 14), blocks=4)
    short = peers.scores[0].answer_limit
    answer(peers, 0, blocks=8)
    assert peers.scores[0].answer_limit > short
