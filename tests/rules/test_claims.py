"""Claims, against plain sets of views."""
from typing import Dict, List, Set, Tuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from blockio_plugin.rules.claims import ClaimBook
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange, normalise

LAST = 60
PEERS = "abc"
RANGES = st.tuples(st.integers(0, LAST), st.integers(0, 20))


class ClaimsMachine(RuleBasedStateMachine):
    @initialize(base=st.integers(0, 10))
    def start(self, base: int) -> None:
        self.base = self.front = base
        self.book = ClaimBook(base)
        self.denied: Dict[str, Set[int]] = {}
        self.of_the_gone: Set[int] = set()

    @rule(
        peer=st.sampled_from(PEERS), views=RANGES, given=st.sets(st.integers(0, LAST + 20))
    )
    def add(self, peer: str, views: Tuple[int, int], given: Set[int]) -> None:
        start, length = views
        start = max(start, self.front)
        self.book.add(ViewRange(start, start + length), sorted(given), peer)
        mine = self.denied.setdefault(peer, set())
        mine |= set(range(start, start + length))
        mine -= given

    @rule(peer=st.sampled_from(PEERS), views=RANGES)
    def retract(self, peer: str, views: Tuple[int, int]) -> None:
        start, length = views
        start = max(start, self.front)
        self.book.retract(ViewRange(start, start + length), peer)
        self.denied.get(peer, set()).difference_update(range(start, start + length))

    @rule(peer=st.sampled_from(PEERS))
    def drop(self, peer: str) -> None:
        self.book.drop(peer)
        self.denied.pop(peer, None)

    @rule(peer=st.sampled_from(PEERS))
    def leave(self, peer: str) -> None:
        self.book.leave(peer)
        self.of_the_gone |= self.denied.pop(peer, set())

    @rule()
    def clear(self) -> None:
        self.book.clear()
        self.denied.clear()
        self.of_the_gone.clear()

    @rule(views=st.integers(0, 10))
    def advance(self, views: int) -> None:
        self.front = min(self.front + views, LAST)
        self.book.advance(self.front)
        for mine in (*self.denied.values(), self.of_the_gone):
            mine -= set(range(self.front))

    @rule()
    def rebase(self) -> None:
        self.base = self.front
        self.book.rebase(self.base)

    @invariant()
    def same(self) -> None:
        book, top = self.book, LAST + 21
        assert len(book) == len(self.denied)
        for view in range(self.front, top):
            assert set(book.deniers(view)) == {p for p, m in self.denied.items() if view in m}
        for start in range(self.front, top, 7):
            for stop in range(start, top, 9):
                self.compare(ViewRange(start, stop))
        every = set().union(self.of_the_gone, *self.denied.values())
        assert book.all_denied() == ViewSet(self.base, ((view, view + 1) for view in every))

    def compare(self, views: ViewRange) -> None:
        asked = set(range(*views))
        claimants: List[object] = [peer for peer, m in self.denied.items() if m & asked]
        assert list(self.book.claimants(views)) == claimants
        for peer in PEERS:
            mine = self.denied.get(peer)
            runs = normalise((view, view + 1) for view in asked & (mine or set()))
            assert self.book.denied_by(peer, views) == runs
            denies_all = mine is not None and asked <= mine
            assert self.book.denies_all(peer, views) == denies_all


TestClaims = ClaimsMachine.TestCase


def test_what_was_given_may_lie_outside_of_what_is_kept() -> None:
    book = ClaimBook(2 ** 40)
    views = ViewRange(2 ** 40, 2 ** 40 + 10)
    given = [0, 2 ** 40 - 1, 2 ** 40 + 4, 2 ** 40 + 10, 2 ** 62]
    book.add(views, given, "a")
    assert book.denied_by("a", views) == (
        ViewRange(2 ** 40, 2 ** 40 + 4),
        ViewRange(2 ** 40 + 5, 2 ** 40 + 10),
    )


def test_those_who_claimed_first_come_first() -> None:
    book = ClaimBook(0)
    for peer in "cab":
        book.add(ViewRange(0, 10), [], peer)
    assert book.deniers(5) == book.claimants(ViewRange(0, 10)) == ("c", "a", "b")
