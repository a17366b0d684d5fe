"""Where the times of a peer's answers come from: its way, what a request costs it, its speed."""
from math import ceil
from random import Random
from typing import Callable, List, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS
from blockio_plugin.rules.scoring import (
    FIRST_REQUESTS,
    OVERHEAD_FACTOR,
    PROBE_EVERY,
    PROBE_FACTOR,
    QUEUE_TIME,
    REQUEST_TIME,
)
from blockio_plugin.rules.service_model import FASTEST, LEAST_NOISE, ServiceModel

SAMPLES = 60
"""Answers after which a steady peer is known, whatever was believed of it before."""

CLOSE = 0.25
"""By how much of an answer's time its prediction may be wrong then."""


DRAWN = 400
"""Peers that are drawn: hypothesis would draw round numbers, where all is well."""

OFTEN = 10
"""Lone answers, or such as waited behind others, from which on that kind is foreseen."""


class Sample(NamedTuple):
    """One answer, as ``ServiceModel.observe`` is told of it."""

    time: float
    blocks: int
    is_lone: bool
    others: float


class Peer(NamedTuple):
    """A steady peer; seconds."""

    round_trip: float
    overhead: float
    seconds_per_block: float

    def answer(self, blocks: int, is_lone: bool) -> Sample:
        way = self.round_trip if is_lone else 0.0
        time = way + self.overhead + blocks * self.seconds_per_block
        return Sample(time, blocks, is_lone, 0.0)


PEERS = st.builds(
    Peer, st.floats(0.0, 3.0), st.floats(0.0, 1.0), st.floats(-4.0, 0.0).map(lambda x: 10 ** x)
)

ANYTHING = st.lists(
    st.builds(
        Sample,
        st.one_of(st.floats(0.0, 1e5), st.floats(-9.0, 5.0).map(lambda x: 10 ** x)),
        st.integers(1, MAX_ANSWER_BLOCKS),
        st.booleans(),
        st.one_of(st.just(0.0), st.floats(0.0, 1e5)),
    ),
    max_size=30,
)
"""Answers that no one peer gives, absurd ones among them."""

LONE = st.lists(st.booleans(), min_size=SAMPLES, max_size=SAMPLES)


def make(samples: List[Sample]) -> ServiceModel:
    model = ServiceModel(0.1, 0.01)
    for sample in samples:
        model.observe(*sample)
    return model


def size(model: ServiceModel, number: int, last: int) -> int:
    """Blocks that the planner asks for in the request of that number."""
    if number < len(FIRST_REQUESTS):
        return FIRST_REQUESTS[number]
    cost = model.sure_overhead
    if OVERHEAD_FACTOR * cost > QUEUE_TIME:
        cost += model.round_trip
    blocks = max(REQUEST_TIME, OVERHEAD_FACTOR * cost) / model.seconds_per_block
    blocks = max(1.0, min(blocks, MAX_ANSWER_BLOCKS))
    if model.is_vague and number % PROBE_EVERY == len(FIRST_REQUESTS):
        blocks = max(blocks, last) * PROBE_FACTOR
    return int(min(blocks, MAX_ANSWER_BLOCKS))


def play(model: ServiceModel, peer: Peer, lone: List[bool]) -> int:
    """Let the peer answer as many requests; the blocks of the last one."""
    last = 0
    for number, is_lone in enumerate(lone):
        last = size(model, number, last)
        model.observe(*peer.answer(last, is_lone))
    return last


def predict(model: ServiceModel, blocks: int, is_lone: bool) -> float:
    way = model.round_trip if is_lone else 0.0
    return way + model.overhead + blocks * model.seconds_per_block


def first_two(peer: Peer) -> ServiceModel:
    """The first requests are sent together, so the second waits behind the first."""
    small, large = FIRST_REQUESTS
    return make([peer.answer(small, True), peer.answer(large, False)])


