"""
A range fetch by itself: what it gives away, what it says of the rest, and when it gives up.

The chain's own fetch is there and wants nothing, as on a node that is synced.
"""
from random import Random
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import STALL_TIME, Fetch, Front, Limits
from blockio_plugin.rules.lateness import MAX_LATE_TIME
from blockio_plugin.rules.ledger import HORIZON_VIEWS
from blockio_plugin.rules.memory_pool import MemoryPool
from blockio_plugin.rules.outlet import OVERFLOW, Outlet
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.range_fetch import (
    ASK_AGAIN_TIME,
    TAIL_OPINIONS,
    WAIT_TIME,
    Outcome,
    RangeFetch,
)
from blockio_plugin.rules.requests import OpenRequest, Request
from blockio_plugin.rules.scoring import FIRST_REQUESTS
from blockio_plugin.rules.view_set import MAX_WIDTH, ViewSet
from blockio_plugin.rules.views import ViewRange, ViewRanges, normalise
from blockio_plugin.simulator.chain import make_chain

CHAIN = make_chain(list(range(0, 200, 2)))
"""A block at every even view."""

MANY = 10.0 ** 6
"""Blocks: no bound to what may be asked for."""


class Scene:
    """Peers that cover ``covers``, and one range fetch over them."""

    def __init__(
        self,
        views: Tuple[int, int],
        peers: Sequence[str] = "a",
        covers: Sequence[Tuple[int, int]] = ((0, 200),),
        window: int = 4096,
        chain: Sequence[Block] = CHAIN,
    ) -> None:
        self.chain = chain
        self.book = PeerBook()
        self.main = Fetch(
            front=Front(10 ** 6, b"head"), limits=Limits(), random=Random(1), peers=self.book
        )
        for name in peers:
            self.main.join(name, 0.0)
            self.main.advertise(name, 198, normalise(covers), 0.0)
        self.outlet = Outlet(window, MemoryPool(10 ** 8, 1).open())
        self.outcome = Outcome()
        self.begin(views)

    def begin(self, views: Tuple[int, int]) -> None:
        self.fetch = RangeFetch(
            ViewRange(*views), self.outlet, self.outcome, Random(2), self.book, 0.0
        )

    def blocks(self, start: int, stop: int) -> List[Block]:
        return [block for block in self.chain if start <= block.view < stop]

    def say(
        self,
        peer: str,
        start: int,
        stop: int,
        blocks: Optional[Sequence[Block]] = None,
        now: float = 0.0,
    ) -> None:
        """``peer`` is asked for these views and answers for them, as it is unless told else."""
        self.answer(self.ask(peer, start, stop, now).request, blocks, now)

    def ask(self, peer: str, start: int, stop: int, now: float = 0.0) -> OpenRequest:
        views = ViewRange(start, stop)
        entry = self.book.tracker.issue(peer, views, 512, 8.0, False, now, now + 9, self.fetch)
        self.fetch.note_issued(views)
        return entry

    def answer(
        self, request: Request, blocks: Optional[Sequence[Block]] = None, now: float = 0.0
    ) -> None:
        given = self.blocks(*request.views) if blocks is None else blocks
        self.main.receive(request.peer, request.request_id, request.views, 0, given, now)

    def decline(self, peer: str, start: int, stop: int, now: float) -> None:
        entry = self.ask(peer, start, stop, now)
        nothing = ViewRange(start, start)
        self.main.receive(peer, entry.request.request_id, nothing, 0, (), now)

    def supply(self, due: ViewRange, stop: int, now: float = 0.0) -> None:
        covered = ViewRange(due.start, stop)
        self.fetch.supply(due, covered, self.blocks(*covered), now)

    def tend(self, now: float = 0.0, is_held_up: bool = False) -> None:
        self.fetch.tend(is_held_up, now)

    def given(self) -> List[Block]:
        return [block for _, blocks in self.deliveries() for block in blocks]

    def deliveries(self) -> Iterator[Tuple[object, Tuple[Block, ...]]]:
        while not self.outlet.is_empty:
            delivery = self.outlet.take()
            assert delivery is not None
            self.outlet.settle(len(delivery.blocks))
            yield delivery.peer, delivery.blocks

    def result(self) -> Tuple[ViewRanges, ViewRanges, ViewRanges]:
        """The views that are proven empty, unproven and missing."""
        outcome = self.outcome
        return normalise(outcome.empty), normalise(outcome.unproven), normalise(outcome.missing)


