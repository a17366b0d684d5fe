"""
The whole of a fetch, driven by hypothesis through any interleaving, and its stated behaviours.

The state machine plays network and importer: answers arrive in any order, late or never; peers lie,
decline, leave; blocks are confirmed in parts or refused. After every step the invariants hold, and
in the end, with one honest peer that stays, every block arrives.
"""
from random import Random
from typing import Dict, List, NamedTuple, Optional, Tuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
import pytest

from blockio_plugin.rules.blocks import BLOCK_OVERHEAD, Block
from blockio_plugin.rules.fetch import (
    FRONT_BLOCKS,
    LOOK_AGAIN_TIME,
    MAX_LOOK_AGAIN_TIME,
    STALL_TIME,
    Fetch,
    Front,
    Limits,
)
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import ViewRange, normalise
from blockio_plugin.simulator.chain import BLOCK_RLP
from blockio_plugin.simulator.invariants import check_invariants

RLP = bytes(100)
WINDOW = 120
NEVER = -1.0
"""No request was issued then: what is asked is checked when it is, and adverts change later."""


def make_chain(views: List[int], branch: bytes = b"") -> List[Block]:
    blocks: List[Block] = []
    parent = b"front"
    for number, view in enumerate(views):
        blocks.append(Block(view, number, branch + b"%d" % view, parent, RLP))
        parent = blocks[-1].hash
    return blocks


class Answer(NamedTuple):
    covered: ViewRange
    next_view: int
    blocks: Tuple[Block, ...]


def honest_answer(chain: List[Block], request: Request, top: int) -> Answer:
    start, stop = request.views
    stop = min(stop, top)
    inside = [block for block in chain if start <= block.view < stop]
    if len(inside) > request.max_blocks:
        inside = inside[: request.max_blocks]
        stop = inside[-1].view + 1
    above = [block.view for block in chain if stop <= block.view < top]
    return Answer(ViewRange(start, max(start, stop)), above[0] if above else 0, tuple(inside))