def test_two_sizes_sent_together_tell_a_slow_peer_from_a_far_one() -> None:
    slow = first_two(Peer(0.1, 0.0, 0.1))
    assert slow.seconds_per_block == pytest.approx(0.1, rel=0.1)
    assert slow.round_trip < 0.2 and slow.overhead < 0.1
    far = first_two(Peer(2.0, 0.0, 0.01))
    assert far.round_trip == pytest.approx(2.0, rel=0.1)
    assert far.seconds_per_block < 0.02


def test_a_peer_costly_to_ask_is_told_by_its_third_answer() -> None:
    peer = Peer(0.1, 3.0, 1 / 60)
    model = first_two(peer)
    # The second took less than the first, so most of that was way or overhead.
    assert model.seconds_per_block < 3.0 / FIRST_REQUESTS[1] * 1.2
    model.observe(*peer.answer(2 * FIRST_REQUESTS[1], False))
    assert model.sure_overhead > 0.4 * peer.overhead
    assert model.seconds_per_block < 3 / 60
    for number in range(12):
        model.observe(*peer.answer(100 + number, number % 2 == 0))
    assert model.overhead == pytest.approx(3.0, rel=0.25)
    assert model.round_trip < 0.6


@pytest.mark.parametrize("queued", [0, 1, 2])
def test_a_far_peer_is_not_taken_for_costly(queued: int) -> None:
    peer = Peer(2.0, 0.0, 0.01)
    model = first_two(peer)
    for _ in range(10):
        model.observe(*peer.answer(15, True))
        for _ in range(queued):
            model.observe(*peer.answer(15, False))
        # Costly is who costs more than one request asks for.
        assert model.sure_overhead < REQUEST_TIME
    assert model.round_trip == pytest.approx(2.0, rel=0.1)
    assert model.seconds_per_block == pytest.approx(0.01, rel=0.25)


def test_what_is_overhead_and_what_speed_stays_open_while_all_have_one_size() -> None:
    peer = Peer(0.05, 0.5, 0.01)
    model = make([peer.answer(10, False)] * 5)
    assert model.is_vague
    model.observe(*peer.answer(80, False))
    assert not model.is_vague
    assert model.overhead == pytest.approx(0.5, rel=0.2)


def test_what_others_answers_took_of_our_full_link_is_no_time_of_the_peer() -> None:
    peer = Peer(0.1, 0.0, 0.01)
    model = make([peer.answer(blocks, False) for blocks in (8, 32, 15, 15, 15)])
    for blocks in (10, 30, 15, 20):
        own = peer.answer(blocks, False)
        model.observe(own.time + 0.4, blocks, False, 0.4)
    assert model.overhead < 0.02
    assert model.seconds_per_block == pytest.approx(0.01, rel=0.1)
    # What is left over is its own.
    for blocks in (10, 30, 15, 20, 10, 30):
        model.observe(blocks * 0.03 + 0.4, blocks, False, 0.4)
    assert model.seconds_per_block > 0.02


def draw_peer(random: Random) -> Peer:
    way = random.choice([0.0, random.uniform(0.0, 3.0), 3.0 * 10 ** random.uniform(-3.0, 0.0)])
    overhead = random.choice([0.0, random.uniform(0.0, 1.0), 10 ** random.uniform(-3.0, 0.0)])
    return Peer(way, overhead, 10 ** random.uniform(-4.0, 0.0))


def draw_samples(random: Random) -> List[Sample]:
    """Up to thirty answers of up to 10 s that no one peer gives."""
    return [
        Sample(
            random.choice([0.0, random.uniform(0.0, 10.0), 10 ** random.uniform(-9.0, 1.0)]),
            random.randint(1, MAX_ANSWER_BLOCKS),
            random.random() < 0.5,
            random.choice([0.0, 0.0, random.uniform(0.0, 10.0)]),
        )
        for _ in range(random.randint(1, 30))
    ]


