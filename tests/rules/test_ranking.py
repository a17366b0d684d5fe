"""Scarcest first: classes by the time they take with those who hold them."""
import pytest

from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.ranking import LONG, Ranking, rank_segments
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange, normalise


def rank(peers: PeerBook, wanted: ViewSet, stop: int, now: float = 0.0) -> Ranking:
    partition = peers.availability.partition(ViewRange(0, stop))
    return rank_segments(partition, wanted, peers.scores, peers.availability, 1.0, now)


def make(*adverts: object) -> PeerBook:
    peers = PeerBook()
    for number, ranges in enumerate(adverts):
        peers.join(number)
        peers.availability.advertise(number, 0, normalise(ranges))  # type: ignore[arg-type]
    return peers


def test_the_range_that_takes_longest_comes_first() -> None:
    peers = make([(0, 200)], [(0, 100)], [(0, 100)])
    ranking = rank(peers, ViewSet(0, [(0, 200)]), 200)
    assert ranking.order == {0: (1, 0), 1: (0,), 2: (0,)}
    # Unmeasured peers are taken to send 100 blocks/s.
    assert ranking.standings[1].time_left == pytest.approx(1.0)
    assert ranking.standings[0].time_left == pytest.approx(1 / 3)


def test_parts_with_the_same_holders_are_one_class() -> None:
    peers = make([(0, 300)], [(100, 200)])
    ranking = rank(peers, ViewSet(0, [(0, 300)]), 300)
    assert ranking.standings[0] == ranking.standings[2]
    assert ranking.standings[0].time_left == pytest.approx(2.0)
    assert ranking.order[0] == (0, 2, 1)


def test_what_is_not_wanted_or_not_held_has_no_rank() -> None:
    peers = make([(0, 100)])
    assert rank(peers, ViewSet(0, [(150, 180)]), 200).order == {}


def test_peers_that_pause_or_are_excluded_do_not_count() -> None:
    peers = make([(0, 100)], [(0, 100)])
    peers.scores[0].paused_until = 5.0
    wanted = ViewSet(0, [(0, 100)])
    assert rank(peers, wanted, 100).standings[0].time_left == pytest.approx(1.0)
    peers.availability.disprove(1, ViewRange(0, 100), 0.0)
    assert rank(peers, wanted, 100).standings[0].time_left == LONG
    assert rank(peers, wanted, 100, now=6.0).standings[0].time_left == pytest.approx(1.0)