class FetchMachine(RuleBasedStateMachine):
    @initialize(
        filled=st.lists(st.booleans(), min_size=200, max_size=200),
        cache=st.sampled_from([25 * (len(BLOCK_RLP) + BLOCK_OVERHEAD), 10 ** 9]),
        window=st.sampled_from([0, WINDOW]),
    )
    def start(self, filled: List[bool], cache: int, window: int) -> None:
        views = [view for view, is_filled in enumerate(filled, 1) if is_filled or view == 200]
        self.chain = make_chain(views)
        self.window = window
        self.fetch = Fetch(
            front=Front(1, b"front"),
            limits=Limits(cache_bytes=cache, window=window),
            random=Random(7),
        )
        self.fetch.set_target(201)
        self.now = 0.0
        self.kinds: Dict[str, str] = {}
        self.joined = 0
        self.pending: List[Request] = []
        self.handed_out: List[Block] = []
        self.confirmed: List[Block] = []
        self.refused: Optional[bytes] = None
        self.fetch.join("steady", 0.0)
        self.fetch.advertise("steady", 200, (ViewRange(0, 201),), 0.0)
        self.kinds["steady"] = "honest"

    def act(self) -> None:
        # Views that were answered empty are passed over while no block above proves them.
        lowest = self.fetch.ledger.lowest_open() or 0
        requests = self.fetch.plan(self.now)
        for request in requests:
            covering = self.fetch.peers.availability.covering(request.peer, request.views.start)
            assert covering is not None and request.views.stop <= covering.stop
            start = max(self.fetch.front.view, lowest)
            assert not self.window or request.views.stop <= start + self.window
        self.pending.extend(requests)

    @rule(kind=st.sampled_from(["honest", "empty", "omits", "declines", "silent"]))
    def join(self, kind: str) -> None:
        if len(self.kinds) < 6:
            # A new connection is a new peer, so no name comes twice.
            self.joined += 1
            name = f"{kind}{self.joined}"
            self.kinds[name] = kind
            self.fetch.join(name, self.now)

    @precondition(lambda self: len(self.kinds) > 1)
    @rule(data=st.data(), start=st.integers(0, 150), length=st.integers(0, 201))
    def advertise(self, data: st.DataObject, start: int, length: int) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.kinds) - {"steady"})))
        ranges = normalise([(start, min(start + length, 201))])
        self.fetch.advertise(name, 200, ranges, self.now)
        self.act()

    @precondition(lambda self: len(self.kinds) > 1)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.kinds) - {"steady"})))
        del self.kinds[name]
        self.pending = [request for request in self.pending if request.peer != name]
        self.fetch.leave(name, self.now)
        self.act()

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.pending))
        self.pending.remove(request)
        kind = self.kinds[str(request.peer)]
        answer = honest_answer(self.chain, request, 201)
        if kind == "silent":
            return
        if kind == "declines":
            answer = Answer(ViewRange(request.views.start, request.views.start), 0, ())
        elif kind == "empty":
            answer = Answer(request.views, 0, ())
        elif kind == "omits":
            answer = answer._replace(blocks=answer.blocks[::2])
        self.receive(request, answer)

    def receive(self, request: Request, answer: Answer) -> None:
        self.fetch.receive(
            request.peer,
            request.request_id,
            answer.covered,
            answer.next_view,
            answer.blocks,
            self.now,
        )
        self.act()

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def fail_to_send(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.pending))
        if any(r.request_id == request.request_id for r in self.still_open()):
            self.pending.remove(request)
            self.fetch.void(request.peer, request.request_id, self.now)
            self.act()

    def still_open(self) -> List[Request]:
        return [entry.request for entry in self.fetch.peers.tracker.open_requests()]

    @rule(seconds=st.floats(0.01, 5.0))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(1000):
            wake_at = self.fetch.wake_at(self.now)
            if wake_at is None or wake_at > end:
                break
            self.now = max(self.now, wake_at)
            self.fetch.expire(self.now)
            self.act()
        else:
            raise AssertionError("the fetch does not let time pass")
        self.now = end
        self.fetch.expire(self.now)

    @rule(most=st.integers(1, 50))
    def hand_out(self, most: int) -> None:
        for block in self.fetch.ready(most, 10 ** 9):
            known = self.handed_out or self.confirmed
            assert block.parent_hash == (known[-1].hash if known else b"front")
            self.handed_out.append(block)

    @precondition(lambda self: self.handed_out)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.handed_out)))
        self.confirmed.extend(self.handed_out[:count])
        self.handed_out = self.handed_out[count:]
        self.fetch.confirm(self.confirmed[-1].view)
        self.act()

    @invariant()
    def hold(self) -> None:
        check_invariants(self.fetch, self.window, NEVER)
        assert self.fetch.front.view == (self.confirmed[-1].view + 1 if self.confirmed else 1)

    def teardown(self) -> None:
        if not hasattr(self, "fetch"):
            return
        for name in sorted(set(self.kinds) - {"steady"}):
            self.fetch.leave(name, self.now)
        self.pending = [request for request in self.pending if request.peer == "steady"]
        # What was said of the steady peer's word by others does not last: it advertises again.
        self.fetch.advertise("steady", 200, (ViewRange(0, 201),), self.now)
        for _ in range(400):
            self.fetch.expire(self.now)
            self.act()
            while self.pending:
                request = self.pending.pop(0)
                self.receive(request, honest_answer(self.chain, request, 201))
            self.hand_out(1000)
            if self.handed_out:
                self.confirmed.extend(self.handed_out)
                self.handed_out = []
                self.fetch.confirm(self.confirmed[-1].view)
            if len(self.confirmed) == len(self.chain):
                break
            wake_at = self.fetch.wake_at(self.now)
            assert wake_at is not None, self.fetch.status(self.now)
            self.now = max(self.now + 0.01, wake_at)
        assert self.confirmed == self.chain, self.fetch.status(self.now)
        assert self.fetch.status(self.now).idle_reason is None


TestFetch = FetchMachine.TestCase


def make_fetch(target: int = 101, **limits: int) -> Fetch:
    fetch = Fetch(front=Front(1, b"front"), limits=Limits(**limits), random=Random(1))
    fetch.set_target(target)
    return fetch