def misses(model: ServiceModel, peer: Peer, random: Random) -> bool:
    """Whether it foresees answers badly when the peer has given some: lone ones, queued ones."""
    share = random.choice([0.0, 0.3, 1.0])
    lone = [number == 0 or random.random() < share for number in range(SAMPLES)]
    last = play(model, peer, lone)
    return any(
        predict(model, blocks, is_lone)
        != pytest.approx(peer.answer(blocks, is_lone).time, rel=CLOSE)
        for is_lone in (True, False)
        for blocks in (ceil(last / 2), last, min(2 * last, MAX_ANSWER_BLOCKS))
        if lone.count(is_lone) >= OFTEN
    )


def missed_share(begin: Callable[[Random], ServiceModel]) -> float:
    """Share of the drawn peers that are not known after as many answers."""
    missed = 0
    for seed in range(DRAWN):
        random = Random(seed)
        peer = draw_peer(random)
        missed += misses(begin(random), peer, random)
    return missed / DRAWN


def test_a_steady_peer_is_known_soon() -> None:
    assert missed_share(lambda random: ServiceModel(0.1, 0.01)) <= 0.03


def test_a_peer_that_changed_is_mostly_known_soon() -> None:
    """The share is what was measured, rounded up; it is not a promise."""
    assert missed_share(lambda random: make(draw_samples(random))) <= 0.25


@given(ANYTHING)
def test_nothing_is_ever_below_zero(samples: List[Sample]) -> None:
    model = ServiceModel(0.1, 0.01)
    for sample in samples:
        model.observe(*sample)
        assert min(model.round_trip, model.overhead, model.sure_overhead) >= 0
        assert model.seconds_per_block >= FASTEST
        assert model.overhead >= model.sure_overhead


@given(
    st.builds(Peer, st.floats(0.0, 3.0), st.floats(0.0, 1.0), st.floats(0.05, 1.0)),
    LONE,
    st.floats(1.0, 1000.0),
)
def test_the_model_knows_no_scale(peer: Peer, lone: List[bool], factor: float) -> None:
    # Far above the least times that it reckons with, in seconds.
    one, other = ServiceModel(0.1, 0.01), ServiceModel(0.1, 0.01)
    for number, is_lone in enumerate(lone):
        sample = peer.answer(10 + 7 * (number % 5), is_lone)
        one.observe(*sample)
        other.observe(*sample._replace(time=sample.time * factor))
        near = LEAST_NOISE * factor
        assert other.round_trip == pytest.approx(one.round_trip * factor, rel=0.01, abs=near)
        assert other.overhead == pytest.approx(one.overhead * factor, rel=0.01, abs=near)
        speed = one.seconds_per_block * factor
        assert other.seconds_per_block == pytest.approx(speed, rel=0.01)
        assert other.is_vague == one.is_vague


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_a_way_taken_for_slowness_is_found_out_by_answers_that_wait_behind_others(
    blocks: int
) -> None:
    """The peer gives few blocks at a time and is far; so far each was asked for on its own."""
    peer = Peer(1.4, 0.0, 1 / 270)
    near_and_slow = Peer(0.0, 0.0, 1.4 / blocks)
    model = make([near_and_slow.answer(blocks, True) for _ in range(50)])
    for number in range(5 * PROBE_EVERY):
        model.observe(*peer.answer(max(1, blocks - number % 2), number % PROBE_EVERY > 0))
    assert model.round_trip > 0.7
    assert predict(model, blocks, False) < 0.7


def test_jitter_is_noticed_where_the_way_seems_short() -> None:
    """Or what is late by chance would make it a slow peer, and the next answer a quick one."""
    chance = Random(1)
    model = make([Peer(0.05, 0.0, 0.02).answer(50, True)] * 20)
    speeds = []
    for _ in range(40):
        way = 1.7 * (1 + chance.uniform(-0.5, 0.5))
        model.observe(*Peer(way, 0.0, 0.004).answer(100, True))
        speeds.append(model.seconds_per_block)
    later = speeds[20:]
    assert max(later) < 3 * min(later)
