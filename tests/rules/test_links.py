"""Gaps are closed by links alone, and blame falls on who was wrong."""
from typing import List

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.links import TAIL_TIME, Links
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange


class Scene:
    """Views 1 to 99 with a block at every tenth; three peers that cover all of them."""

    def __init__(self) -> None:
        self.chain: List[Block] = []
        parent = b"front"
        for view in range(10, 100, 10):
            self.chain.append(Block(view, view, b"%d" % view, parent, b"rlp"))
            parent = self.chain[-1].hash
        self.peers = PeerBook()
        for name in "abc":
            self.peers.join(name)
            self.peers.availability.advertise(name, 90, (ViewRange(0, 100),))
        self.ledger = Ledger(1)
        self.ledger.set_target(100)
        self.cache = BlockCache(1, b"front")
        self.links = Links(self.ledger, self.cache, self.peers)
        self.links.front_hash = b"front"

    def answer(self, peer: str, start: int, stop: int, *without: int) -> None:
        blocks = [b for b in self.chain if start <= b.view < stop and b.view not in without]
        self.ledger.answer(ViewRange(start, stop))
        fresh = self.cache.select_fresh(blocks)
        self.cache.add(fresh, peer)
        known = len(blocks) - len(fresh)
        self.links.answered(peer, ViewRange(start, stop), stop, blocks, known, 1.0)

    def faults(self) -> List[int]:
        return [score.faults for score in self.peers.scores.values()]


def test_a_link_proves_what_was_not_even_asked() -> None:
    scene = Scene()
    scene.answer("a", 1, 11)
    scene.answer("b", 20, 31)
    assert scene.ledger.is_answered(1, 31)
    assert scene.faults() == [0, 0, 0]


def test_an_advertised_head_is_asked_for_in_spite_of_claims() -> None:
    scene = Scene()
    scene.answer("a", 1, 41, 40)
    for held_or_not_asked in (30, 50, 100):
        scene.links.recheck_head(held_or_not_asked, 1.0)
    assert scene.ledger.is_answered(1, 41)
    scene.links.recheck_head(40, 1.0)
    assert list(scene.ledger.wanted.runs(1, 50)) == [ViewRange(40, 50)]
    table = scene.peers.availability
    assert not table.may_ask("a", 40, 1.0) and table.may_ask("b", 40, 1.0)
    # It was not found wrong yet.
    assert table.may_ask("a", 40, 1.0 + TAIL_TIME) and scene.faults() == [0, 0, 0]
    scene.answer("b", 40, 41)
    assert scene.ledger.is_answered(1, 41)


def test_a_gap_without_a_link_is_asked_again_of_others() -> None:
    scene = Scene()
    scene.answer("a", 1, 11)
    scene.answer("b", 11, 25, 20)
    scene.answer("c", 25, 41)
    assert scene.ledger.wanted.count(11, 30) == 19
    table = scene.peers.availability
    assert not table.may_ask("b", 20, 1.0)
    assert table.may_ask("a", 20, 1.0) and table.may_ask("c", 20, 1.0)
    # Nobody is to blame before a block that links turns up.
    assert scene.faults() == [0, 0, 0]
    scene.answer("a", 11, 30)
    assert scene.faults() == [0, 1, 0]
    assert scene.ledger.is_answered(1, 41)


def test_an_answer_whose_own_blocks_do_not_link_is_a_fault_at_once() -> None:
    scene = Scene()
    scene.answer("a", 1, 41, 20)
    assert scene.faults() == [1, 0, 0]
    assert scene.ledger.wanted.count(11, 30) == 19
    assert not scene.peers.availability.may_ask("a", 15, 1.0)
    scene.answer("b", 11, 30)
    # It was blamed already.
    assert scene.faults() == [1, 0, 0]


def test_an_honest_claim_beside_a_lie_is_not_blamed() -> None:
    scene = Scene()
    scene.answer("a", 1, 15)
    scene.answer("b", 15, 25, 20)
    scene.answer("c", 25, 41)
    scene.answer("c", 11, 30)
    assert scene.faults() == [0, 1, 0]


def test_a_block_of_another_branch_between_two_that_link_is_dropped() -> None:
    scene = Scene()
    foreign = Block(15, 15, b"foreign", b"elsewhere", b"rlp")
    scene.cache.add([foreign], "b")
    scene.ledger.answer(ViewRange(15, 16))
    scene.answer("a", 1, 16)
    scene.answer("a", 16, 41)
    assert 15 not in scene.cache
    assert scene.ledger.is_answered(1, 41)