def add_peer(fetch: Fetch, name: str, stop: int = 10 ** 6, start: int = 0) -> None:
    fetch.join(name, 0.0)
    fetch.advertise(name, stop - 1, (ViewRange(start, stop),), 0.0)


def answer_all(fetch: Fetch, chain: List[Block], now: float, rounds: int = 50) -> int:
    """Answer honestly, at once, until nothing is asked; how many requests there were."""
    count = 0
    for _ in range(rounds):
        requests = fetch.plan(now)
        if not requests:
            break
        for request in requests:
            now += 0.01
            count += 1
            answer = honest_answer(chain, request, 10 ** 9)
            fetch.receive(request.peer, request.request_id, *answer, now)
    return count


def test_it_begins_with_nothing_to_want() -> None:
    fetch = Fetch(front=Front(5, b"front"), limits=Limits(), random=Random(1))
    add_peer(fetch, "a")
    assert fetch.plan(0.0) == ()
    assert fetch.status(0.0).idle_reason is None
    assert fetch.wake_at(0.0) is None


def test_blocks_come_out_in_order_and_within_bounds() -> None:
    fetch, chain = make_fetch(), make_chain(list(range(1, 101)))
    add_peer(fetch, "a")
    answer_all(fetch, chain, 0.0)
    assert fetch.ready(3, 10 ** 6) == tuple(chain[:3])
    assert fetch.ready(10, 250) == tuple(chain[3:5])
    assert fetch.ready(10, 1) == tuple(chain[5:6])
    assert fetch.ready(10 ** 6, 10 ** 9) == tuple(chain[6:])
    fetch.confirm(100)
    assert fetch.status(1.0).cached_blocks == 0


