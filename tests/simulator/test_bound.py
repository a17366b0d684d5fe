"""The lower bound against brute force over all sets of classes."""
from itertools import combinations
from typing import Any, Dict, FrozenSet, List, Sequence, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.simulator import bound
from blockio_plugin.simulator.bound import (
    DemandClass,
    Parcel,
    Supply,
    Window,
    least_time,
    link_supply,
    lower_bound,
    violated_cut,
)
from blockio_plugin.simulator.models import PeerModel
from blockio_plugin.simulator.scenario import read_scenario


def model(**values: Any) -> PeerModel:
    return read_scenario({"peers": [{"overhead": 0.0, **values}]}, "x").peers[0]


def peer_supply(model: PeerModel, jitter: float) -> Supply:
    return bound.peer_supply(model, jitter, Parcel(model.max_blocks))


def window_supply(model: PeerModel, jitter: float, window: Window) -> Supply:
    return bound.window_supply(model, jitter, window, Parcel(model.max_blocks))


def brute_force(classes: Sequence[DemandClass], supplies: Sequence[Supply], link: Supply) -> float:
    """By the theorem of Gale: the worst set of classes against all that its suppliers give."""
    worst = 0.0
    for size in range(1, len(classes) + 1):
        for chosen in combinations(classes, size):
            suppliers = sorted(frozenset().union(*(item.suppliers for item in chosen)))
            blocks = sum(item.amount for item in chosen)

            def together(time: float) -> float:
                return min(link(time), sum(supplies[peer](time) for peer in suppliers))

            worst = max(worst, least_time(together, blocks))
    return worst


CLASSES = st.lists(
    st.tuples(st.integers(1, 500), st.frozensets(st.integers(0, 3), min_size=1)),
    min_size=1,
    max_size=5,
)
PEERS = st.lists(
    st.tuples(st.floats(1, 500), st.floats(0, 0.5), st.floats(0, 3)), min_size=4, max_size=4
)


@given(CLASSES, PEERS, st.sampled_from([0.0, 40.0, 300.0]))
def test_newton_finds_what_brute_force_finds(
    drawn: List[Tuple[int, FrozenSet[int]]],
    peers: List[Tuple[float, float, float]],
    download: float,
) -> None:
    classes = [DemandClass(blocks, who) for blocks, who in drawn]
    supplies = [
        peer_supply(model(rate=rate, rtt=rtt, joins=joins), 0.1) for rate, rtt, joins in peers
    ]
    link: Supply = (lambda time: download * time) if download else (lambda time: float("inf"))
    expected = brute_force(classes, supplies, link)
    assert lower_bound(classes, supplies, link) == pytest.approx(expected, rel=1e-6)


def test_a_flow_that_carries_everything_has_no_violated_cut() -> None:
    classes = [DemandClass(10, frozenset({0})), DemandClass(10, frozenset({0, 1}))]
    assert violated_cut(classes, [10.0, 10.0], float("inf"), 1e-6) == frozenset()
    assert violated_cut(classes, [9.0, 100.0], float("inf"), 1e-6) == {0}
    assert violated_cut(classes, [100.0, 100.0], 19.0, 1e-6) == {0, 1}


def test_supply_is_the_integral_of_the_rate_less_the_way() -> None:
    supply = peer_supply(model(rate=[[0.0, 100.0], [2.0, 10.0]], rtt=1.0), 0.0)
    assert supply(1.0) == 0.0
    assert supply(2.0) == pytest.approx(100.0)
    assert supply(3.5) == pytest.approx(160.0)


def test_supply_ends_with_silence_or_leaving() -> None:
    silent = peer_supply(model(rate=100.0, rtt=1.0, silent_after=2.0), 0.0)
    assert silent(50.0) == pytest.approx(150.0)
    leaver = peer_supply(model(rate=100.0, rtt=1.0, joins=1.0, leaves=3.0), 0.0)
    assert leaver(50.0) == pytest.approx(100.0)


def test_a_bucket_bounds_the_supply_and_liars_supply_nothing() -> None:
    bucket = peer_supply(model(rate=1000.0, rtt=0.0, bucket=[50, 10]), 0.0)
    assert bucket(10.0) == pytest.approx(150.0)
    assert peer_supply(model(lies="empty"), 0.0)(9.0) == 0.0
    assert peer_supply(model(forges=True), 0.0)(9.0) == 0.0


