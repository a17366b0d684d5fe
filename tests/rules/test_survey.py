"""What was worked out is kept as long as it holds, and no longer."""
from typing import Callable

import pytest

from blockio_plugin.rules.availability import MAX_SEGMENTS
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.survey import RANKING_TIME, Survey
from blockio_plugin.rules.views import ViewRange, normalise


class Scene:
    """Two peers, one of which covers only the upper half of the 100 wanted views."""

    def __init__(self) -> None:
        self.peers = PeerBook()
        for name, start in (("a", 0), ("b", 50)):
            self.peers.join(name)
            self.peers.availability.advertise(name, 99, (ViewRange(start, 100),))
        self.ledger = Ledger(0)
        self.ledger.set_target(100)
        self.survey = Survey(self.peers)

    def bounds(self, now: float = 0.0) -> object:
        partition, _ = self.survey.look(self.ledger, 1.0, now)
        return [(segment.start, segment.stop) for segment in partition.segments]

    def order(self, peer: str, now: float = 0.0) -> object:
        return self.survey.look(self.ledger, 1.0, now)[1].order.get(peer)


def test_segments_and_their_order() -> None:
    scene = Scene()
    assert scene.bounds() == [(0, 50), (50, 100)]
    assert scene.order("a") == (0, 1) and scene.order("b") == (1,)


def test_it_is_kept_while_nothing_changes() -> None:
    scene = Scene()
    partition, ranking = scene.survey.look(scene.ledger, 1.0, 1.0)
    scene.ledger.take(ViewRange(0, 50))
    again = scene.survey.look(scene.ledger, 0.5, 1.0 + 0.9 * RANKING_TIME)
    assert again[0] is partition and again[1] is ranking


def test_the_ranking_is_done_anew_after_a_while() -> None:
    scene = Scene()
    partition, _ = scene.survey.look(scene.ledger, 1.0, 1.0)
    scene.ledger.take(ViewRange(0, 50))
    again, ranking = scene.survey.look(scene.ledger, 1.0, 1.0 + 1.01 * RANKING_TIME)
    assert again is partition
    assert ranking.order == {"a": (1,), "b": (1,)}


def lower_half_comes_back(scene: Scene) -> None:
    scene.ledger.land(ViewRange(0, 50), ())
    scene.ledger.want_again(ViewRange(0, 50))


def ranking_is_forgotten(scene: Scene) -> None:
    scene.ledger.land(ViewRange(0, 50), ())
    scene.ledger.wanted.add(0, 50)
    scene.survey.forget_ranking()


@pytest.mark.parametrize("happens", [lower_half_comes_back, ranking_is_forgotten])
def test_the_ranking_is_done_anew_at_once(happens: Callable[[Scene], None]) -> None:
    scene = Scene()
    scene.ledger.take(ViewRange(0, 50))
    assert scene.order("a") == (1,)
    happens(scene)
    assert scene.order("a") == (0, 1)


def test_an_advert_or_another_target_cuts_the_line_anew() -> None:
    scene = Scene()
    scene.bounds()
    scene.peers.availability.advertise("b", 99, (ViewRange(70, 100),))
    assert scene.bounds() == [(0, 70), (70, 100)]
    assert scene.order("a") == (0, 1)
    scene.ledger.set_target(60)
    assert scene.bounds() == [(0, 60)]
    assert scene.order("b") is None
    scene.ledger.set_target(100)
    assert scene.bounds() == [(0, 70), (70, 100)]
    scene.peers.leave("b")
    assert scene.bounds() == [(0, 100)]


def cut_into_many(scene: Scene) -> int:
    """The lowest view past a partition that is cut short."""
    stop = 10 * MAX_SEGMENTS
    scene.ledger.set_target(stop)
    many = normalise((view, view + 5) for view in range(0, stop, 10))
    scene.peers.availability.advertise("a", stop, many)
    partition, _ = scene.survey.look(scene.ledger, 1.0, 0.0)
    assert partition.views.stop < stop
    return partition.views.stop


def test_what_was_cut_short_stays_while_something_in_it_is_wanted() -> None:
    scene = Scene()
    end = cut_into_many(scene)
    first, _ = scene.survey.look(scene.ledger, 1.0, 0.0)
    scene.ledger.take(ViewRange(0, end - 1))
    scene.ledger.advance(100)
    assert scene.survey.look(scene.ledger, 1.0, 0.0)[0] is first


@pytest.mark.parametrize("advances", [False, True])
def test_what_was_cut_short_moves_on_when_nothing_in_it_is_wanted(advances: bool) -> None:
    scene = Scene()
    end = cut_into_many(scene)
    scene.ledger.take(ViewRange(0, end))
    if advances:
        scene.ledger.advance(100)
    partition, ranking = scene.survey.look(scene.ledger, 1.0, 0.0)
    assert partition.views.start == end and partition.views.stop > end
    assert ranking.order["a"]
    # What lies below may come back.
    scene.ledger.land(ViewRange(200, 205), ())
    scene.ledger.want_again(ViewRange(200, 205))
    partition, ranking = scene.survey.look(scene.ledger, 1.0, 0.0)
    assert 200 in partition.views
    wanted = {partition.segments[number].start for number in ranking.order["a"]}
    assert 200 in wanted


def test_what_nobody_covers_does_not_hide_what_lies_above() -> None:
    """The lowest views are wanted for good; what the many ranges above them hold is answered."""
    scene = Scene()
    end = cut_into_many(scene)
    comb = normalise((view, view + 1) for view in range(100, end, 2))
    scene.peers.availability.advertise("a", 10_000, comb)
    scene.peers.availability.advertise("b", 10_000, (ViewRange(end, end + 100),))
    scene.ledger.answer(ViewRange(100, end))
    partition, ranking = scene.survey.look(scene.ledger, 1.0, 0.0)
    assert scene.ledger.wanted.next_at(0) == 0
    assert [partition.segments[number].start for number in ranking.order["b"]] == [end]


def test_it_moves_on_to_the_end() -> None:
    scene = Scene()
    end = cut_into_many(scene)
    while end < scene.ledger.target:
        scene.ledger.take(ViewRange(0, end))
        partition, _ = scene.survey.look(scene.ledger, 1.0, 0.0)
        assert partition.views.stop > end
        end = partition.views.stop
    scene.ledger.take(ViewRange(0, end))
    assert scene.survey.look(scene.ledger, 1.0, 1.0)[1].order == {}


def test_a_line_that_was_not_cut_short_stays_when_the_front_moves_on() -> None:
    scene = Scene()
    first, _ = scene.survey.look(scene.ledger, 1.0, 0.0)
    scene.ledger.advance(60)
    assert scene.survey.look(scene.ledger, 1.0, 0.0)[0] is first
