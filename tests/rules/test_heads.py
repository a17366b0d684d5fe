from math import inf
from typing import Dict, List, NamedTuple, Optional, Tuple

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.rules.heads import BELIEF_TIME, Heads


def make_heads(own: int = 7) -> Heads:
    heads = Heads(BELIEF_TIME)
    heads.note_own(own, 0.0)
    return heads


def test_nobody_is_no_head() -> None:
    heads = make_heads()
    assert heads.target == 0
    assert not heads.is_reached(7, 0.0)


def test_the_highest_head_is_wanted_and_reached_at_its_view() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("bob", 9, 0.0)
    assert heads.target == 10
    assert not heads.is_reached(8, 0.0)
    assert heads.is_reached(9, 0.0)
    heads.leave("bob")
    assert heads.target == 8
    assert heads.is_reached(8, 0.0)


def test_genesis_alone_can_be_reached() -> None:
    heads = make_heads(0)
    heads.advertise("alice", 0, 0.0)
    assert heads.is_reached(0, 0.0)


def test_a_claim_of_which_nothing_comes_is_not_believed_for_long() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("liar", 10 ** 9, 0.0)
    assert not heads.is_reached(7, BELIEF_TIME - 1)
    # To say it again does not help.
    heads.advertise("liar", 10 ** 9 + 1, BELIEF_TIME - 1)
    assert heads.is_reached(7, BELIEF_TIME)
    # But it may be true: it is wanted as before.
    assert heads.target == 10 ** 9 + 2


def test_another_name_does_not_help() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    for second in range(100):
        heads.advertise(f"liar {second}", 10 ** 9, float(second))
        assert heads.is_reached(7, float(second)) == (second >= BELIEF_TIME)
        heads.leave(f"liar {second - 3}")


def test_blocks_above_the_others_heads_show_that_there_is_more() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("slow archive", 900, 0.0)
    for number in range(1, 10):
        now = 10.0 * number
        heads.note_own(7 + number, now)
        for later in (0.0, 9.9):
            assert not heads.is_reached(7 + number, now + later)
    assert heads.is_reached(16, 90.0 + BELIEF_TIME)
    heads.note_own(17, 200.0)
    assert not heads.is_reached(17, 200.0)


def test_blocks_that_the_others_get_as_well_show_nothing() -> None:
    """A liar that passes each new block on first, while the chain goes on."""
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("liar", 10 ** 9, 0.0)
    for number in range(1, 100):
        now = 13.0 * number
        heads.note_own(7 + number, now)
        heads.advertise("alice", 7 + number, now + 1.0)
        assert heads.is_reached(7 + number, now + 1.0) == (now + 1.0 >= BELIEF_TIME)


def test_blocks_that_the_others_had_before_show_nothing() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("liar", 10 ** 9, 0.0)
    for number in range(1, 100):
        now = 13.0 * number
        heads.advertise("alice", 7 + number, now)
        assert not heads.is_reached(6 + number, now)
        heads.note_own(7 + number, now + 1.0)
        assert heads.is_reached(7 + number, now + 1.0) == (now + 1.0 >= BELIEF_TIME)


def test_a_sync_that_gets_to_where_others_stand_may_go_on() -> None:
    heads = make_heads(0)
    heads.advertise("stuck", 0, 0.0)
    for peer, view in (("alice", 1000), ("archive", 2000)):
        heads.advertise(peer, view, 0.0)
    for view in range(10, 1001, 10):
        heads.note_own(view, float(view))
        assert not heads.is_reached(view, float(view))
    # The archive may have been busy.
    assert not heads.is_reached(1000, 1000.0 + BELIEF_TIME - 11)
    assert heads.is_reached(1000, 1000.0 + BELIEF_TIME)


def test_where_nobody_else_is_there_nothing_was_reached() -> None:
    heads = make_heads()
    heads.advertise("silent", 900, 0.0)
    heads.advertise("mute", 901, 0.0)
    assert not heads.is_reached(7, 1000.0)


def test_who_comes_where_nobody_is_is_believed_at_first() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.leave("alice")
    heads.advertise("stuck", 7, 1000.0)
    heads.advertise("bob", 900, 1001.0)
    assert not heads.is_reached(7, 1001.0)


def test_who_is_on_another_branch_is_not_ahead() -> None:
    heads = make_heads()
    heads.advertise("alice", 900, 0.0)
    heads.advertise("alice", None, 1.0)
    assert heads.target == 0
    assert heads.is_reached(7, 1.0)


def test_believed_for_good_where_we_cannot_tell() -> None:
    heads = Heads(inf)
    heads.note_own(7, 0.0)
    heads.advertise("alice", 7, 0.0)
    heads.advertise("bob", 900, 0.0)
    assert not heads.is_reached(7, 10.0 ** 9)