def test_our_own_link_begins_when_the_first_block_can_be_here() -> None:
    document = {
        "client": {"download": 10.0},
        "peers": [{"rtt": 1.0}, {"rtt": 0.5}],
        "simulation": {"jitter": 0.0},
    }
    # The near one's first block is through its way, its overhead and its work at 0.512 s.
    link = link_supply(read_scenario(document, "x"), 1.0)
    assert link(0.512) == 0.0 and link(1.512) == pytest.approx(10.0)


def test_each_answer_costs_its_overhead() -> None:
    # Half a second, and ten blocks in a tenth of a second each: 10 blocks each 1.5 s, at best.
    supply = peer_supply(model(rate=10.0, rtt=0.0, overhead=0.5, max_blocks=10), 0.0)
    assert [supply(time) for time in (0.0, 0.5)] == [0.0, 0.0]
    assert [supply(time) for time in (1.5, 3.0, 15.0)] == pytest.approx([10.0, 20.0, 100.0])
    # No part of an answer counts, nor of a block: the fourth is under way for 1.25 s.
    assert supply(5.75) == 30.0 + 7.0
    # It may pay when it is slowest anyway: 67 answers cost as much as 335 blocks of 1,000.
    steps = [[0.0, 100.0], [10.0, 10.0]]
    supply = peer_supply(model(rate=steps, rtt=0.0, overhead=0.5, max_blocks=10), 0.0)
    assert supply(10.0) == 665.0


def test_a_quota_bounds_the_supply_by_its_answers() -> None:
    # 2 answers at once and one each second, 10 blocks in each.
    supply = peer_supply(model(rate=1000.0, rtt=0.0, quota=[1.0, 2], max_blocks=10), 0.0)
    assert supply(8.0) == pytest.approx(100.0)
    assert supply(0.005) == pytest.approx(5.0)


def test_who_lies_or_declines_for_a_while_supplies_what_was_turned_to_before() -> None:
    # 100 blocks until 1 s, then nothing until 3 s but 10 that it was asked for before.
    faults: List[Dict[str, Any]] = [{"lies": ["empty", 1.0, 3.0]}, {"declines": [1.0, 1.0, 3.0]}]
    for fault in faults:
        supply = peer_supply(model(rate=100.0, rtt=0.0, max_blocks=10, **fault), 0.0)
        assert [supply(time) for time in (1.0, 1.05, 2.0, 3.0, 4.0)] == pytest.approx(
            [100.0, 105.0, 110.0, 110.0, 210.0]
        )
    # Who does so from the first has turned to nothing before.
    supply = peer_supply(model(rate=100.0, rtt=0.0, lies=["empty", 0.0, 3.0]), 0.0)
    assert [supply(time) for time in (2.0, 3.0, 4.0)] == pytest.approx([0.0, 0.0, 100.0])
    # By chance it could give all the same.
    assert peer_supply(model(rate=100.0, rtt=0.0, declines=0.9), 0.0)(4.0) == pytest.approx(400.0)


def test_who_hears_nothing_from_the_first_supplies_once_a_request_gets_there() -> None:
    supply = peer_supply(model(rate=100.0, rtt=1.0, loses=[0.0, 3.0]), 0.0)
    # Asked at 3 s, there at 3.5 s, and the first second of blocks is here at 5 s.
    assert supply(4.0) == 0.0 and supply(5.0) == pytest.approx(100.0)
    # What is asked before it begins to hear nothing may keep it busy for as long as one likes.
    assert peer_supply(model(rate=100.0, rtt=0.0, loses=[1.0, 3.0]), 0.0)(3.0) == 300.0


def test_a_window_bounds_what_a_peer_gives_of_some_views() -> None:
    peer = model(rate=100.0, rtt=1.0, max_blocks=20)
    supply = window_supply(peer, 0.0, Window(2.0, None))
    assert supply(2.5) == 0.0 and supply(4.5) == pytest.approx(200.0)
    # 20 blocks may be under way when it ceases to hold them.
    supply = window_supply(peer, 0.0, Window(2.0, 3.0))
    assert [supply(time) for time in (3.5, 3.6, 9.0)] == pytest.approx([100.0, 110.0, 120.0])


def test_limits_of_a_class_are_kept_beside_those_of_its_suppliers() -> None:
    # One supplier of 100 blocks/s; of the first class it gives nothing before 3 s.
    classes = [
        DemandClass(100, frozenset({0}), {0: lambda time: 100.0 * max(0.0, time - 3.0)}),
        DemandClass(100, frozenset({0})),
    ]
    supplies: List[Supply] = [lambda time: 100.0 * time]
    assert lower_bound(classes, supplies, lambda time: float("inf")) == pytest.approx(4.0)
    assert lower_bound(classes[1:], supplies, lambda time: float("inf")) == pytest.approx(1.0)
