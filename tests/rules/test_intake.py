"""Taking in: each answer changes the books by what it says, and no view is lost on the way."""
from random import Random
from typing import Callable, List, Optional, Sequence, Tuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
import pytest

from blockio_plugin.rules.blocks import BLOCK_OVERHEAD, Block
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.intake import Intake
from blockio_plugin.rules.limits import Front, Limits, Receipt
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.requests import OpenRequest
from blockio_plugin.rules.view_set import MAX_WIDTH, ViewSet
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange
from blockio_plugin.simulator.chain import BLOCK_RLP, GENESIS_HASH, make_chain

CHAIN = make_chain(list(range(0, 100, 2)))
"""A block at every even view."""

SIZE = len(BLOCK_RLP) + BLOCK_OVERHEAD
"""Bytes of each block."""


def blocks_in(start: int, stop: int, chain: Sequence[Block] = CHAIN) -> List[Block]:
    return [block for block in chain if start <= block.view < stop]


class Scene:
    """Views 0 to 99 are wanted, and a, b and c cover all of them."""

    def __init__(self, cache_bytes: int = 10 ** 6) -> None:
        self.peers = PeerBook()
        for name in "abc":
            self.peers.join(name)
            self.peers.availability.advertise(name, 98, (ViewRange(0, 100),))
        limits = Limits(cache_bytes=cache_bytes)
        self.intake = Intake(Front(0, GENESIS_HASH), limits, self.peers)
        self.intake.set_target(100)

    def reach(self, window: int) -> None:
        """Let a fetch take the place of the intake, which will ask for ``window`` views."""
        limits = Limits(self.intake.limits.cache_bytes, window)
        front = Front(0, GENESIS_HASH)
        fetch = Fetch(front=front, limits=limits, random=Random(1), peers=self.peers)
        fetch.set_target(100)
        for name in "abc":
            self.peers.scores[name].paused_until = 1.0
        assert fetch.plan(0.5) == ()
        self.intake = fetch

    def ask(
        self, peer: str, start: int, stop: int, is_copy: bool = False, is_ours: bool = True
    ) -> OpenRequest:
        views = ViewRange(start, stop)
        owner = self.intake if is_ours else None
        entry = self.peers.tracker.issue(peer, views, 512, 8.0, is_copy, 0.0, 9.0, owner)
        self.intake.note_issued(views)
        return entry

    def time_out(self, entry: OpenRequest) -> None:
        self.peers.tracker.mark_late(entry)
        self.intake.note_returned(entry)

    def answer(
        self,
        entry: OpenRequest,
        stop: Optional[int] = None,
        next_view: int = 0,
        blocks: Optional[Sequence[Block]] = None,
    ) -> Receipt:
        """With the covered prefix up to ``stop``, and its true blocks unless others are given."""
        self.peers.tracker.close(entry)
        start, end = entry.request.views
        covered = ViewRange(start, end if stop is None else stop)
        given = blocks_in(*covered) if blocks is None else blocks
        return self.intake.note_answered(entry, covered, next_view, given, 1.0)

    def books(self) -> Tuple[object, object, object]:
        ledger = self.intake.ledger
        sets = (ledger.wanted, ledger.in_flight, ledger.answered)
        wanted, in_flight, answered = (list(views.runs(0, 200)) for views in sets)
        return wanted, in_flight, answered


def test_what_was_asked_for_is_in_flight_as_far_as_it_is_wanted() -> None:
    scene = Scene()
    scene.ask("a", 90, 120)
    assert scene.books() == ([(0, 90)], [(90, 100)], [])
    scene.intake.note_issued(ViewRange(100, 200))
    assert scene.books() == ([(0, 90)], [(90, 100)], [])


def test_the_part_that_was_not_covered_is_wanted_again() -> None:
    scene = Scene()
    receipt = scene.answer(scene.ask("a", 0, 50), stop=10)
    assert receipt == Receipt(CHAIN[:5], 0, False)
    assert scene.books() == ([(10, 100)], [], [(0, 10)])
    assert scene.intake.held_blocks == 5 and scene.intake.is_wanting