def test_a_sparse_chain_costs_about_as_many_requests_as_a_full_one() -> None:
    full = make_fetch(3001)
    add_peer(full, "a")
    many = answer_all(full, make_chain(list(range(1, 3001))), 0.0, 2000)
    views = [n * (n + 1) // 2 for n in range(1, 3001)]
    sparse = make_fetch(views[-1] + 1)
    add_peer(sparse, "a", 10 ** 7)
    assert answer_all(sparse, make_chain(views), 0.0, 2000) < 2 * many + 20
    assert len(sparse.ready(10 ** 6, 10 ** 9)) == 3000


def test_an_answer_that_was_not_asked_for_is_an_offence() -> None:
    fetch, chain = make_fetch(), make_chain(list(range(1, 101)))
    add_peer(fetch, "a")
    add_peer(fetch, "b")
    request = fetch.plan(0.0)[0]
    other = "b" if request.peer == "a" else "a"
    answer = honest_answer(chain, request, 10 ** 9)
    with pytest.raises(Offence):
        fetch.receive(other, request.request_id, *answer, 1.0)
    fetch.receive(request.peer, request.request_id, *answer, 1.0)
    with pytest.raises(Offence):
        fetch.receive(request.peer, request.request_id, *answer, 1.0)


def test_a_late_answer_is_used() -> None:
    fetch, chain = make_fetch(), make_chain(list(range(1, 101)))
    add_peer(fetch, "a")
    requests = fetch.plan(0.0)
    assert {r.request_id for r in fetch.expire(100.0)} == {r.request_id for r in requests}
    for request in requests:
        answer = honest_answer(chain, request, 10 ** 9)
        receipt = fetch.receive("a", request.request_id, *answer, 101.0)
        assert receipt.is_late and receipt.fresh == answer.blocks
    assert fetch.ready(1, 1) == tuple(chain[:1])


def test_a_peer_that_leaves_gives_its_views_back() -> None:
    fetch = make_fetch()
    add_peer(fetch, "a")
    requests = fetch.plan(0.0)
    assert fetch.leave("a", 1.0) == requests
    assert fetch.status(1.0).idle_reason == "no peers"
    add_peer(fetch, "b")
    assert fetch.plan(1.0)[0].views.start == 1


def test_nothing_is_asked_outside_an_advert_and_the_reason_is_told() -> None:
    fetch = make_fetch()
    add_peer(fetch, "a", stop=50, start=10)
    views = [request.views for request in fetch.plan(0.0)]
    assert all(10 <= start and stop <= 50 for start, stop in views)
    for request in list(fetch.peers.tracker.open_requests()):
        fetch.receive("a", request.request.request_id, request.request.views, 0, (), 0.1)
    status = fetch.status(1.0)
    assert status.unserviceable == (ViewRange(1, 10), ViewRange(50, 101))
    assert status.idle_reason == "no peer covers view 1"


def test_a_head_is_asked_for_though_a_liar_that_never_ends_called_it_empty() -> None:
    fetch, chain = make_fetch(10 ** 9), make_chain([3, 9])
    add_peer(fetch, "liar", 10 ** 9)
    now = 0.0
    for _ in range(100):
        now += 0.01
        for request in fetch.plan(now):
            # One view at a time, so that there is always more to ask of it.
            first = ViewRange(request.views.start, request.views.start + 1)
            fetch.receive("liar", request.request_id, first, 0, (), now)
    fetch.join("honest", now)
    fetch.advertise("honest", 9, (ViewRange(0, 10),), now)
    for _ in range(10):
        now += 0.01
        for request in fetch.plan(now):
            if request.peer == "honest":
                answer = honest_answer(chain, request, 10)
                fetch.receive("honest", request.request_id, *answer, now)
    assert fetch.ready(10, 10 ** 6) == tuple(chain)


def test_waiting_is_told_with_views_peers_and_time() -> None:
    fetch = make_fetch()
    add_peer(fetch, "a")
    first = fetch.plan(0.0)[0]
    reason = f"waiting for views {first.views} from 1 peer for 3.1 s"
    assert fetch.status(3.14).idle_reason == reason


def test_a_refused_block_is_wanted_again_from_others_and_never_taken_again() -> None:
    fetch, chain = make_fetch(), make_chain(list(range(1, 101)))
    add_peer(fetch, "a")
    answer_all(fetch, chain, 0.0)
    assert len(fetch.ready(60, 10 ** 9)) == 60
    assert fetch.reject(chain[40].hash, 5.0) == ("a",)
    fetch.confirm(40)
    assert fetch.status(5.0).cached_blocks == 0
    good = chain[:40] + make_chain(list(range(41, 101)), b"other")
    good[40] = good[40]._replace(parent_hash=chain[39].hash)
    add_peer(fetch, "b")
    for _ in range(50):
        for request in fetch.plan(10.0):
            source = chain if request.peer == "a" else good
            answer = honest_answer(source, request, 10 ** 9)
            fetch.receive(request.peer, request.request_id, *answer, 10.1)
        fetch.expire(10.0 + _)
    assert fetch.ready(1, 1) == (good[40],)
    assert fetch.reject(b"unknown", 11.0) == ()


def test_a_full_cache_waits_for_import_and_keeps_the_front() -> None:
    most = 50 * (len(BLOCK_RLP) + BLOCK_OVERHEAD)
    fetch, chain = make_fetch(1001, cache_bytes=most), make_chain(list(range(1, 1001)))
    add_peer(fetch, "a")
    answer_all(fetch, chain, 0.0)
    assert fetch.cache.memory <= most and 1 in fetch.cache
    handed_out = fetch.ready(10 ** 6, 10 ** 9)
    assert handed_out[0] == chain[0]
    if fetch.cache.memory == most:
        assert fetch.status(1.0).idle_reason == "cache full, waiting for import"
    fetch.confirm(handed_out[-1].view)
    assert answer_all(fetch, chain, 1.0) > 0


def test_a_part_of_the_cache_is_left_to_the_lowest_views() -> None:
    """Whoever has those may be slow; blocks that import cannot have yet must not take its place."""
    chain = make_chain(list(range(1, 10_000)))
    fetch = make_fetch(10_000, cache_bytes=3_000 * (len(BLOCK_RLP) + BLOCK_OVERHEAD))
    add_peer(fetch, "slow")
    add_peer(fetch, "quick", start=1_000)
    for number in range(20):
        for request in fetch.plan(0.01 * number):
            if request.peer == "quick":
                answer = honest_answer(chain, request, 10 ** 9)
                fetch.receive("quick", request.request_id, *answer, 0.01 * number)
    fetch.plan(1.0)
    left = 3_000 - fetch.cache.memory // (len(BLOCK_RLP) + BLOCK_OVERHEAD)
    assert left < 1_500
    assert fetch.reach <= 1 + max(left, FRONT_BLOCKS) * 1.1


def test_another_branch_is_reported_and_a_rewind_follows_it() -> None:
    fetch = make_fetch(51)
    other = make_chain(list(range(1, 51)), b"other")
    other[0] = other[0]._replace(parent_hash=b"elsewhere")
    for name in ("a", "b"):
        add_peer(fetch, name)
    asked = 0
    for step in range(20):
        fetch.expire(step * 2.0)
        asked += answer_all(fetch, other, step * 2.0)
    assert asked < 40
    assert "another branch" in str(fetch.status(40.0).idle_reason)
    fetch.rewind(Front(1, b"elsewhere"), 40.0)
    answer_all(fetch, other, 41.0)
    assert fetch.ready(10 ** 6, 10 ** 9) == tuple(other)


def test_an_omission_inside_an_answer_is_asked_of_another_at_once() -> None:
    fetch, chain = make_fetch(41), make_chain(list(range(1, 41)))
    add_peer(fetch, "liar")
    requests = fetch.plan(0.0)
    for request in requests:
        covered, following, blocks = honest_answer(chain, request, 10 ** 9)
        kept = tuple(block for block in blocks if block.view != 5)
        fetch.receive("liar", request.request_id, covered, following, kept, 0.5)
    add_peer(fetch, "honest")
    fetch.plan(0.5)
    open_views = [
        (entry.request.peer, entry.request.views)
        for entry in fetch.peers.tracker.open_requests()
        if 5 in entry.request.views
    ]
    assert open_views == [("honest", ViewRange(5, 6))]
    assert fetch.peers.scores["liar"].faults == 1
    assert fetch.peers.scores["honest"].faults == 0


def asked_of_all(fetch: Fetch, now: float) -> List[Request]:
    """What is asked now, answered empty at once by everybody, until nothing is asked."""
    asked = []
    for _ in range(100):
        requests = fetch.plan(now)
        if not requests:
            break
        for request in requests:
            asked.append(request)
            fetch.receive(request.peer, request.request_id, request.views, 0, (), now)
    return asked


@pytest.mark.parametrize("origin", [0.0, 1e6])
def test_without_a_block_for_long_all_claims_are_forgotten(origin: float) -> None:
    fetch = make_fetch()
    for name in "ab":
        add_peer(fetch, name)
    fetch.expire(origin)
    asked_of_all(fetch, origin)
    looks: List[float] = []
    now = origin
    while now < origin + 400.0:
        now += 0.5
        fetch.expire(now)
        # What lies at the end is asked again besides, of those who did not call it empty.
        if not fetch.links.claims.all_denied() and asked_of_all(fetch, now):
            looks.append(now - origin)
    waits = [after - before for before, after in zip([0.0, *looks], looks)]
    expected = [LOOK_AGAIN_TIME]
    while len(expected) < len(waits):
        expected.append(min(2 * expected[-1], MAX_LOOK_AGAIN_TIME))
    assert len(waits) >= 7 and waits == pytest.approx(expected, abs=0.6)


def test_all_that_peers_were_not_asked_for_is_asked_of_them_again() -> None:
    fetch = make_fetch()
    add_peer(fetch, "a")
    fetch.expire(0.0)
    table, views = fetch.peers.availability, ViewRange(1, 101)
    table.disprove("a", views, 0.0)
    table.rest("a", views, 1e9, 0.0)
    assert fetch.plan(LOOK_AGAIN_TIME - 0.1) == ()
    fetch.expire(LOOK_AGAIN_TIME - 0.1)
    assert fetch.plan(LOOK_AGAIN_TIME - 0.1) == ()
    fetch.expire(LOOK_AGAIN_TIME)
    assert fetch.plan(LOOK_AGAIN_TIME)[0].views.start == 1


def test_it_looks_again_though_nobody_asks_it_to() -> None:
    """Whoever calls when ``wake_at`` says so gets there, however little there is to do."""
    fetch = make_fetch()
    add_peer(fetch, "a")
    fetch.expire(0.0)
    fetch.peers.availability.rest("a", ViewRange(1, 101), 1e9, 0.0)
    now = 0.0
    while not fetch.plan(now):
        wake_at = fetch.wake_at(now)
        assert wake_at is not None and now < wake_at < 2 * LOOK_AGAIN_TIME
        now = wake_at
        fetch.expire(now)
    assert now == pytest.approx(LOOK_AGAIN_TIME, abs=STALL_TIME)


def test_a_block_puts_the_next_look_off() -> None:
    fetch, chain = make_fetch(), make_chain(list(range(1, 101)))
    add_peer(fetch, "a")
    fetch.expire(0.0)
    request = fetch.plan(0.0)[0]
    answer = honest_answer(chain, request, 10 ** 9)
    fetch.receive("a", request.request_id, *answer, LOOK_AGAIN_TIME - 1)
    claimed = ViewRange(50, 60)
    fetch.links.claims.add(claimed, [], "a")
    fetch.expire(LOOK_AGAIN_TIME - 1)
    fetch.expire(2 * LOOK_AGAIN_TIME - 1.1)
    assert fetch.links.claims.denies_all("a", claimed)
    fetch.expire(2 * LOOK_AGAIN_TIME - 1)
    assert not fetch.links.claims.denies_all("a", claimed)


def test_an_answer_for_more_views_puts_the_next_look_off_but_not_the_same_again() -> None:
    fetch = make_fetch()
    add_peer(fetch, "a")
    fetch.expire(0.0)

    def answer_empty(now: float) -> None:
        for request in fetch.plan(now):
            covered = request.views
            fetch.receive("a", request.request_id, covered, covered.stop, (), now)
        fetch.expire(now)

    answer_empty(0.0)
    answer_empty(LOOK_AGAIN_TIME - 1)
    fetch.expire(2 * LOOK_AGAIN_TIME - 1.1)
    assert fetch.links.claims.all_denied()
    fetch.expire(2 * LOOK_AGAIN_TIME - 1)
    assert not fetch.links.claims.all_denied()
    answer_empty(2 * LOOK_AGAIN_TIME)
    assert fetch.links.claims.all_denied()
    fetch.expire(4 * LOOK_AGAIN_TIME - 1)
    assert not fetch.links.claims.all_denied()


def test_what_is_held_and_proven_is_not_asked_for_again() -> None:
    fetch, chain = make_fetch(), make_chain([5, 10, 20, 60])
    add_peer(fetch, "a", stop=61)
    fetch.expire(0.0)
    answer_all(fetch, chain, 0.0)
    assert len(fetch.ready(10, 10 ** 9)) == 4
    fetch.expire(1.0 + LOOK_AGAIN_TIME)
    assert [request for request in fetch.plan(1.0 + LOOK_AGAIN_TIME)] == []


def test_time_has_no_origin() -> None:
    def play(origin: float) -> List[object]:
        fetch, chain = make_fetch(), make_chain(list(range(1, 101)))
        for name in "ab":
            add_peer(fetch, name)
        told: List[object] = []
        open_requests: List[Request] = []
        for step in range(200):
            now = origin + step / 4
            told.extend(r.request_id for r in fetch.expire(now))
            requests = fetch.plan(now)
            told.extend(request[:4] for request in requests)
            open_requests.extend(r for r in requests if r.peer == "a" or step > 100)
            for request in open_requests[:1]:
                answer = honest_answer(chain, request, 10 ** 9)
                fetch.receive(request.peer, request.request_id, *answer, now)
            del open_requests[:1]
        told.append(len(fetch.ready(1000, 10 ** 9)))
        return told

    expected = play(0.0)
    assert expected[-1] == 100
    for origin in (1.0, 2.0 ** 10, 2.0 ** 30):
        assert play(origin) == expected