def holes(start: int, stop: int) -> ViewRanges:
    return normalise((view, view + 1) for view in range(start, stop) if view % 2)


def test_blocks_leave_as_they_come_and_each_once() -> None:
    scene = Scene((10, 30), "ab")
    scene.say("a", 20, 30)
    scene.say("b", 10, 22)
    assert list(scene.deliveries()) == [
        ("a", CHAIN[10:15]),
        ("b", CHAIN[5:10]),
    ]
    assert scene.fetch.cache.bytes == 0
    assert not scene.fetch.is_resolved
    scene.tend()
    # There is one more who covers the end of the range and has not called it empty.
    assert not scene.fetch.is_resolved
    scene.say("b", 29, 30)
    scene.tend()
    assert scene.fetch.is_resolved
    assert scene.result() == (holes(10, 28), (ViewRange(29, 30),), ())


def test_the_lowest_block_is_believed_once_the_next_one_names_it() -> None:
    scene = Scene((5, 30))
    scene.say("a", 6, 8)
    assert scene.fetch.front.view == 5
    # What lies below it was not answered for.
    scene.say("a", 8, 10)
    assert scene.fetch.front.view == 5
    scene.say("a", 5, 6)
    assert scene.fetch.front == Front(9, CHAIN[4].hash)
    assert scene.result() == ((ViewRange(7, 8),), (ViewRange(5, 6),), ())


def test_the_lowest_block_waits_for_a_block_that_may_come() -> None:
    scene = Scene((6, 12))
    scene.say("a", 6, 8)
    assert scene.fetch.front.view == 6
    scene.say("a", 8, 12, blocks=[])
    assert scene.fetch.front == Front(7, CHAIN[3].hash)


def test_a_lowest_block_that_the_next_one_does_not_name_is_not_believed() -> None:
    scene = Scene((6, 12))
    foreign = CHAIN[3]._replace(hash=b"foreign")
    scene.say("a", 6, 8, blocks=[foreign])
    scene.say("a", 8, 12)
    assert scene.fetch.front.view == 6


def test_a_block_of_another_branch_is_followed_by_the_right_one() -> None:
    scene = Scene((6, 16), "ab")
    foreign = Block(11, 5, b"foreign", b"elsewhere", CHAIN[0].rlp)
    scene.say("a", 6, 9)
    scene.say("a", 11, 12, blocks=[foreign])
    scene.say("b", 9, 11)
    scene.say("b", 12, 16)
    assert scene.given() == [CHAIN[3], CHAIN[4], foreign, *CHAIN[5:8]]
    assert scene.fetch.front.view == 15
    # The views of a block that links pass by are empty as far as the chain goes.
    assert scene.result()[0] == holes(6, 15)


def test_another_block_for_the_same_view_leaves_too() -> None:
    full = make_chain(list(range(20)))
    scene = Scene((6, 16), "ab", chain=full)
    foreign = full[10]._replace(hash=b"foreign", parent_hash=b"elsewhere")
    scene.say("a", 6, 10)
    scene.say("a", 10, 11, blocks=[foreign])
    scene.say("b", 11, 16)
    # Nothing is left to ask for, and yet it is not at its end.
    assert not scene.fetch.is_wanting
    scene.tend()
    assert not scene.fetch.is_resolved
    scene.tend(STALL_TIME)
    assert scene.fetch.ledger.wanted == ViewSet(6, [(10, 11)])
    scene.say("b", 10, 11)
    assert scene.given() == [*full[6:10], foreign, *full[11:16], full[10]]
    scene.tend(STALL_TIME)
    assert scene.fetch.is_resolved
    assert scene.result() == ((), (), ())


def test_a_block_that_was_doubted_and_comes_again_does_not_leave_twice() -> None:
    scene = Scene((6, 16), "ab")
    low = CHAIN[3]._replace(hash=b"low", parent_hash=b"elsewhere")
    high = CHAIN[4]._replace(hash=b"high", parent_hash=b"low")
    scene.say("a", 6, 10, blocks=[low, high])
    scene.say("b", 10, 16)
    scene.tend(STALL_TIME)
    scene.say("b", 9, 10)
    scene.tend(2 * STALL_TIME)
    assert 10 in scene.fetch.ledger.wanted
    scene.say("a", 10, 11)
    assert scene.fetch.held_blocks == 3
    assert scene.given() == [low, high, *CHAIN[5:8]]


