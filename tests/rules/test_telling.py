"""Each reason for which nothing moves, and what is told of peers and of views."""
from typing import Any, Optional

import pytest

from blockio_plugin.rules.availability import EXCLUDED_TIME
from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import OpenRequest
from blockio_plugin.rules.status import MAX_UNSERVICEABLE, PeerState, PeerStatus
from blockio_plugin.rules.telling import tell_idle_reason, tell_peers, tell_unserviceable
from blockio_plugin.rules.views import ViewRange, normalise
from blockio_plugin.simulator.chain import GENESIS_HASH, make_chain

CHAIN = make_chain(list(range(100)))


class Scene:
    """Views 0 to 99 are wanted; peers a and b cover the lower and the upper half of them."""

    def __init__(self) -> None:
        self.peers = PeerBook()
        for name, start in (("a", 0), ("b", 50)):
            self.peers.join(name)
            self.peers.availability.advertise(name, 99, (ViewRange(start, start + 50),))
        self.ledger = Ledger(0)
        self.ledger.set_target(100)
        self.cache = BlockCache(0, GENESIS_HASH)

    def ask(self, peer: str, views: ViewRange, now: float) -> OpenRequest:
        self.ledger.take(views)
        return self.peers.tracker.issue(peer, views, 8, 8.0, False, now, now + 9)

    def reason(
        self, now: float = 0.0, is_full: bool = False, contested: Optional[int] = None
    ) -> Optional[str]:
        return tell_idle_reason(self.ledger, self.cache, self.peers, is_full, contested, now)


def test_no_reason_where_nothing_is_wanted() -> None:
    scene = Scene()
    scene.ledger.advance(100)
    scene.peers.leave("a")
    scene.peers.leave("b")
    assert scene.reason() is None


def test_blocks_on_their_way_to_import() -> None:
    scene = Scene()
    scene.cache.add(CHAIN[:5], "a")
    assert scene.cache.has_ready
    assert scene.reason() is None
    assert scene.reason(is_full=True) == "cache full, waiting for import"
    scene.cache.take_ready(5, 10 ** 6)
    assert scene.reason() is None
    assert scene.reason(is_full=True) == "cache full, waiting for import"


def test_nobody_is_there() -> None:
    scene = Scene()
    scene.peers.leave("a")
    scene.peers.leave("b")
    assert scene.reason() == "no peers"


def test_what_is_waited_for() -> None:
    scene = Scene()
    scene.ask("a", ViewRange(0, 10), 2.0)
    scene.ask("b", ViewRange(0, 5), 3.0)
    scene.ask("a", ViewRange(10, 20), 1.0)
    told = "waiting for views 0-9 from 2 peers for 1.5 s"
    # What is waited for may tell more: that all agree is known after it only.
    assert scene.reason(3.5) == scene.reason(3.5, contested=5) == told
    scene.ledger.advance(7)
    assert scene.reason(3.5) == "waiting for views 7-9 from 1 peer for 1.5 s"


def test_all_agree_on_a_block_that_does_not_follow_ours() -> None:
    reason = Scene().reason(contested=5)
    assert reason is not None
    assert "view 5 does not follow ours below view 0" in reason and "another branch" in reason


def test_all_was_answered_empty() -> None:
    scene = Scene()
    scene.ledger.advance(10)
    scene.ledger.answer(ViewRange(0, 100))
    assert scene.reason() == "views 10-99 were answered empty, unproven"


def test_nobody_covers_the_lowest_view() -> None:
    scene = Scene()
    scene.peers.leave("a")
    assert scene.reason() == "no peer covers view 0"
    scene.ledger.answer(ViewRange(0, 50))
    assert scene.reason() != "no peer covers view 50"