def test_a_block_of_another_branch_that_came_first_gives_its_place_up() -> None:
    scene = Scene()
    # It has the parent that the block at 20 has, and lies above that one.
    foreign = Block(25, 25, b"foreign", b"10", b"rlp")
    scene.cache.add([foreign], "b")
    scene.ledger.answer(ViewRange(25, 26))
    scene.answer("a", 26, 41)
    scene.answer("a", 11, 25)
    assert 25 not in scene.cache
    scene.answer("a", 1, 11)
    assert scene.cache.take_ready(10, 100) == tuple(scene.chain[:4])


def test_what_a_disowned_peer_sent_gives_its_place_up() -> None:
    scene = Scene()
    foreign = Block(15, 15, b"foreign", b"10", b"rlp")
    scene.cache.add([foreign], "b")
    scene.answer("a", 16, 31)
    scene.links.disown("b", 5)
    scene.answer("a", 1, 16)
    assert scene.cache.take_ready(10, 100) == tuple(scene.chain[:3])


def test_what_only_a_dropped_block_proved_is_wanted_again() -> None:
    scene = Scene()
    scene.answer("a", 10, 11)
    scene.answer("a", 20, 26)
    scene.answer("a", 30, 31)
    assert scene.ledger.is_answered(10, 31)
    scene.links.drop((20,))
    # That 21 to 25 are empty was claimed besides.
    assert list(scene.ledger.wanted.runs(10, 31)) == [ViewRange(11, 21), ViewRange(26, 30)]
    scene.answer("b", 20, 21)
    assert scene.ledger.is_answered(10, 31)


def test_doubt_at_the_front_ends_when_all_agree() -> None:
    scene = Scene()
    scene.links.front_hash = b"another front"
    contested = None
    for name in "abcabcabc":
        if scene.peers.availability.may_ask(name, 10, 1.0):
            scene.answer(name, 1, 11)
        contested = scene.links.doubt_front(1.0)
    assert contested == 10
    assert 10 in scene.cache


def test_the_tail_is_asked_of_those_who_did_not_call_it_empty() -> None:
    scene = Scene()
    scene.answer("a", 1, 41)
    scene.answer("a", 41, 100, *range(41, 100))
    assert scene.links.recheck_tail(1.0)
    assert scene.ledger.wanted.count(31, 100) == 59
    assert not scene.peers.availability.may_ask("a", 95, 1.0)
    assert scene.peers.availability.may_ask("a", 95, 1.0 + TAIL_TIME)
    for name in "bc":
        scene.answer(name, 41, 100, *range(41, 100))
        scene.links.recheck_tail(1.0)
    assert not scene.links.recheck_tail(1.0)
    assert not scene.ledger.wanted.count(41, 100)


def test_the_tail_is_wanted_again_only_as_far_as_others_cover_it() -> None:
    scene = Scene()
    scene.peers.availability.advertise("b", 90, (ViewRange(0, 96),))
    scene.peers.availability.advertise("c", 20, (ViewRange(0, 30),))
    scene.answer("a", 1, 41)
    scene.answer("a", 41, 100, *range(41, 100))
    assert scene.links.recheck_tail(1.0)
    assert scene.ledger.wanted.count(31, 96) == 55
    assert scene.ledger.is_answered(96, 100)
    scene.answer("b", 41, 96, *range(41, 96))
    assert not scene.links.recheck_tail(1.0)
    assert not scene.ledger.wanted.count(31, 100)


def test_what_was_claimed_is_wanted_again_when_claims_are_forgotten() -> None:
    scene = Scene()
    scene.answer("a", 1, 31)
    scene.answer("a", 41, 100, *range(41, 100))
    scene.links.forget_claims()
    # What is proven, or holds a block, stays answered.
    assert scene.ledger.is_answered(1, 31)
    assert scene.ledger.wanted.count(31, 100) == 69
    assert not scene.links.claims.all_denied()


def test_what_is_disputed_below_the_front_is_forgotten() -> None:
    scene = Scene()
    scene.answer("a", 1, 41, 20)
    assert scene.links.disputed
    scene.links.advance(41, b"40")
    assert not scene.links.disputed


def test_who_disproves_itself_claims_no_more_what_it_hid() -> None:
    scene = Scene()
    # The block at 21 names a parent that is not the one at 19.
    scene.answer("a", 1, 41, 20)
    assert scene.faults() == [1, 0, 0]
    assert scene.links.claims.deniers(20) == ()