def test_a_lie_within_a_range_is_asked_of_others() -> None:
    scene = Scene((6, 30), "ab")
    scene.say("a", 6, 11)
    scene.say("a", 11, 20, blocks=[])
    scene.say("b", 20, 30)
    assert scene.fetch.ledger.wanted == ViewSet(6, [(11, 20)])
    assert not scene.book.availability.may_ask("a", 12, 0.0)
    scene.say("b", 11, 20)
    assert scene.fetch.front.view == 29
    assert [score.faults for score in scene.book.scores.values()] == [1, 0]


def test_what_peers_were_asked_before_is_in_flight() -> None:
    scene = Scene((0, 1))
    entry = scene.book.tracker.issue("a", ViewRange(90, 110), 512, 8.0, False, 0.0, 9.0)
    scene.begin((100, 120))
    assert scene.fetch.ledger.wanted == ViewSet(100, [(110, 120)])
    assert not scene.fetch.is_waiting
    scene.answer(entry.request)
    assert scene.given() == list(CHAIN[50:55])
    assert scene.fetch.ledger.wanted == ViewSet(100, [(110, 120)])


def test_answers_that_do_not_touch_the_range_change_nothing() -> None:
    scene = Scene((100, 120))
    scene.say("a", 0, 100)
    scene.say("a", 120, 140)
    assert scene.given() == []
    assert scene.fetch.ledger.wanted == ViewSet(100, [(100, 120)])
    scene.say("a", 90, 130)
    assert scene.given() == list(CHAIN[50:60])


def test_answers_that_do_not_touch_the_range_are_not_judged() -> None:
    scene = Scene((100, 120))
    scene.say("a", 40, 60, blocks=[CHAIN[20], CHAIN[29]])
    scene.say("a", 140, 160, blocks=[CHAIN[70], CHAIN[79]])
    assert scene.book.scores["a"].faults == 0
    scene.say("a", 100, 120, blocks=[CHAIN[50], CHAIN[59]])
    assert scene.book.scores["a"].faults == 1


def test_it_asks_for_no_more_than_it_is_allowed() -> None:
    scene = Scene((0, 200))
    assert scene.fetch.plan_within(0.0, MANY, 0.0) == ()
    assert not scene.fetch.is_waiting
    request, = scene.fetch.plan_within(5.0, MANY, 0.0)
    assert request.max_blocks == FIRST_REQUESTS[0]
    assert scene.fetch.is_waiting
    scene.answer(request)
    assert not scene.fetch.is_waiting
    following, = scene.fetch.plan_within(MANY, MANY, 0.0)
    assert following.max_blocks > FIRST_REQUESTS[0]


def test_it_asks_only_for_what_lies_below_while_too_many_blocks_wait_for_a_link() -> None:
    scene = Scene((0, 200))
    scene.say("a", 100, 110)
    assert scene.fetch.held_blocks == 5
    asked = scene.fetch.plan_within(MANY, 0.0, 0.0)
    assert asked and all(request.views.stop <= 100 for request in asked)
    for request in asked:
        scene.answer(request)
    scene.say("a", 0, 100)
    assert scene.fetch.held_blocks == 0
    assert any(request.views.stop > 110 for request in scene.fetch.plan_within(MANY, MANY, 0.0))


def test_a_gap_above_a_lowest_block_that_no_link_proves_is_asked_for_too() -> None:
    scene = Scene((0, 200))
    scene.say("a", 0, 3)
    scene.say("a", 100, 110)
    asked = scene.fetch.plan_within(MANY, 0.0, 0.0)
    assert asked and all(3 <= view < 100 for request in asked for view in range(*request.views))


def test_expects_larger_blocks_once_an_answer_did_not_fit() -> None:
    large = [block._replace(rlp=bytes(40_000)) for block in CHAIN]
    scene = Scene((0, 200), chain=large)
    scene.outlet = Outlet(4096, MemoryPool(50_000, 1).open())
    scene.begin((0, 200))
    request, *_ = scene.fetch.plan_within(MANY, MANY, 0.0)
    assert request.max_blocks > 1
    scene.answer(request)
    # The first of them does, and what lies above is wanted again.
    assert scene.outlet.unsettled == 1
    assert scene.fetch.ledger.wanted.covers(2, request.views.stop)
    assert scene.outlet.block_bytes > 0.9 * large[0].memory