def test_all_is_wanted_again_of_what_was_declined_or_returned() -> None:
    scene = Scene()
    assert scene.answer(scene.ask("a", 0, 50), stop=0) == Receipt((), 0, False)
    assert scene.books() == ([(0, 100)], [], [])
    entry = scene.ask("b", 0, 50)
    scene.peers.tracker.close(entry)
    scene.intake.note_returned(entry)
    assert scene.books() == ([(0, 100)], [], [])


def test_a_late_answer_is_used_and_leaves_the_second_request_alone() -> None:
    scene = Scene()
    late = scene.ask("a", 0, 20)
    scene.time_out(late)
    assert scene.books()[0] == [(0, 100)]
    scene.ask("b", 0, 10)
    assert scene.answer(late) == Receipt(CHAIN[:10], 0, True)
    assert scene.books() == ([(20, 100)], [(0, 10)], [(0, 20)])


def test_the_rest_of_a_late_answer_was_given_back_before() -> None:
    scene = Scene()
    late = scene.ask("a", 0, 20)
    scene.time_out(late)
    scene.ask("b", 10, 20)
    assert scene.answer(late, stop=5).is_late
    assert scene.books() == ([(5, 10), (20, 100)], [(10, 20)], [(0, 5)])


def test_of_two_requests_for_the_same_views_one_is_still_in_flight() -> None:
    scene = Scene()
    first, copy = scene.ask("a", 0, 20), scene.ask("b", 10, 20, is_copy=True)
    scene.time_out(first)
    assert scene.books() == ([(0, 10), (20, 100)], [(10, 20)], [])
    assert scene.answer(copy).fresh == CHAIN[5:10]
    assert scene.books() == ([(0, 10), (20, 100)], [], [(10, 20)])
    assert scene.answer(first) == Receipt(CHAIN[:5], 5, True)


def test_a_hint_skips_the_views_before_the_next_block() -> None:
    scene = Scene()
    scene.ask("b", 60, 65)
    scene.answer(scene.ask("a", 1, 2), next_view=80)
    assert scene.books() == ([(0, 1), (80, 100)], [(60, 65)], [(1, 60), (65, 80)])
    # It is a claim like any other.
    assert scene.intake.links.claims.deniers(70) == ("a",)


def faulty(scene: Scene) -> int:
    scene.peers.scores["a"].disproved(0.0)
    return 80


def past_its_advert(scene: Scene) -> int:
    scene.peers.availability.advertise("a", 98, (ViewRange(0, 79),))
    return 80


def within_the_answer(scene: Scene) -> int:
    return 2


@pytest.mark.parametrize("prepare", [faulty, past_its_advert, within_the_answer])
def test_what_hints_are_not_followed(prepare: Callable[[Scene], int]) -> None:
    scene = Scene()
    next_view = prepare(scene)
    scene.answer(scene.ask("a", 1, 2), next_view=next_view)
    assert scene.books() == ([(0, 1), (2, 100)], [], [(1, 2)])


def test_a_hint_past_the_target_skips_to_the_target() -> None:
    scene = Scene()
    scene.peers.availability.advertise("a", 498, (ViewRange(0, 500),))
    scene.answer(scene.ask("a", 90, 95), next_view=400)
    assert scene.books() == ([(0, 90)], [], [(90, 100)])


def test_blocks_past_the_target_are_left() -> None:
    scene = Scene()
    entry = scene.ask("a", 0, 100)
    scene.intake.set_target(10)
    assert scene.answer(entry) == Receipt(CHAIN[:5], 45, False)
    assert scene.intake.held_blocks == 5
    assert scene.books() == ([], [], [(0, 10)])
    assert not scene.intake.is_wanting


def test_no_view_is_wanted_past_the_limit() -> None:
    scene = Scene()
    scene.intake.set_target(VIEW_LIMIT + 5)
    assert scene.intake.ledger.target == VIEW_LIMIT


