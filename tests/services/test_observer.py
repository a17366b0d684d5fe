"""What is told beyond the lines of the log, which ``test_reporter`` looks at."""
import random
from typing import Dict, Optional

from blockio_plugin.rules.branches import Branches, Position
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.head_number import HeadNumber
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.outlook import ALONE_TIME
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.rules.status import PeerState
from blockio_plugin.rules.traffic import Traffic
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead, PeerID
from blockio_plugin.services.observer import STILL_TIME, Observer

HEAD = ChainHead(9, 7, bytes(32))


class Scene:
    """A chain up to view 9."""

    def __init__(self, scheme: str = "slot:12") -> None:
        self.fetch = Fetch(front=Front(10, HEAD.hash), limits=Limits(), random=random.Random(1))
        self.heads, self.branches, self.numbers = Heads(BELIEF_TIME), Branches(), HeadNumber()
        self.heads.note_own(HEAD.view, 0.0)
        self.traffic, self.log, self.now = Traffic(0.0), PeerLog(0.0), 0.0
        self.schemes: Dict[PeerID, str] = {}
        self.observer = Observer(
            self.fetch,
            self,
            self.branches,
            self.heads,
            self.numbers,
            self.traffic,
            self.log,
            lambda: HEAD,
            lambda: 1_000,
            scheme,
            lambda: self.now,
        )

    def get_scheme(self, peer: PeerID) -> Optional[str]:
        return self.schemes.get(peer)

    def join(self, peer: str, head_view: int) -> None:
        self.fetch.join(peer, self.now)
        self.fetch.advertise(peer, head_view, (ViewRange(0, head_view + 1),), self.now)
        self.log.join(peer, "", self.now)
        self.branches.advertise(peer, head_view)
        self.heads.advertise(peer, head_view, self.now)
        self.fetch.set_target(self.heads.target)


def test_syncing_from_the_start_until_alone_for_long() -> None:
    scene = Scene()
    assert scene.observer.look().is_syncing
    scene.now = ALONE_TIME + 1
    assert not scene.observer.look().is_syncing
    scene.join("alice", 99)
    assert scene.observer.look().is_syncing


def test_not_syncing_at_the_head_of_a_peer() -> None:
    scene = Scene()
    scene.join("alice", 9)
    outlook = scene.observer.look()
    assert outlook.is_synced and not outlook.is_syncing
    assert (outlook.target_number, outlook.percent, outlook.reason) == (7, 100.0, None)


def test_with_views_that_are_numbers_nobody_has_to_be_asked() -> None:
    scene = Scene("number")
    scene.join("alice", 99)
    assert scene.observer.look().target_number == 99


def test_a_reason_only_where_nothing_moves() -> None:
    scene = Scene()
    scene.join("alice", 99)
    scene.fetch.plan(0.0)
    scene.traffic.imported.note(5, 0.0)
    assert scene.observer.look().reason is None
    scene.now = STILL_TIME
    assert (scene.observer.look().reason or "").startswith("waiting for views 10-")


def test_peers_that_are_not_used_say_why() -> None:
    scene = Scene()
    for peer in ("alice", "bob", "carol"):
        scene.join(peer, 99)
    scene.schemes.update(alice="slot:12", bob="number")
    scene.branches.settle("carol", Position(5, 4, bytes(32)))
    alice, bob, carol = scene.observer.look().fetch.peers
    assert alice.state is PeerState.IDLE
    assert (bob.state, bob.reason) == (
        PeerState.FOREIGN,
        "uses view scheme number, we use slot:12",
    )
    assert (carol.state, carol.reason) == (
        PeerState.FORKED,
        "on another branch from block 5 on",
    )