def test_blocks_are_not_taken_while_the_outlet_is_closed() -> None:
    window = 8
    scene = Scene((0, 200), window=window)
    scene.say("a", 0, 2 * OVERFLOW * window)
    scene.say("a", 50, 60)
    assert scene.outlet.unsettled == OVERFLOW * window
    assert 50 in scene.fetch.ledger.wanted
    # Nothing speaks against what holds no block.
    scene.say("a", 61, 62)
    assert 61 not in scene.fetch.ledger.wanted
    assert len(scene.given()) == OVERFLOW * window
    scene.say("a", 50, 60)
    assert scene.given() == list(CHAIN[25:30])


def test_who_ended_wants_nothing() -> None:
    scene = Scene((0, 100))
    request, *_ = scene.fetch.plan_within(MANY, MANY, 0.0)
    scene.fetch.end()
    scene.fetch.end()
    assert scene.fetch.is_resolved
    assert scene.book.fetches == [scene.main]
    scene.answer(request)
    assert scene.given() == []
    scene.main.join("b", 1.0)
    scene.main.advertise("b", 198, (ViewRange(0, 200),), 1.0)
    assert scene.fetch.plan_within(MANY, MANY, 1.0) == ()
    scene.tend(10.0 * MAX_LATE_TIME)
    assert scene.result() == ((), (), ())


def test_a_range_without_blocks_takes_as_many_opinions_as_there_are() -> None:
    scene = Scene((100, 110), "ab", chain=CHAIN[:50])
    for name in "ab":
        scene.tend()
        assert not scene.fetch.is_resolved
        scene.say(name, 100, 110)
    scene.tend()
    assert scene.fetch.is_resolved
    assert scene.result() == ((), (ViewRange(100, 110),), ())


def test_where_another_opinion_is_not_to_be_had_the_first_one_counts() -> None:
    scene = Scene((90, 110), "ab", chain=CHAIN[:50])
    scene.say("a", 90, 93)
    scene.say("a", 93, 96, blocks=[])
    scene.say("a", 96, 110)
    assert scene.fetch.ledger.wanted == ViewSet(90, [(93, 96)])
    scene.tend()
    scene.decline("b", 93, 96, 1.0)
    scene.tend(WAIT_TIME)
    assert scene.fetch.is_resolved
    assert scene.result()[1:] == ((ViewRange(99, 110),), (ViewRange(93, 96),))
    scene = Scene((100, 110), "ab", chain=CHAIN[:50])
    scene.say("a", 100, 110)
    scene.tend()
    assert scene.fetch.is_wanting
    scene.decline("b", 100, 110, 1.0)
    scene.tend(WAIT_TIME)
    assert scene.result() == ((), (ViewRange(100, 110),), ())


def test_more_than_enough_opinions_are_not_asked_for() -> None:
    scene = Scene((100, 110), "abcdef", chain=CHAIN[:50])
    for asked, name in enumerate("abcdef"):
        scene.tend()
        if scene.fetch.is_resolved:
            break
        scene.say(name, 100, 110)
    assert asked == TAIL_OPINIONS


# The local chain


def test_the_local_chain_supplies_what_it_covers_in_pieces() -> None:
    scene = Scene((10, 60))
    scene.fetch.note_own_ranges((ViewRange(0, 30), ViewRange(50, 300)))
    requests = scene.fetch.plan_within(MANY, MANY, 0.0)
    assert requests[0].views.start == 30 and requests[-1].views.stop <= 50
    due = scene.fetch.next_due()
    assert due == (10, 30)
    scene.supply(due, 20)
    assert list(scene.deliveries()) == [(None, CHAIN[5:10])]
    assert scene.fetch.next_due() == (20, 30)
    scene.supply(ViewRange(20, 30), 30)
    due = scene.fetch.next_due()
    assert due == (50, 60)
    scene.supply(due, 60)
    assert scene.fetch.next_due() is None
    for request in requests:
        scene.answer(request)
    scene.say("a", requests[-1].views.stop, 50)
    scene.tend()
    assert scene.fetch.is_resolved
    # Its links are of our own chain, so they prove what lies above the last block too.
    assert scene.result() == (holes(10, 60), (), ())