def test_a_full_cache_gives_up_its_highest_blocks() -> None:
    scene = Scene(cache_bytes=20 * SIZE)
    scene.answer(scene.ask("a", 40, 80))
    assert scene.intake.cache.memory == 20 * SIZE
    scene.answer(scene.ask("a", 0, 10))
    assert scene.intake.held_blocks == 20
    held = [view for run in scene.intake.cache.held.runs(0, 100) for view in range(*run)]
    assert held == [0, 2, 4, 6, 8, *range(40, 70, 2)]
    # Only views that lost their block are asked for again.
    assert scene.books()[0] == [(10, 40), *((v, v + 1) for v in range(70, 79, 2)), (80, 100)]


def test_what_was_handed_out_stays_in_a_full_cache() -> None:
    scene = Scene(cache_bytes=5 * SIZE)
    scene.answer(scene.ask("a", 0, 10))
    assert scene.intake.ready(10, 10 ** 6) == CHAIN[:5]
    scene.answer(scene.ask("a", 10, 20))
    assert scene.intake.held_blocks == 5 and scene.intake.cache.handed_out == 5
    assert scene.books()[0] == [*((v, v + 1) for v in range(10, 19, 2)), (20, 100)]
    foreign = CHAIN[1]._replace(view=3, hash=b"foreign", parent_hash=b"elsewhere")
    scene.answer(scene.ask("b", 3, 4), blocks=[foreign])
    assert scene.intake.cache.handed_out == 5
    scene.intake.confirm(8)
    assert scene.intake.front == Front(9, CHAIN[4].hash) and not scene.intake.held_blocks


def test_one_block_is_kept_however_large_it_is() -> None:
    scene = Scene(cache_bytes=1)
    scene.answer(scene.ask("a", 0, 4))
    assert scene.intake.ready(10, 10 ** 6) == CHAIN[:1]


def test_a_refused_block_that_comes_again_is_left_and_asked_of_others() -> None:
    scene = Scene()
    scene.answer(scene.ask("a", 0, 10))
    scene.intake.ready(10, 10 ** 6)
    assert scene.intake.reject(CHAIN[2].hash, 2.0) == ("a",)
    assert scene.answer(scene.ask("b", 4, 10)) == Receipt(CHAIN[3:5], 1, False)
    assert scene.books() == ([(4, 5), (10, 100)], [], [(0, 4), (5, 10)])
    table = scene.peers.availability
    assert [name for name in "abc" if table.may_ask(name, 4, 2.0)] == ["c"]
    assert table.may_ask("b", 6, 2.0)


def test_what_others_asked_for_is_taken_only_near_the_front() -> None:
    scene = Scene(cache_bytes=20 * SIZE)
    scene.reach(20)
    none = Receipt((), 0, False)
    assert scene.answer(scene.ask("a", 16, 22, is_ours=False)) == none
    assert scene.books() == ([(0, 100)], [], [])
    assert scene.answer(scene.ask("a", 14, 20, is_ours=False)).fresh == CHAIN[7:10]
    assert scene.books() == ([(0, 14), (20, 100)], [], [(14, 20)])
    assert scene.answer(scene.ask("a", 22, 28)).fresh == CHAIN[11:14]
    assert scene.answer(scene.ask("a", 0, 8, is_ours=False)).fresh == CHAIN[:4]
    # The cache is half full: the rest of it is for what we asked for.
    assert scene.answer(scene.ask("a", 8, 14, is_ours=False)) == none
    assert scene.answer(scene.ask("a", 8, 14)).fresh == CHAIN[4:7]


def test_what_others_asked_for_below_the_front_is_left() -> None:
    scene = Scene()
    scene.reach(20)
    entry = scene.ask("a", 0, 4, is_ours=False)
    scene.answer(scene.ask("a", 0, 6))
    scene.intake.ready(10, 10 ** 6)
    scene.intake.confirm(4)
    assert scene.answer(entry) == Receipt((), 0, False)


