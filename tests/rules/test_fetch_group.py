"""A fetch group against modelled peers, in virtual time."""
import heapq
from random import Random
from typing import Dict, List, Optional, Sequence, Set, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.fetch_group import MAX_FETCHES, FetchGroup, TooManyFetches
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.range_fetch import WAIT_TIME
from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import ViewRange, ViewRanges, normalise
from blockio_plugin.rules.views_fetch import Completion, ViewsFetch

TICK = 0.05
"""Seconds after which the rules are asked again even where they did not say so."""


def make_chain(views: Sequence[int]) -> List[Block]:
    chain, parent = [], bytes(32)
    for number, view in enumerate(views):
        own = view.to_bytes(32, "big")
        chain.append(Block(view, number, own, parent, bytes(500)))
        parent = own
    return chain


class ModelPeer:
    """Answers after ``delay`` and ``per_block`` (s); ``hides`` views that it says are empty."""

    def __init__(
        self,
        chain: Sequence[Block],
        covers: ViewRanges,
        delay: float = 0.05,
        per_block: float = 0.001,
        hides: Sequence[int] = (),
        is_silent: bool = False,
    ) -> None:
        self.blocks = [block for block in chain if block.view not in set(hides)]
        self.covers = covers
        self.delay = delay
        self.per_block = per_block
        self.is_silent = is_silent
        self.free_at = 0.0


class World:
    """One group, its peers, and what it asked and gave."""

    def __init__(
        self, peers: Dict[str, ModelPeer], front: Optional[Front] = None, target: int = 0
    ) -> None:
        self.now = 0.0
        self.book = PeerBook()
        self.chain = Fetch(
            front=front or Front(1, bytes(32)),
            limits=Limits(),
            random=Random(1),
            peers=self.book,
        )
        self.group = FetchGroup(self.chain, self.book, Random(2))
        self.peers = peers
        self.asked: List[Request] = []
        self.given: Dict[int, List[Block]] = {}
        self.synced: List[Block] = []
        self._arrivals: List[Tuple[float, int, Request]] = []
        for name, peer in peers.items():
            self.chain.join(name, 0.0)
            head = peer.covers[-1].stop - 1 if peer.covers else 0
            self.chain.advertise(name, head, peer.covers, 0.0)
        self.chain.set_target(target)

    def begin(self, *ranges: Tuple[int, int], window: int = 4096) -> ViewsFetch:
        fetch = self.group.begin(normalise(ranges), window, self.now)
        self.given[id(fetch)] = []
        return fetch

    def views(self, fetch: ViewsFetch) -> List[int]:
        return [block.view for block in self.given[id(fetch)]]

    def run(self, *fetches: ViewsFetch, seconds: float = 120.0, settles: bool = True) -> float:
        """Until all are complete; the seconds that it took."""
        began = self.now
        while not all(fetch.is_complete for fetch in fetches) or not fetches:
            if self.now > began + seconds:
                assert not fetches, "not complete in time"
                break
            self._step()
            for fetch in self.group.working:
                self._take(fetch, settles)
        return self.now - began

    def _take(self, fetch: ViewsFetch, settles: bool) -> None:
        while True:
            delivery = fetch.outlet.take()
            if delivery is None:
                return
            self.given[id(fetch)].extend(delivery.blocks)
            if settles:
                fetch.outlet.settle(len(delivery.blocks))

    def _step(self) -> None:
        self.group.expire(self.now)
        for request in self.group.plan(self.now):
            self.asked.append(request)
            peer = self.peers[str(request.peer)]
            if not peer.is_silent:
                start = max(peer.free_at, self.now + peer.delay)
                blocks = sum(block.view in request.views for block in peer.blocks)
                peer.free_at = start + peer.per_block * min(blocks, request.max_blocks)
                heapq.heappush(self._arrivals, (peer.free_at, request.request_id, request))
        wake_at = self.group.wake_at(self.now)
        # Or whoever calls when it says would call for ever.
        assert wake_at is None or wake_at > self.now
        following = self.now + TICK if wake_at is None else min(wake_at, self.now + TICK)
        following = max(following, self.now + 0.001)
        if self._arrivals and self._arrivals[0][0] <= following:
            self.now, _, request = heapq.heappop(self._arrivals)
            self._answer(request)
        else:
            self.now = following

    def _answer(self, request: Request) -> None:
        peer = self.peers[str(request.peer)]
        held = [block for block in peer.blocks if block.view in request.views]
        given = held[: request.max_blocks]
        stop = held[len(given)].view if len(held) > len(given) else request.views.stop
        following = [block.view for block in peer.blocks if block.view >= stop]
        self.chain.receive(
            request.peer,
            request.request_id,
            ViewRange(request.views.start, stop),
            following[0] if following else 0,
            given,
            self.now,
        )
        ready = self.chain.ready(1000, 10 ** 9)
        if ready:
            self.synced.extend(ready)
            self.chain.confirm(ready[-1].view)