def test_what_it_declines_is_asked_of_peers() -> None:
    scene = Scene((10, 30))
    scene.fetch.note_own_ranges((ViewRange(0, 30),))
    assert scene.fetch.plan_within(MANY, MANY, 0.0) == ()
    due = scene.fetch.next_due()
    assert due is not None
    scene.supply(due, due.start)
    assert scene.fetch.next_due() is None
    assert scene.fetch.plan_within(MANY, MANY, 0.0)[0].views.start == 10


def test_what_peers_were_asked_for_is_not_due_when_our_chain_covers_it_too() -> None:
    scene = Scene((10, 100))
    request, = scene.fetch.plan_within(5.0, MANY, 0.0)
    scene.fetch.note_own_ranges((ViewRange(0, 50),))
    assert scene.fetch.next_due() == (request.views.stop, 50)


def test_what_it_supplies_may_be_in_flight_besides() -> None:
    scene = Scene((8, 30))
    scene.fetch.note_own_ranges((ViewRange(10, 30),))
    entry = scene.ask("a", 10, 20)
    scene.supply(ViewRange(10, 30), 30)
    assert scene.fetch.ledger.in_flight == ViewSet(8, [(10, 20)])
    scene.answer(entry.request)
    assert not scene.fetch.ledger.in_flight
    assert scene.given() == list(CHAIN[5:15])


def test_a_link_proves_what_lies_between_a_peer_and_our_own_chain() -> None:
    scene = Scene((10, 30))
    scene.fetch.note_own_ranges((ViewRange(12, 30),))
    scene.say("a", 10, 11)
    scene.supply(ViewRange(12, 30), 30)
    assert not scene.fetch.is_wanting
    scene.tend()
    assert scene.result() == (holes(10, 30), (), ())


def test_our_own_chain_may_be_longer_than_a_bitmap_is_wide() -> None:
    step = HORIZON_VIEWS // 2
    chain = make_chain(list(range(0, MAX_WIDTH + 80 * step, step)))
    stop = chain[-1].view + 1
    scene = Scene((0, stop), covers=(), chain=chain)
    scene.fetch.note_own_ranges((ViewRange(0, stop),))
    for _ in chain:
        scene.tend()
        due = scene.fetch.next_due()
        if due is None:
            break
        scene.supply(due, due.stop)
    assert scene.fetch.is_resolved
    assert scene.given() == list(chain)
    assert sum(views.length for views in scene.result()[0]) == stop - len(chain)


def test_no_opinions_are_asked_for_where_our_own_chain_answered() -> None:
    scene = Scene((100, 110), "abc", chain=CHAIN[:50])
    scene.fetch.note_own_ranges((ViewRange(0, 110),))
    scene.supply(ViewRange(100, 110), 110)
    scene.tend()
    assert scene.fetch.is_resolved
    assert scene.result() == ((ViewRange(100, 110),), (), ())


# Giving up


def test_what_nobody_gives_is_missing_after_a_while() -> None:
    scene = Scene((10, 40), covers=((0, 20), (30, 40)))
    scene.say("a", 10, 20, now=1.0)
    scene.say("a", 30, 40, now=2.0)
    assert scene.fetch.wake_by(2.0) <= 2.0 + WAIT_TIME
    scene.tend(1.9 + WAIT_TIME)
    assert not scene.fetch.is_resolved
    scene.tend(2.0 + WAIT_TIME)
    assert scene.fetch.is_resolved
    assert sorted(block.view for block in scene.given()) == [*range(10, 20, 2), *range(30, 40, 2)]
    empty = (*holes(10, 19), *holes(30, 39))
    assert scene.result() == (empty, (ViewRange(19, 20), ViewRange(39, 40)), (ViewRange(20, 30),))