def test_all_who_cover_the_lowest_view_were_wrong_or_are_slow() -> None:
    scene = Scene()
    slow = "every peer that covers view 0 is slow or declines; waiting to ask again"
    assert scene.reason() == slow
    table = scene.peers.availability
    table.rest("a", ViewRange(0, 1), 5.0, 0.0)
    assert scene.reason(4.0) == slow
    table.disprove("a", ViewRange(0, 1), 0.0)
    wrong = "every peer that covers view 0 was asked, and what they say of it does not fit"
    assert scene.reason(EXCLUDED_TIME - 0.1) == wrong
    assert scene.reason(EXCLUDED_TIME) == slow


def test_peers_are_told_of_in_the_order_in_which_they_joined() -> None:
    scene = Scene()
    for _ in range(3):
        scene.ask("b", ViewRange(50, 60), 0.0)
    entries = list(scene.peers.tracker.open_requests())
    scene.peers.tracker.close(entries[0])
    scene.peers.scores["b"].supplied(0.0, False, 10, 0.0, 1.0)
    scene.peers.tracker.mark_late(entries[1])
    scene.peers.scores["a"].disproved(0.0)
    value = scene.peers.scores["b"].value
    round_trip = scene.peers.scores["b"].round_trip
    paused = "gave no block of late, asked again in 0.4 s"
    about: Any = pytest.approx(value)
    b = PeerStatus("b", about, 10, 1, 1, 0, round_trip, 50, PeerState.ASKED, None)
    assert tell_peers(scene.peers, 0.1) == (
        PeerStatus("a", None, 0, 0, 0, 1, None, 50, PeerState.PAUSED, paused),
        b,
    )
    # As time goes by and the second request is late too.
    scene.peers.tracker.mark_late(entries[2])
    states = [(peer.state, peer.reason) for peer in tell_peers(scene.peers, 9.0)]
    assert states == [
        (PeerState.IDLE, None),
        (PeerState.LATE, "owes 2 answers past the time for it"),
    ]


def test_who_has_not_advertised_is_new() -> None:
    scene = Scene()
    scene.peers.join("c")
    assert [peer.state for peer in tell_peers(scene.peers, 0.0)] == [
        PeerState.IDLE,
        PeerState.IDLE,
        PeerState.NEW,
    ]


def test_unserviceable_is_what_is_wanted_and_nobody_advertises() -> None:
    scene = Scene()
    assert tell_unserviceable(scene.ledger, scene.peers) == ()
    scene.peers.leave("a")
    scene.ledger.answer(ViewRange(10, 20))
    told = (ViewRange(0, 10), ViewRange(20, 50))
    assert tell_unserviceable(scene.ledger, scene.peers) == told


def test_only_the_lowest_unserviceable_ranges_are_told() -> None:
    scene = Scene()
    scene.ledger.set_target(1000)
    covers = normalise((view, view + 5) for view in range(0, 1000, 10))
    scene.peers.availability.advertise("a", 999, covers)
    scene.peers.leave("b")
    # One stretch that nobody covers has many wanted ranges, the others have one.
    for view in range(995, 1000, 2):
        scene.ledger.answer(ViewRange(view, view + 1))
    told = tell_unserviceable(scene.ledger, scene.peers)
    assert told == tuple(ViewRange(10 * n + 5, 10 * n + 10) for n in range(MAX_UNSERVICEABLE))
    scene.ledger.advance(960)
    told = tell_unserviceable(scene.ledger, scene.peers)
    assert told == (
        *(ViewRange(view, view + 5) for view in (965, 975, 985)),
        ViewRange(996, 997),
        ViewRange(998, 999),
    )
    scene.peers.availability.advertise("a", 999, (ViewRange(970, 1000),))
    scene.ledger.set_target(2000)
    for view in range(1000, 2000, 10):
        scene.ledger.answer(ViewRange(view, view + 9))
    told = tell_unserviceable(scene.ledger, scene.peers)
    assert len(told) == MAX_UNSERVICEABLE and told[0] == (960, 970) and told[1] == (1009, 1010)
