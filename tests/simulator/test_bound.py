"""The lower bound against brute force over all sets of classes."""
from itertools import combinations
from typing import List, Sequence, Tuple

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.simulator.bound import (
    DemandClass,
    Supply,
    least_time,
    link_supply,
    lower_bound,
    peer_supply,
    violated_cut,
)
from blockio_plugin.simulator.models import PeerModel
from blockio_plugin.simulator.scenario import read_scenario


def model(**values: object) -> PeerModel:
    return read_scenario({"peers": [values]}, "x").peers[0]


def brute_force(classes: Sequence[DemandClass], supplies: Sequence[Supply], link: Supply) -> float:
    """By the theorem of Gale: the worst set of classes against all that its suppliers give."""
    worst = 0.0
    for size in range(1, len(classes) + 1):
        for chosen in combinations(classes, size):
            suppliers = sorted(frozenset().union(*(item.suppliers for item in chosen)))
            blocks = sum(item.blocks for item in chosen)

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
    drawn: List[Tuple[int, frozenset]], peers: List[Tuple[float, float, float]], download: float
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
    document = {"client": {"download": 10.0}, "peers": [{"rtt": 1.0}, {"rtt": 0.5}]}
    document["simulation"] = {"jitter": 0.0}  # type: ignore[assignment]
    link = link_supply(read_scenario(document, "x"))
    assert link(0.5) == 0.0 and link(1.5) == pytest.approx(10.0)