def test_confirmed_blocks_leave_and_the_front_moves_on() -> None:
    scene = Scene()
    scene.answer(scene.ask("a", 0, 10))
    scene.intake.ready(3, 10 ** 6)
    scene.intake.confirm(2)
    assert scene.intake.front == Front(3, CHAIN[1].hash)
    assert scene.intake.held_blocks == 3
    scene.intake.confirm(2)
    assert scene.intake.front.view == 3
    assert scene.books() == ([(10, 100)], [], [(3, 10)])
    scene.intake.confirm(4)
    # What comes next is known to follow.
    assert not scene.intake.cache.handed_out and scene.intake.suspect() is None


def test_the_front_may_move_further_than_a_bitmap_is_wide() -> None:
    step = 2 ** 29
    chain = make_chain(list(range(0, MAX_WIDTH + 4 * step, step)))
    scene = Scene()
    scene.intake.set_target(2 ** 40)
    scene.peers.availability.advertise("a", 2 ** 40 - 1, (ViewRange(0, 2 ** 40),))
    for block in chain:
        entry = scene.ask("a", block.view, block.view + 1)
        scene.answer(entry, next_view=block.view + step, blocks=[block])
        assert scene.intake.ready(10, 10 ** 6) == (block,)
        scene.intake.confirm(block.view)
        scene.intake.ledger.extend()
    hidden = ViewRange(scene.intake.front.view + 5, scene.intake.front.view + 15)
    last = [
        Block(view, view, b"%d" % view, b"elsewhere", BLOCK_RLP)
        for view in (hidden.start - 1, hidden.stop)
    ]
    scene.answer(scene.ask("a", last[0].view, hidden.stop + 1), blocks=last)
    assert scene.intake.links.disputed.covers(*hidden)


def test_a_rewind_keeps_what_lies_above_and_is_not_handed_out() -> None:
    scene = Scene()
    scene.answer(scene.ask("a", 0, 10))
    scene.intake.ready(10, 10 ** 6)
    scene.intake.confirm(4)
    scene.answer(scene.ask("a", 20, 30))
    scene.ask("b", 40, 50)
    scene.time_out(scene.ask("c", 50, 60))
    scene.intake.rewind(Front(3, CHAIN[1].hash), 2.0)
    assert scene.intake.front == Front(3, CHAIN[1].hash)
    assert scene.intake.ledger.target == 100
    held = list(range(20, 30, 2))
    assert [block.view for block in map(scene.intake.cache.get, held) if block] == held
    assert scene.intake.held_blocks == 5
    assert scene.books()[1] == [(40, 50)]
    assert scene.books()[2] == [(view, view + 1) for view in held]
    scene.answer(scene.ask("a", 3, 40))
    assert scene.intake.suspect() is None
    assert scene.intake.ready(100, 10 ** 6) == CHAIN[2:20]


def test_a_disowned_peer_loses_its_blocks_and_claims_above_the_fork() -> None:
    scene = Scene()
    scene.answer(scene.ask("a", 0, 20))
    scene.answer(scene.ask("b", 20, 30))
    scene.answer(scene.ask("a", 31, 32))
    scene.intake.ready(3, 10 ** 6)
    scene.intake.disown("a", 9)
    held = [view for run in scene.intake.cache.held.runs(0, 100) for view in range(*run)]
    assert held == [0, 2, 4, 6, 8, *range(20, 30, 2)]
    wanted = scene.intake.ledger.wanted
    assert wanted.covers(10, 20) and 31 in wanted
    assert not wanted.count(20, 30)


def test_who_sent_what_does_not_follow_is_suspect() -> None:
    scene = Scene()
    foreign = make_chain([0, 1, 2])[1]._replace(parent_hash=b"elsewhere")
    scene.answer(scene.ask("a", 0, 1), blocks=[])
    assert scene.intake.suspect() is None
    scene.answer(scene.ask("b", 1, 2), blocks=[foreign])
    assert scene.intake.suspect() == "b"