EVERY_THIRD = make_chain(range(0, 3000, 3))
ALL = (ViewRange(0, 2998),)


def one_peer(**options: object) -> Dict[str, ModelPeer]:
    return {"alice": ModelPeer(EVERY_THIRD, ALL, **options)}  # type: ignore[arg-type]


def test_each_block_comes_once_and_holes_are_proven() -> None:
    world = World(one_peer())
    fetch = world.begin((100, 400))
    world.run(fetch)
    assert sorted(world.views(fetch)) == list(range(102, 400, 3))
    assert len(set(world.views(fetch))) == len(world.views(fetch))
    completion = fetch.complete()
    holes = normalise((view, view + 1) for view in range(103, 399) if view % 3)
    assert completion == Completion(
        empty=holes, unproven=(ViewRange(100, 102),), missing=()
    )


def test_what_nobody_holds_is_missing() -> None:
    world = World(one_peer())
    fetch = world.begin((2990, 3010), (2 ** 40, 2 ** 41))
    took = world.run(fetch)
    assert world.views(fetch) == [2991, 2994, 2997]
    assert fetch.complete().missing == (ViewRange(2998, 3010), ViewRange(2 ** 40, 2 ** 41))
    assert WAIT_TIME <= took < 3 * WAIT_TIME


def test_nobody_there_at_all() -> None:
    world = World({})
    fetch = world.begin((0, 2 ** 63))
    took = world.run(fetch)
    assert fetch.complete() == Completion((), (), (ViewRange(0, 2 ** 63),))
    assert took < WAIT_TIME + 1


def test_far_apart_ranges_and_a_huge_one() -> None:
    far = 2 ** 50
    chain = EVERY_THIRD + [Block(far + 5, 10 ** 6, b"f" * 32, b"e" * 32, bytes(100))]
    covers = (ViewRange(0, 2998), ViewRange(far, far + 10))
    world = World({"alice": ModelPeer(chain, covers)})
    fetch = world.begin((2000, 2 ** 62))
    world.run(fetch)
    assert sorted(world.views(fetch)) == [*range(2001, 2998, 3), far + 5]
    missing = fetch.complete().missing
    assert missing == (ViewRange(2998, far), ViewRange(far + 10, 2 ** 62))


def test_ten_overlapping_fetches_share_requests() -> None:
    world = World({name: ModelPeer(EVERY_THIRD, ALL) for name in "abc"})
    fetches = [world.begin((100 * n, 100 * n + 1500)) for n in range(10)]
    world.run(*fetches)
    for n, fetch in enumerate(fetches):
        wanted = [view for view in range(100 * n, 100 * n + 1500) if view % 3 == 0]
        assert sorted(world.views(fetch)) == wanted
    asked = sum(request.views.length for request in world.asked)
    # Copies near the end and second opinions on the ends are all that is asked twice.
    assert asked < 2400 * 1.5


def test_a_silent_peer_is_routed_around() -> None:
    peers = {"silent": ModelPeer(EVERY_THIRD, ALL, is_silent=True), **one_peer()}
    world = World(peers)
    fetch = world.begin((0, 600))
    world.run(fetch)
    assert sorted(world.views(fetch)) == list(range(0, 600, 3))


def test_a_liar_is_found_out() -> None:
    peers = {
        "liar": ModelPeer(EVERY_THIRD, ALL, hides=range(300, 400)),
        "honest": ModelPeer(EVERY_THIRD, ALL, delay=0.3),
    }
    world = World(peers)
    fetch = world.begin((0, 900))
    world.run(fetch)
    assert sorted(world.views(fetch)) == list(range(0, 900, 3))
    assert fetch.complete().missing == ()


def test_the_local_chain_supplies_what_it_covers() -> None:
    world = World(one_peer())
    world.group.note_own_ranges((ViewRange(0, 1000),))
    fetch = world.begin((400, 1600))
    due = fetch.next_due()
    while due is not None:
        stop = min(due.views.start + 100, due.views.stop)
        blocks = [block for block in EVERY_THIRD if due.views.start <= block.view < stop]
        fetch.supply(due, ViewRange(due.views.start, stop), blocks, world.now)
        due = fetch.next_due()
    world.run(fetch)
    assert all(request.views.start >= 1000 for request in world.asked)
    assert sorted(world.views(fetch)) == list(range(402, 1600, 3))
    # The seam between both is proven by a link, the start by our own chain.
    assert fetch.complete().unproven == (ViewRange(1599, 1600),) or not fetch.complete().unproven
    assert ViewRange(400, 402) in fetch.complete().empty


def test_what_the_local_chain_declines_is_asked_of_peers() -> None:
    world = World(one_peer())
    world.group.note_own_ranges((ViewRange(0, 1000),))
    fetch = world.begin((400, 500))
    due = fetch.next_due()
    assert due is not None and due.views == (400, 500)
    fetch.supply(due, ViewRange(400, 400), (), world.now)
    assert fetch.next_due() is None
    world.run(fetch)
    assert sorted(world.views(fetch)) == [view for view in range(400, 500) if view % 3 == 0]


