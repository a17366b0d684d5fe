"""What must arrive and when it can, against cases worked out by hand; no jitter, no overhead."""
from typing import Any, Dict

import pytest

from blockio_plugin.simulator.chaos import draw_chaos
from blockio_plugin.simulator.demand import MAX_OMITTERS, Demand, compute_bound, compute_demand
from blockio_plugin.simulator.network import Network
from blockio_plugin.simulator.run import simulate
from blockio_plugin.simulator.scenario import read_scenario


def document(*peers: Dict[str, Any], views: int, **chain: Any) -> Dict[str, Any]:
    models = [{"rate": 100.0, "rtt": 0.0, "overhead": 0.0, **peer} for peer in peers]
    return {
        "chain": {"views": views, **chain},
        "simulation": {"jitter": 0.0},
        "peers": models,
    }


def demand(*peers: Dict[str, Any], views: int, **chain: Any) -> Demand:
    scenario = read_scenario(document(*peers, views=views, **chain), "x")
    network = Network(scenario, 1)
    return compute_demand(scenario, network.chain, network.libraries)


def bound(*peers: Dict[str, Any], views: int, **chain: Any) -> float:
    scenario = read_scenario(document(*peers, views=views, **chain), "x")
    return compute_bound(scenario, demand(*peers, views=views, **chain))


def test_what_is_held_and_told_in_the_end_must_arrive() -> None:
    # The first has only the lower views in the end, the second tells of its own only later.
    peers: Any = (
        {"holds": [[0.0, [[0, 100]]], [5.0, [[0, 30]]]], "adverts": [[0, 100]]},
        {"holds": [[50, 100]], "adverts": [[0.0, []], [5.0, [[60, 100]]]]},
    )
    assert demand(*peers, views=100).views == {*range(30), *range(60, 100)}


@pytest.mark.parametrize(
    "fault", [{"forges": True}, {"lies": "empty"}, {"silent_after": 9.0}, {"loses": 1.0}]
)
def test_what_only_a_broken_peer_has_need_not_arrive(fault: Dict[str, Any]) -> None:
    peers = ({"holds": [[0, 50]]}, {"holds": [[40, 100]], **fault})
    assert demand(*peers, views=100).views == set(range(50))


def test_what_is_left_out_for_a_while_must_arrive_and_what_is_for_ever_need_not() -> None:
    assert len(demand({"omits": [0.5, 0.0, 9.0]}, views=200).views) == 200
    assert 50 < len(demand({"omits": 0.5}, views=200).views) < 150
    assert len(demand({"omits": 0.5}, {}, views=200).views) == 200


def test_blocks_that_are_born_must_arrive_where_the_last_view_is_held() -> None:
    grown: Any = {"grows": [2.0, 3]}
    assert demand({}, views=10, **grown).views == set(range(13))
    assert demand({"holds": [[0, 9]]}, views=10, **grown).views == set(range(9))


def test_no_block_arrives_before_it_is_born_and_has_come_half_a_round_trip() -> None:
    # The third is born at 6 s; the nearer of the two who hold it is 0.1 s away.
    peers = ({"rtt": 0.2}, {"rtt": 0.6}, {"rtt": 0.0, "holds": [[0, 9]]})
    assert bound(*peers, views=10, grows=[2.0, 3]) == pytest.approx(6.1)
    # Who forges brings nothing, however near it is.
    assert bound({"rtt": 0.2}, {"forges": True}, views=10, grows=[2.0, 3]) == pytest.approx(6.1)
    # 1000 blocks take 10 s, whatever is born meanwhile.
    assert bound({}, views=997, grows=[2.0, 3]) == pytest.approx(10.0)


def test_views_that_come_to_be_held_count_from_then_on() -> None:
    # The upper 500 blocks can be asked for once it is told that they are there: at 5 s, when the
    # lower ones have come. With 1 s of way there and back, the advert is here at 5.5 s, the request
    # there at 6 s, and 5 s later the last block leaves, to be here at 11.5 s.
    steps = [[0.0, [[0, 500]]], [5.0, [[0, 1000]]]]
    assert bound({"holds": steps}, views=1000) == pytest.approx(10.0)
    assert bound({"holds": steps, "rtt": 1.0}, views=1000) == pytest.approx(11.5)


def test_views_that_cease_to_be_held_count_until_then() -> None:
    # The first gives lower blocks until 2 s, 200, and 50 more if it turned to them just before.
    # The other 250 of the lower 500 come from the second alone, at 10 blocks/s.
    quick = {"holds": [[0.0, [[0, 1000]]], [2.0, [[500, 1000]]]], "max_blocks": 50}
    assert bound(quick, {"rate": 10.0}, views=1000) == pytest.approx(25.0)


def test_a_class_that_is_bounded_in_time_shares_its_supplier_with_the_others() -> None:
    # The 300 lower blocks are here at 3 s; the 300 upper ones cannot be asked for before 5 s, and
    # take 3 s more. Where another peer has them at all times, each brings one half.
    steps = [[0.0, [[0, 300]]], [5.0, [[0, 600]]]]
    assert bound({"holds": steps}, views=600) == pytest.approx(8.0)
    assert bound({"holds": steps}, {"holds": [[300, 600]]}, views=600) == pytest.approx(3.0)


def test_what_a_peer_leaves_out_is_up_to_those_who_have_it() -> None:
    # The first leaves out about half. The second has all, and alone what the first leaves out.
    tested = demand({"omits": 0.5}, {}, views=1000)
    classes = {supplied.suppliers: supplied.amount for supplied in tested.classes}
    alone, both = classes[frozenset({1})], classes[frozenset({0, 1})]
    assert alone + both == 1000 and 400 < alone < 600
    # A tenth as quick, the second takes as long as what it has alone takes.
    slow = {"rate": 10.0}
    assert bound({"omits": 0.5}, slow, views=1000) == pytest.approx(alone / 10.0)
    # Left out for a while, it may come from the first after all.
    assert len(demand({"omits": [0.5, 0.0, 9.0]}, {}, views=1000).classes) == 1


def test_of_very_many_who_leave_out_a_share_each_may_have_everything() -> None:
    peers = [{"omits": 0.5}] * (MAX_OMITTERS + 1)
    assert len(demand(*peers, {}, views=1000).classes) == 1
    assert len(demand(*peers[1:], {}, views=1000).classes) > 100


@pytest.mark.parametrize("seed", range(60))
def test_no_run_is_quicker_than_the_bound(seed: int) -> None:
    result = simulate(draw_chaos(seed)._replace(limit=100.0), seed)
    assert not result.finished or result.ratio >= 1.0
