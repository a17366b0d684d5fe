"""A refused block goes with what follows it, and comes back as another one or not at all."""
from typing import List

from blockio_plugin.rules.availability import EXCLUDED_TIME
from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.refusal import refuse
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.chain import BLOCK_RLP, GENESIS_HASH, make_chain

CHAIN = make_chain(list(range(0, 20, 2)))


class Scene:
    """Blocks at even views, all held and all but the last two handed out; peer a sent them."""

    def __init__(self) -> None:
        self.peers = PeerBook()
        for name in "ab":
            self.peers.join(name)
            self.peers.availability.advertise(name, 18, (ViewRange(0, 20),))
        self.ledger = Ledger(0)
        self.ledger.set_target(20)
        self.cache = BlockCache(0, GENESIS_HASH)
        self.ledger.answer(ViewRange(0, 20))
        self.cache.add(CHAIN, "a")
        assert self.cache.take_ready(8, 10 ** 6) == CHAIN[:8]

    def refuse(self, block: Block) -> object:
        return refuse(self.ledger, self.cache, self.peers, block.hash, 5.0)

    def ready(self) -> List[Block]:
        return list(self.cache.take_ready(100, 10 ** 6))


def test_it_and_what_follows_is_dropped_and_wanted_again() -> None:
    scene = Scene()
    assert scene.refuse(CHAIN[3]) == ("a",)
    assert scene.ledger.wanted == ViewSet(0, [(6, 19)])
    assert len(scene.cache) == scene.cache.handed_out == 3
    assert scene.cache.bytes == 3 * len(BLOCK_RLP)
    assert scene.ready() == []


def test_only_its_own_hash_is_not_taken_again() -> None:
    scene = Scene()
    scene.refuse(CHAIN[3])
    assert scene.cache.select_fresh(CHAIN[3:]) == list(CHAIN[4:])
    other = CHAIN[3]._replace(hash=b"other")
    following = CHAIN[4]._replace(parent_hash=b"other")
    scene.cache.add(scene.cache.select_fresh([other, following, *CHAIN[5:]]), "b")
    assert scene.ready() == [other, following, *CHAIN[5:]]


def test_its_sender_is_at_fault_and_not_asked_for_it_again() -> None:
    scene = Scene()
    scene.refuse(CHAIN[3])
    assert [score.faults for score in scene.peers.scores.values()] == [1, 0]
    table = scene.peers.availability
    assert not table.may_ask("a", 6, 4.9 + EXCLUDED_TIME)
    assert table.may_ask("a", 7, 5.0) and table.may_ask("b", 6, 5.0)


def test_another_block_with_the_same_parent_takes_its_place() -> None:
    scene = Scene()
    sibling = Block(7, 3, b"sibling", CHAIN[2].hash, BLOCK_RLP)
    scene.cache.add([sibling], "b")
    scene.refuse(CHAIN[3])
    # What is held need not be asked for.
    assert scene.ledger.wanted == ViewSet(0, [(6, 7), (8, 19)])
    assert scene.ready() == [sibling]


def test_that_other_block_may_lie_below_the_refused_one() -> None:
    scene = Scene()
    sibling = Block(5, 3, b"sibling", CHAIN[2].hash, BLOCK_RLP)
    scene.cache.add([sibling], "b")
    scene.refuse(CHAIN[3])
    assert scene.ready() == [sibling]
    scene = Scene()
    scene.cache.confirm(4)
    scene.cache.add([sibling], "b")
    scene.refuse(CHAIN[3])
    assert scene.ready() == [sibling]


def test_a_block_that_was_not_handed_out_is_only_remembered() -> None:
    scene = Scene()
    for block in (CHAIN[9], Block(50, 50, b"unknown", b"elsewhere", BLOCK_RLP)):
        assert scene.refuse(block) == ()
        assert scene.cache.is_rejected(block.hash)
    assert not scene.ledger.wanted and len(scene.cache) == 10
    assert scene.peers.scores["a"].faults == 0


def test_its_sender_may_be_gone() -> None:
    scene = Scene()
    scene.peers.leave("a")
    assert scene.refuse(CHAIN[0]) == ()
    assert scene.ledger.wanted == ViewSet(0, [(0, 19)])
    assert not len(scene.cache)