def test_who_settles_nothing_gets_no_more_than_two_windows() -> None:
    world = World(one_peer())
    fetch = world.begin((0, 2998), window=64)
    world.run(seconds=300, settles=False)
    assert 32 <= fetch.outlet.unsettled <= 128
    assert not fetch.is_complete
    fetch.outlet.settle(10 ** 6)
    world.run(fetch)
    assert sorted(world.views(fetch)) == list(range(0, 2998, 3))


def test_the_chain_goes_on_beside_fetches() -> None:
    """What both want is asked once; the fetch gets its share, and the chain is hardly slower."""
    chain = make_chain(range(20000))
    covers = (ViewRange(0, 20000),)

    def make() -> World:
        peers = {name: ModelPeer(chain, covers, per_block=0.001) for name in "ab"}
        return World(peers, front=Front(1, chain[0].hash), target=20000)

    alone = make()
    while len(alone.synced) < 4000:
        alone._step()
    beside = make()
    fetch = beside.begin((12000, 13000))
    took = beside.run(fetch)
    while len(beside.synced) < 4000:
        beside._step()
    assert beside.now < alone.now * 1.5
    # With a quarter of both peers' 1,000 blocks/s it takes 2 s.
    assert took < 4.0
    assert sorted(beside.views(fetch)) == list(range(12000, 13000))


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("peers", ["a", "ab", "abc"])
def test_fetches_beside_a_sync_get_alike(count: int, peers: str) -> None:
    chain = make_chain(range(40_000))
    covers = (ViewRange(0, 40_000),)
    models = {name: ModelPeer(chain, covers, per_block=0.001) for name in peers}
    world = World(models, front=Front(1, chain[0].hash), target=30_000)
    fetches = [
        world.begin((30_000 + 2_000 * number, 32_000 + 2_000 * number)) for number in range(count)
    ]
    # By then each has got half of what it wants, and none has all.
    while sum(len(world.views(fetch)) for fetch in fetches) < 1000 * count:
        world._step()
        for fetch in fetches:
            world._take(fetch, True)
    given = [len(world.views(fetch)) for fetch in fetches]
    assert min(given) > 0.8 * max(given), given


def test_an_answer_for_the_chain_serves_a_fetch_too() -> None:
    chain = make_chain(range(1000))
    world = World(
        {"a": ModelPeer(chain, (ViewRange(0, 1000),))},
        front=Front(1, chain[0].hash),
        target=1000,
    )
    fetch = world.begin((0, 1000))
    world.run(fetch)
    assert sorted(world.views(fetch)) == list(range(1000))
    assert sum(request.views.length for request in world.asked) < 1100
    assert len(world.synced) > 900


def test_too_many_are_refused() -> None:
    world = World({})
    for _ in range(MAX_FETCHES):
        world.begin((0, 1))
    with pytest.raises(TooManyFetches):
        world.begin((0, 1))


def test_an_ended_fetch_asks_for_nothing_and_gives_its_place_up() -> None:
    world = World(one_peer())
    fetch = world.begin((0, 2998))
    world.group.end(fetch)
    world.run(seconds=1)
    assert world.asked == []
    assert len(world.book.fetches) == 1


views_held: st.SearchStrategy[Set[int]] = st.sets(st.integers(0, 120), min_size=1)
ranges_asked = st.lists(
    st.tuples(st.integers(0, 100), st.integers(1, 60)).map(lambda r: (r[0], r[0] + r[1])),
    min_size=1,
    max_size=6,
)


@given(
    views_held,
    st.lists(ranges_asked, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 120)), min_size=1, max_size=3),
    st.integers(1, 50),
)
def test_every_view_is_accounted_for(
    held: Set[int],
    asked: List[List[Tuple[int, int]]],
    covers: List[Tuple[int, int]],
    window: int,
) -> None:
    chain = make_chain(sorted(held))
    peers = {
        str(n): ModelPeer(
            [block for block in chain if start <= block.view < start + length],
            (ViewRange(start, start + length),),
            delay=0.02 * (n + 1),
        )
        for n, (start, length) in enumerate(covers)
    }
    world = World(peers)
    fetches = [world.begin(*ranges, window=window) for ranges in asked]
    world.run(*fetches, seconds=600)
    covered = {view for start, length in covers for view in range(start, start + length)}
    for ranges, fetch in zip(asked, fetches):
        wanted = {view for start, stop in ranges for view in range(start, stop)}
        given = world.views(fetch)
        assert len(given) == len(set(given))
        assert set(given) == wanted & held & covered
        parts = [set(range(*views)) for part in fetch.complete() for views in part]
        assert sum(map(len, parts)) + len(given) == len(wanted)
        assert set().union(given, *parts) == wanted
        empty = {view for views in fetch.complete().empty for view in range(*views)}
        assert not empty & held
        missing = {view for views in fetch.complete().missing for view in range(*views)}
        assert not missing & covered
