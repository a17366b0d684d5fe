"""Who is neglected and who is not, against a model, and that a planner that forgets is told of."""
from contextlib import ExitStack
from typing import Dict, List, Optional, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules import fetch
from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.claims import ClaimBook
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.neglect import MAX_NEGLECT_TIME, MAX_STEP, MAX_TOLD, Neglect, find_awaited
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.planner import Plan
from blockio_plugin.rules.requests import OpenRequest
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.chain import GENESIS_HASH, make_chain
from blockio_plugin.simulator.chaos import draw_chaos
from blockio_plugin.simulator.invariants import InvariantBroken, check_invariants
from blockio_plugin.simulator.models import PeerModel, RateStep, ViewsStep
from blockio_plugin.simulator.run import Run

CHAIN = make_chain(list(range(100)))

FRONT = ViewRange(0, 1)

PEERS = ("a", "b", "c")


class Scene:
    """Views 0 to 99 are wanted, and all peers cover them."""

    def __init__(self, *names: str) -> None:
        self.peers = PeerBook()
        self.ledger = Ledger(0)
        self.ledger.set_target(100)
        self.cache = BlockCache(0, GENESIS_HASH)
        self.claims = ClaimBook(0)
        self.neglect = Neglect(self.peers)
        self.now = 1000.0
        for name in names:
            self.join(name)
        self.look()

    def join(self, name: str) -> None:
        self.peers.join(name)
        self.cover(name, True)

    def cover(self, name: str, covers: bool) -> None:
        ranges = (ViewRange(0, 100),) if covers else (ViewRange(1, 100),)
        self.peers.availability.advertise(name, 99, ranges)

    def look(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.neglect.look(self.ledger, self.cache, self.claims, self.now)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.look()

    def tell(self) -> Optional[str]:
        return self.neglect.tell(self.ledger, self.cache, 0, self.now)

    def ask(self, peer: str, views: ViewRange) -> OpenRequest:
        """As a fetch does."""
        tracker = self.peers.tracker
        entry = tracker.issue(peer, views, 8, 8.0, False, self.now, self.now + 9)
        self.neglect.note_asked(peer, views, self.ledger)
        self.ledger.take(views)
        return entry


def test_who_could_be_asked_and_is_not_is_told_of_after_the_bound_and_not_before() -> None:
    scene = Scene("a")
    scene.wait(MAX_NEGLECT_TIME)
    assert scene.tell() is None
    scene.look()
    told = scene.tell()
    assert told is not None and "\n" not in told
    assert told.startswith("nothing moves though a could be asked: this is a fault of ours; view 0")
    assert f"a: not asked for it for {MAX_NEGLECT_TIME + 1:.0f} s" in told


def test_the_state_is_told_with_it() -> None:
    scene = Scene("a")
    scene.ask("a", ViewRange(50, 58))
    scene.peers.tracker.mark_late(scene.ask("a", ViewRange(60, 68)))
    scene.cache.add(CHAIN[40:44], "a")
    scene.wait(MAX_NEGLECT_TIME + 1)
    scene.peers.scores["a"].paused_until = scene.now + 2.5
    told = str(scene.tell())
    assert "view 0 of 0-99 is waited for" in told
    assert f"4 blocks of {scene.cache.bytes} bytes cached" in told
    assert "pauses for 2.5 s, 1 open, 1 late, 8 of " in told


def test_of_many_those_are_told_of_that_are_neglected_longest() -> None:
    scene = Scene("first")
    for number in range(MAX_TOLD):
        scene.join(f"later{number}")
    scene.wait(MAX_NEGLECT_TIME + 1)
    told = str(scene.tell())
    assert "though first could be asked" in told
    assert told.endswith("; and 1 more")


def test_while_our_own_loop_stands_still_nobody_is_neglected() -> None:
    scene = Scene("a")
    scene.look(3600.0)
    assert scene.neglect.longest == MAX_STEP


def test_who_is_asked_for_the_lowest_view_is_not_neglected_however_it_has_moved() -> None:
    scene = Scene("a", "b")
    scene.wait(10)
    # All of this is between two looks.
    scene.ledger.answer(ViewRange(0, 30))
    scene.ask("a", ViewRange(30, 38))
    scene.ask("b", ViewRange(38, 46))
    scene.look()
    assert scene.neglect.longest == 11.0
    scene.peers.leave("b")
    scene.look()
    assert scene.neglect.longest == 0.0


def test_what_is_waited_for() -> None:
    scene = Scene()
    ledger, cache = scene.ledger, scene.cache
    assert find_awaited(ledger, cache) == 0
    ledger.take(ViewRange(0, 10))
    assert find_awaited(ledger, cache) == 0
    ledger.land(ViewRange(0, 5), ())
    ledger.answer(ViewRange(0, 5))
    assert find_awaited(ledger, cache) == 5
    # All were answered for, but no link proves it.
    ledger.land(ViewRange(5, 10), ())
    ledger.answer(ViewRange(5, 100))
    assert find_awaited(ledger, cache) == 0
    cache.add([CHAIN[0]._replace(parent_hash=b"other")], "a")
    assert find_awaited(ledger, cache) is None
    cache.remove(0)
    cache.add(CHAIN[:1], "a")
    assert find_awaited(ledger, cache) is None
    cache.take_ready(1, 10 ** 6)
    assert find_awaited(ledger, cache) is None
    ledger.advance(100)
    assert find_awaited(ledger, cache) is None


QUIET = "nothing"

HAPPENINGS = ("covers nothing", "is excluded", "rests", "denied", "asked", "open", "late")
"""What may happen to a peer in a second."""

SECONDS = st.tuples(
    st.sampled_from([QUIET] * 5 + ["a block came", "import has some"]),
    st.fixed_dictionaries({peer: st.sampled_from([QUIET] * 9 + [*HAPPENINGS]) for peer in PEERS}),
)
"""What happens to all in one second, and to each peer."""


def happen(scene: Scene, peer: str, happening: str, end: ExitStack) -> None:
    """``end`` is what ends it."""
    table, tracker = scene.peers.availability, scene.peers.tracker
    if happening == "covers nothing":
        scene.cover(peer, False)
        end.callback(scene.cover, peer, True)
    elif happening == "is excluded":
        table.disprove(peer, FRONT, scene.now)
        end.callback(table.forgive, peer)
    elif happening == "rests":
        table.rest(peer, FRONT, scene.now + 9, scene.now)
        end.callback(table.forgive, peer)
    elif happening == "denied":
        scene.claims.add(FRONT, (), peer)
        end.callback(scene.claims.drop, peer)
    elif happening != QUIET:
        entry = scene.ask(peer, FRONT)
        if happening == "asked":
            # And it declines before anybody looks.
            tracker.close(entry)
        else:
            end.callback(tracker.close, entry)
        if happening == "late":
            tracker.mark_late(entry)
        scene.ledger.land(FRONT, ())
        scene.ledger.want_again(FRONT)


@given(st.lists(SECONDS, max_size=40))
def test_time_counts_while_nothing_moves_and_a_peer_could_be_asked(
    seconds: List[Tuple[str, Dict[str, str]]]
) -> None:
    scene = Scene(*PEERS)
    expected = dict.fromkeys(PEERS, 0.0)
    for to_all, to_each in seconds:
        with ExitStack() as end:
            for peer, happening in to_each.items():
                happen(scene, peer, happening, end)
                if happening in (QUIET, "asked", "late"):
                    begins = happening != QUIET or peer not in expected
                    expected[peer] = 0.0 if begins else expected[peer] + 1.0
                else:
                    expected.pop(peer, None)
            if to_all == "a block came":
                scene.neglect.clear()
                expected = dict.fromkeys(expected, 0.0)
            elif to_all == "import has some":
                scene.cache.add(CHAIN[:1], PEERS[0])
                end.callback(scene.cache.remove, 0)
                expected.clear()
            scene.look()
            assert scene.neglect.longest == max(expected.values(), default=0.0)


def forget(*args: object) -> Plan:
    """A planner that has nothing to ask of anybody."""
    return Plan((), False)


@pytest.mark.parametrize("seed", range(20))
def test_a_planner_that_forgets_its_peers_is_told_of(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the network is, and has been until then."""
    drawn = draw_chaos(seed)
    always = [ViewsStep(0.0, (ViewRange(0, 10 ** 6),))]
    steady = PeerModel("steady", (RateStep(0.0, 1.0),), 1.0, tuple(always), tuple(always))
    run = Run(drawn._replace(peers=(*drawn.peers, steady)), seed)
    run.begin()
    for _ in range(seed):
        run.step()
    monkeypatch.setattr(fetch, "plan", forget)
    with pytest.raises(InvariantBroken, match="this is a fault of ours"):
        while run.time < 3600.0:
            run.step()
            check_invariants(run.fetch, drawn.window, run.now)