class IntakeMachine(RuleBasedStateMachine):
    """Requests are issued, copied, answered in part, late or never, and the importer refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(cache_bytes=20 * SIZE)
        self.intake = self.scene.intake
        self.unanswered: List[OpenRequest] = []
        self.handed_out: List[Block] = []

    @rule(data=st.data(), peer=st.sampled_from("abc"), length=st.integers(1, 40))
    def ask(self, data: st.DataObject, peer: str, length: int) -> None:
        runs = self.intake.ledger.wanted.first_runs(0, 100, 5)
        if runs:
            run = data.draw(st.sampled_from(runs))
            stop = min(run.start + length, run.stop)
            self.unanswered.append(self.scene.ask(peer, run.start, stop))

    @precondition(lambda self: any(not entry.is_late for entry in self.unanswered))
    @rule(data=st.data(), peer=st.sampled_from("abc"))
    def copy(self, data: st.DataObject, peer: str) -> None:
        entry = data.draw(st.sampled_from([e for e in self.unanswered if not e.is_late]))
        start, stop = entry.request.views
        self.unanswered.append(self.scene.ask(peer, start, stop, is_copy=True))

    @precondition(lambda self: any(not entry.is_late for entry in self.unanswered))
    @rule(data=st.data())
    def time_out(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from([e for e in self.unanswered if not e.is_late]))
        self.scene.time_out(entry)

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data(), covers=st.integers(0, 40), omits=st.booleans(), hints=st.booleans())
    def answer(self, data: st.DataObject, covers: int, omits: bool, hints: bool) -> None:
        entry = data.draw(st.sampled_from(self.unanswered))
        self.unanswered.remove(entry)
        start, end = entry.request.views
        stop = min(start + covers, end)
        blocks = blocks_in(start, stop)[:: 2 if omits else 1]
        following = blocks_in(stop, 100)
        next_view = following[0].view if hints and following else 0
        held = self.intake.held_blocks
        receipt = self.scene.answer(entry, stop, next_view, blocks)
        assert len(receipt.fresh) + receipt.duplicates == len(blocks)
        assert set(receipt.fresh) <= set(blocks) and receipt.is_late == entry.is_late
        assert self.intake.held_blocks <= held + len(receipt.fresh)

    @rule(most=st.integers(1, 20))
    def hand_out(self, most: int) -> None:
        self.handed_out.extend(self.intake.ready(most, 10 ** 6))

    @precondition(lambda self: self.handed_out)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.handed_out)))
        last = self.handed_out[count - 1]
        del self.handed_out[:count]
        self.intake.confirm(last.view)
        assert self.intake.front == Front(last.view + 1, last.hash)

    @rule(peer=st.sampled_from("abc"))
    def disown(self, peer: str) -> None:
        self.intake.disown(peer, self.intake.front.view - 1)
        assert not set(self.intake.cache.views_of(peer)) - {b.view for b in self.handed_out}

    @precondition(lambda self: self.intake.front.view > 1)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        view = data.draw(st.integers(0, self.intake.front.view // 2 - 1)) * 2
        self.intake.rewind(Front(view + 1, CHAIN[view // 2].hash), 1.0)
        self.handed_out = []

    @invariant()
    def nothing_is_lost(self) -> None:
        intake, ledger = self.intake, self.intake.ledger
        base = ledger.wanted.base
        assert ledger.front == intake.front.view and ledger.horizon == ledger.target == 100
        everything = ViewSet(base, [(ledger.front, 100)])
        assert ledger.wanted | ledger.in_flight | ledger.answered == everything
        assert not ledger.wanted & (ledger.in_flight | ledger.answered)
        still_open = [e.request.views for e in self.unanswered if not e.is_late]
        assert ledger.in_flight == ViewSet(base, map(ledger.clip, still_open))
        held = [view for run in intake.cache.held.runs(0, 100) for view in range(*run)]
        assert all(view in ledger.answered for view in held) and len(held) == intake.held_blocks
        assert intake.cache.memory <= max(20 * SIZE, intake.cache.handed_out * SIZE, SIZE)
        assert intake.is_wanting == bool(len(ledger.wanted))

    @invariant()
    def what_is_handed_out_links(self) -> None:
        below = self.intake.front.hash
        for block in self.handed_out:
            assert block.parent_hash == below
            below = block.hash


TestIntake = IntakeMachine.TestCase