def test_only_what_brings_something_puts_the_end_off() -> None:
    scene = Scene((10, 100), covers=((0, 20), (30, 40)))
    scene.decline("a", 30, 40, 0.5)
    scene.tend(WAIT_TIME)
    assert scene.fetch.is_resolved
    scene = Scene((10, 100), covers=((0, 20), (30, 40)))
    scene.say("a", 10, 19, now=0.5)
    # That a view is empty is something, too.
    scene.say("a", 19, 20, now=1.0)
    scene.decline("a", 30, 40, 5.0)
    # It tells nothing new.
    scene.say("a", 19, 20, now=6.0)
    scene.tend(0.9 + WAIT_TIME)
    assert not scene.fetch.is_resolved
    scene.tend(1.0 + WAIT_TIME)
    assert scene.fetch.is_resolved


def test_what_the_local_chain_supplies_puts_the_end_off() -> None:
    scene = Scene((10, 100), covers=())
    scene.fetch.note_own_ranges((ViewRange(0, 20),))
    scene.supply(ViewRange(10, 20), 20, now=5.0)
    scene.tend(4.9 + WAIT_TIME)
    assert not scene.fetch.is_resolved
    scene.tend(5.0 + WAIT_TIME)
    assert scene.result()[2] == (ViewRange(20, 100),)


def test_a_link_across_what_is_missing_proves_it_empty() -> None:
    scene = Scene((10, 40), covers=((0, 19), (20, 40)))
    scene.say("a", 20, 40)
    scene.say("a", 10, 19)
    scene.tend()
    assert scene.result()[0] == holes(10, 38)


def test_what_is_asked_for_is_waited_for_longer() -> None:
    scene = Scene((10, 100))
    scene.fetch.plan_within(MANY, MANY, 0.0)
    scene.tend(WAIT_TIME + 1)
    assert not scene.fetch.is_resolved
    scene.tend(MAX_LATE_TIME)
    assert scene.fetch.is_resolved
    assert scene.result() == ((), (), (ViewRange(10, 100),))


def test_what_timed_out_is_asked_of_others_first() -> None:
    scene = Scene((10, 100))
    # It was heard of before, so our link is not silent.
    scene.say("a", 10, 20)
    assert scene.fetch.plan_within(MANY, MANY, 0.0)
    late = WAIT_TIME + 1.0
    scene.tend(late - 1.0)
    assert scene.main.expire(late)
    scene.tend(late)
    assert not scene.fetch.is_resolved
    assert scene.fetch.wake_by(late) <= late - 1.0 + ASK_AGAIN_TIME
    scene.main.join("b", late)
    scene.main.advertise("b", 198, (ViewRange(0, 200),), late)
    assert {request.peer for request in scene.fetch.plan_within(MANY, MANY, late)} == {"b"}
    scene.tend(late + WAIT_TIME)
    assert not scene.fetch.is_resolved
    scene.main.leave("b", late + WAIT_TIME)
    scene.tend(late + WAIT_TIME + ASK_AGAIN_TIME)
    assert scene.fetch.is_resolved


def test_a_taker_that_is_slow_makes_nothing_missing() -> None:
    scene = Scene((10, 100), covers=())
    for second in range(100):
        scene.tend(float(second), is_held_up=True)
    scene.tend(98.9 + WAIT_TIME)
    assert not scene.fetch.is_resolved
    scene.tend(99.0 + WAIT_TIME)
    assert scene.fetch.is_resolved


def test_above_what_nobody_covers_it_goes_on() -> None:
    far = 5 * HORIZON_VIEWS
    chain = [*CHAIN, CHAIN[0]._replace(view=far + 5, hash=b"far", parent_hash=b"below")]
    scene = Scene((190, 2 ** 40), covers=((0, 200), (far, far + 10)), chain=chain)
    scene.say("a", 190, 200)
    scene.tend(WAIT_TIME)
    assert not scene.fetch.is_resolved
    assert scene.fetch.front.view == far
    scene.tend(WAIT_TIME + 1)
    assert scene.fetch.front.view == far
    scene.say("a", far, far + 10)
    scene.tend(2 * WAIT_TIME)
    assert scene.fetch.is_resolved
    assert [block.view for block in scene.given()] == [190, 192, 194, 196, 198, far + 5]
    assert scene.result() == (
        holes(190, 198),
        (ViewRange(199, 200), ViewRange(far, far + 5), ViewRange(far + 6, far + 10)),
        (ViewRange(200, far), ViewRange(far + 10, 2 ** 40)),
    )