def test_who_left_is_forgotten() -> None:
    heads = make_heads()
    heads.advertise("alice", 900, 0.0)
    heads.leave("alice")
    heads.leave("alice")
    assert heads.target == 0
    assert not heads.is_reached(7, 1.0)


class Event(NamedTuple):
    """What happens after a pause (s): a claim, an honest advert or departure, our head's rise."""

    pause: float
    kind: str
    number: int


pauses = st.one_of(st.just(0.0), st.floats(0.001, 2 * BELIEF_TIME))

events = st.lists(
    st.builds(
        Event,
        pauses,
        st.sampled_from(("claim", "claim", "honest", "leave", "rise")),
        st.integers(0, 6),
    ),
    max_size=40,
)

starts = st.sampled_from((0.0, -1e4, 3600.0, 1e6))


class World:
    """Peers, the honest ones at or below our head, and claimants above it."""

    def __init__(self, start: float) -> None:
        self.now = start
        self.own = 10
        self.heads = Heads(BELIEF_TIME)
        self.heads.note_own(self.own, start)
        self.views: Dict[str, int] = {}
        self.risen_at = start
        """When our head rose, or the first peer came."""
        self.claims = 0

    def advertise(self, peer: str, view: int) -> None:
        if not self.views:
            self.risen_at = self.now
        self.views[peer] = view
        self.heads.advertise(peer, view, self.now)

    def leave(self, peer: str) -> None:
        if self.views.pop(peer, None) is not None:
            self.heads.leave(peer)

    def happen(self, event: Event) -> None:
        self.now += event.pause
        if event.kind == "claim":
            self.claims += 1
            # The same name again, or another one; higher each time.
            name = event.number if event.number else 100 + self.claims
            self.advertise(f"claimant {name}", self.own + 10 ** 6 + self.claims)
        elif event.kind == "honest":
            self.advertise(f"honest {event.number}", self.own - event.number)
        elif event.kind == "leave":
            self.leave(f"honest {event.number}")
        else:
            self.own += 1 + event.number
            self.risen_at = self.now
            self.heads.note_own(self.own, self.now)

    @property
    def is_reached(self) -> bool:
        return self.heads.is_reached(self.own, self.now)

    @property
    def others(self) -> List[int]:
        return [view for view in self.views.values() if view <= self.own]


@given(starts, events)
def test_where_nothing_came_for_a_while_the_head_is_reached(
    start: float, schedule: List[Event]
) -> None:
    world = World(start)
    for event in schedule:
        world.happen(event)
        if world.now >= world.risen_at + BELIEF_TIME + 1e-6 and world.views:
            assert world.is_reached == bool(world.others)


@given(starts, st.lists(st.tuples(st.floats(0.001, 12.0), events), min_size=1, max_size=40))
def test_while_others_keep_up_no_claim_keeps_us_from_the_head(
    start: float, schedule: List[Tuple[float, List[Event]]]
) -> None:
    world = World(start)
    world.advertise("keeper", world.own)
    for lag, between in schedule:
        # What happens between two blocks may be anything but a block.
        for event in between:
            if event.kind != "rise":
                world.happen(event)
        world.happen(Event(lag, "rise", 0))
        world.now += lag
        world.advertise("keeper", world.own)
        if world.now >= start + BELIEF_TIME + 1e-6:
            assert world.is_reached


@given(starts, st.lists(st.tuples(st.floats(0.001, BELIEF_TIME - 0.01), events), max_size=40))
def test_while_blocks_come_above_the_others_it_is_not_reached(
    start: float, schedule: List[Tuple[float, List[Event]]]
) -> None:
    world = World(start)
    world.advertise("archive", 10 ** 5)
    world.advertise("other", world.own)
    for gap, between in schedule:
        stop = world.now + gap
        for event in between:
            # Others may come and go, and claim; they have not got our highest block.
            if event.kind == "rise" or (event.kind, event.number) == ("honest", 0):
                continue
            if world.now + event.pause < stop:
                world.happen(event)
            assert not world.is_reached
        world.now = stop
        assert not world.is_reached
        world.happen(Event(0.0, "rise", 0))
        assert not world.is_reached


@given(events, st.sampled_from((3600.0, 2.0 ** 20, -(2.0 ** 16))))
def test_when_it_happens_does_not_matter(schedule: List[Event], shift: float) -> None:
    def run(start: float) -> List[Optional[bool]]:
        world = World(start)
        reached: List[Optional[bool]] = []
        for event in schedule:
            # Whole seconds, so that sums are exact at any origin.
            world.happen(event._replace(pause=float(round(event.pause))))
            reached.append(world.is_reached)
        return reached

    assert run(0.0) == run(shift)
