"""The cache against a model: links, order, bounds, and what is dropped."""
from typing import Dict, List

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from blockio_plugin.rules.block_cache import MAX_REJECTED, BlockCache
from blockio_plugin.rules.blocks import Block


def make(view: int, parent: bytes, name: bytes = b"") -> Block:
    return Block(view, view, name or b"%d" % view, parent, bytes(10))


CHAIN = [make(view, b"%d" % (view - 1) if view > 1 else b"front") for view in range(1, 61)]


class CacheMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.cache = BlockCache(1, b"front")
        self.held: Dict[int, Block] = {}
        self.handed_out: List[Block] = []
        self.front = 1

    @rule(start=st.integers(0, 59), count=st.integers(1, 12))
    def add(self, start: int, count: int) -> None:
        blocks = [block for block in CHAIN[start : start + count] if block.view >= self.front]
        fresh = self.cache.select_fresh(blocks)
        assert fresh == [block for block in blocks if block.view not in self.held]
        self.cache.add(fresh, "peer")
        self.held.update((block.view, block) for block in fresh)

    @rule(view=st.integers(1, 60))
    def evict(self, view: int) -> None:
        if view in self.held and view > self.cache.tip[0]:
            assert self.cache.supplier(view) == "peer"
            assert self.cache.remove(view) == self.held.pop(view)

    @rule(most=st.integers(1, 20), size=st.integers(1, 100))
    def take(self, most: int, size: int) -> None:
        expected: List[Block] = []
        view = self.front + len(self.handed_out)
        while view in self.held and len(expected) < most and len(expected) * 10 + 10 <= size:
            expected.append(self.held[view])
            view += 1
        ready = self.cache.take_ready(most, size)
        # One block is handed out however large it is.
        if not expected and self.front + len(self.handed_out) in self.held:
            expected = [self.held[self.front + len(self.handed_out)]]
        assert list(ready) == expected
        self.handed_out.extend(ready)

    @precondition(lambda self: self.handed_out)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.handed_out)))
        last = self.handed_out[count - 1]
        assert self.cache.confirm(last.view) == last
        for block in self.handed_out[:count]:
            del self.held[block.view]
        del self.handed_out[:count]
        self.front = last.view + 1

    @precondition(lambda self: self.handed_out)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.handed_out) - 1))
        self.cache.take_back(self.handed_out[index])
        del self.handed_out[index:]

    @invariant()
    def same(self) -> None:
        assert len(self.cache) == len(self.held)
        assert self.cache.bytes == 10 * len(self.held)
        assert self.cache.handed_out == len(self.handed_out)
        held = [view for run in self.cache.held.runs(0, 100) for view in range(*run)]
        assert held == sorted(self.held)
        assert self.cache.highest() == max(self.held, default=None)
        following = self.front + len(self.handed_out)
        assert self.cache.has_ready == (following in self.held)


TestCache = CacheMachine.TestCase


def test_blocks_of_another_branch_are_passed_by_and_dropped() -> None:
    cache = BlockCache(1, b"front")
    cache.add([make(1, b"front"), make(2, b"elsewhere", b"foreign"), make(3, b"1")], "a")
    assert [block.view for block in cache.take_ready(10, 1000)] == [1, 3]
    cache.confirm(3)
    assert len(cache) == 0 and cache.bytes == 0 and not cache.held


def test_siblings_take_the_place_of_a_block_that_was_removed() -> None:
    cache = BlockCache(1, b"front")
    siblings = [make(view, b"front", b"sibling%d" % view) for view in (2, 3, 4)]
    cache.add([make(1, b"front"), *siblings], "a")
    cache.remove(1)
    cache.remove(3)
    assert cache.take_ready(10, 1000) == (siblings[0],)
    cache.take_back(siblings[0])
    cache.remove(2)
    assert cache.take_ready(10, 1000) == (siblings[2],)
    cache.take_back(siblings[2])
    cache.remove(4)
    assert not cache.has_ready
    cache.add([siblings[1]], "b")
    assert cache.take_ready(10, 1000) == (siblings[1],)


def test_a_sibling_of_what_was_passed_is_found_when_the_other_branch_is_followed() -> None:
    cache = BlockCache(1, b"front")
    fork = [make(1, b"front"), make(2, b"1"), make(4, b"1", b"other"), make(5, b"other")]
    cache.add(fork, "a")
    cache.take_ready(10, 1000)
    cache.confirm(2)
    cache.restart(2, b"1")
    assert [block.view for block in cache.take_ready(10, 1000)] == [4, 5]


def test_a_block_below_its_parent_does_not_keep_the_place_of_its_child() -> None:
    cache = BlockCache(1, b"front")
    cache.add([make(1, b"2", b"foreign"), make(2, b"front"), make(3, b"2")], "a")
    assert [block.view for block in cache.take_ready(10, 1000)] == [2]
    cache.confirm(2)
    assert [block.view for block in cache.take_ready(10, 1000)] == [3]


def test_refused_hashes_are_remembered_within_a_bound() -> None:
    cache = BlockCache(1, b"front")
    for number in range(MAX_REJECTED + 1):
        cache.remember_rejected(b"%d" % number)
    assert not cache.is_rejected(b"0") and cache.is_rejected(b"1")
    refused = make(5, b"4", b"%d" % MAX_REJECTED)
    assert cache.select_fresh([refused, make(6, b"5", b"fine")]) == [make(6, b"5", b"fine")]


def test_a_restart_keeps_what_was_not_handed_out() -> None:
    cache = BlockCache(1, b"front")
    cache.add(CHAIN[:3] + CHAIN[10:12], "a")
    cache.take_ready(2, 1000)
    cache.restart(0, b"fork")
    assert [view for run in cache.held.runs(0, 100) for view in range(*run)] == [3, 11, 12]
    assert cache.tip == (-1, b"fork")