def test_it_goes_on_with_what_was_asked_for_or_our_own_chain_covers_there() -> None:
    far = 5 * HORIZON_VIEWS
    scene = Scene((190, 2 ** 40), covers=((0, 200), (far + 6, far + 20)))
    scene.fetch.note_own_ranges((ViewRange(far, far + 10),))
    scene.say("a", 190, 200)
    scene.ask("a", far + 6, far + 16)
    scene.tend(WAIT_TIME)
    assert scene.fetch.front.view == far
    assert scene.fetch.next_due() is None
    scene.tend(WAIT_TIME)
    assert scene.fetch.next_due() == (far, far + 6)
    assert scene.fetch.ledger.in_flight == ViewSet(far, [(far, far + 16)])
    assert scene.fetch.ledger.wanted.next_at(far) == far + 16


KINDS = ("honest", "empty", "omits", "declines", "silent")

LOOK_TIME = 0.5
"""Seconds between two looks, most."""

ANSWER_TIME = 3.0
"""Seconds in which those who stay answer."""

LAST = 120
"""Views below this are covered by those who stay."""


class RangeFetchMachine(RuleBasedStateMachine):
    """
    Peers lie, decline, are silent and leave, and our own chain covers a part. One honest peer that
    covers everything stays, and it and our own chain answer in time.
    """

    @initialize(
        filled=st.sets(st.integers(0, LAST - 1)),
        start=st.integers(0, LAST - 1),
        length=st.integers(1, 80),
        own=st.tuples(st.integers(0, LAST), st.integers(0, LAST)),
        window=st.sampled_from([8, 4096]),
    )
    def start(
        self, filled: Set[int], start: int, length: int, own: Tuple[int, int], window: int
    ) -> None:
        self.now = 0.0
        self.scene = Scene(
            (start, start + length), (), window=window, chain=make_chain(sorted(filled))
        )
        self.fetch = self.scene.fetch
        self.views = set(range(start, start + length))
        self.blocks = {block.view: block for block in self.scene.chain}
        self.kinds: Dict[str, str] = {}
        self.joined = 0
        self.liars = 0
        self.pending: List[Request] = []
        self.given: List[Block] = []
        self.unsettled = 0
        self.own: ViewRanges = ()
        self.supplied_at = 0.0
        self.own_supplies = normalise([own])
        self.join("honest", (0, LAST))
        self.steady = next(iter(self.kinds))

    def join(self, kind: str, covers: Tuple[int, int]) -> None:
        # A new connection is a new peer, so no name comes twice.
        self.joined += 1
        name = f"{kind}{self.joined}"
        self.kinds[name] = kind
        self.liars += kind in ("empty", "omits")
        self.scene.main.join(name, self.now)
        self.scene.main.advertise(name, LAST - 1, normalise([covers]), self.now)

    def act(self) -> None:
        for request in self.fetch.plan_within(self.scene.outlet.room, MANY, self.now):
            covering = self.scene.book.availability.covering(
                request.peer, request.views.start
            )
            assert covering is not None and request.views.stop <= covering.stop
            entry = self.scene.book.tracker.find(request.peer, request.request_id)
            assert entry is not None and entry.owner is self.fetch
            assert entry.is_copy or request.views.start >= self.fetch.front.view
            self.pending.append(request)

    @rule(kind=st.sampled_from(KINDS), start=st.integers(0, LAST), length=st.integers(0, LAST))
    def another_joins(self, kind: str, start: int, length: int) -> None:
        if len(self.kinds) < 5:
            self.join(kind, (start, min(start + length, LAST)))
            self.act()

    @precondition(lambda self: len(self.kinds) > 1)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.kinds) - {self.steady})))
        del self.kinds[name]
        self.pending = [request for request in self.pending if request.peer != name]
        self.scene.main.leave(name, self.now)
        self.act()

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self.give(data.draw(st.sampled_from(self.pending)))

    def give(self, request: Request) -> None:
        self.pending.remove(request)
        kind = self.kinds[str(request.peer)]
        start, stop = request.views
        blocks = self.scene.blocks(start, stop)
        if kind == "silent":
            return
        if kind == "declines":
            stop, blocks = start, []
        elif kind == "empty":
            blocks = []
        elif kind == "omits":
            blocks = blocks[::2]
        if len(blocks) > request.max_blocks:
            blocks = blocks[: request.max_blocks]
            stop = blocks[-1].view + 1
        following = self.scene.blocks(stop, LAST)
        self.scene.main.receive(
            request.peer,
            request.request_id,
            ViewRange(start, stop),
            following[0].view if following else 0,
            blocks,
            self.now,
        )
        self.act()

    @rule()
    def our_chain_grows(self) -> None:
        self.own = self.own_supplies
        self.fetch.note_own_ranges(self.own)

    @precondition(lambda self: self.fetch.next_due() is not None)
    @rule(pieces=st.integers(0, 30))
    def supply(self, pieces: int) -> None:
        due = self.fetch.next_due()
        assert due is not None
        assert any(start <= due.start and due.stop <= stop for start, stop in self.own)
        covered = ViewRange(due.start, min(due.start + pieces, due.stop))
        self.supplied_at = self.now
        self.fetch.supply(due, covered, self.scene.blocks(*covered), self.now)
        self.act()

    @rule(seconds=st.floats(0.01, 3.0))
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + LOOK_TIME, end)
            if self.now > self.supplied_at + ANSWER_TIME and self.fetch.next_due() is not None:
                self.supply(30)
            for request in [r for r in self.pending if r.peer == self.steady]:
                if request.issued_at < self.now - ANSWER_TIME:
                    self.give(request)
            self.look()
            self.act()

    def look(self) -> None:
        self.scene.main.expire(self.now)
        self.scene.tend(self.now, is_held_up=self.scene.outlet.room < 1)

    @rule()
    def take(self) -> None:
        self.given.extend(self.scene.given())
        self.act()

    @invariant()
    def nothing_is_lost(self) -> None:
        ledger = self.fetch.ledger
        base = ledger.wanted.base
        everything = ViewSet(base, [(ledger.front, ledger.horizon)])
        assert ledger.wanted | ledger.in_flight | ledger.answered == everything
        assert not ledger.wanted & (ledger.in_flight | ledger.answered)
        # A probe is not relied on: once what it probes has landed, its views are in flight no more.
        asked = ViewSet(
            base,
            [
                ledger.clip(entry.request.views)
                for entry in self.scene.book.tracker.open_requests()
                if not entry.is_probe
            ],
        )
        due = self.fetch.next_due()
        assert not asked - ledger.in_flight
        if due is None and not self.fetch.is_resolved:
            assert asked == ledger.in_flight

    @invariant()
    def what_is_said_is_true(self) -> None:
        assert len({block.view for block in self.given}) == len(self.given)
        assert all(self.blocks[block.view] == block for block in self.given)
        parts = [[view for views in part for view in range(*views)] for part in self.parts()]
        told = [view for part in parts for view in part]
        assert len(set(told)) == len(told) and set(told) <= self.views
        empty, unproven, missing = parts
        assert not set(empty) & set(self.blocks)
        assert not set(told) & {block.view for block in self.given}
        # The honest peer answers, so all that it covers was answered for.
        assert not {view for view in missing if view < LAST}

    def parts(self) -> Tuple[List[ViewRange], List[ViewRange], List[ViewRange]]:
        outcome = self.scene.outcome
        return outcome.empty, outcome.unproven, outcome.missing

    def teardown(self) -> None:
        if not hasattr(self, "fetch"):
            return
        for name in sorted(set(self.kinds) - {self.steady}):
            self.scene.main.leave(name, self.now)
        self.pending = [request for request in self.pending if request.peer == self.steady]
        for _ in range(400):
            self.look()
            self.take()
            for request in list(self.pending):
                self.give(request)
            due = self.fetch.next_due()
            if due is not None:
                self.supply(max(1, due.length // 2))
            self.nothing_is_lost()
            self.what_is_said_is_true()
            if self.fetch.is_resolved:
                break
            self.now += 0.1
        assert self.fetch.is_resolved
        self.take()
        self.what_is_said_is_true()
        told = {view for part in self.parts() for views in part for view in range(*views)}
        given = {block.view for block in self.given}
        assert told | given == self.views
        unproven = {view for views in self.scene.outcome.unproven for view in range(*views)}
        hidden = self.views & set(self.blocks) - given
        assert hidden <= unproven
        if not self.liars:
            assert not hidden


TestRangeFetch = RangeFetchMachine.TestCase
