"""What must arrive and when it can, against cases worked out by hand; no jitter, no overhead."""
from itertools import product
from math import inf
from typing import Any, Dict, Iterator, List, Sequence, Set

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.chaos import draw_chaos
from blockio_plugin.simulator.demand import MAX_OMITTERS, Demand, compute_bound, compute_demand
from blockio_plugin.simulator.models import Scenario
from blockio_plugin.simulator.network import Arrived, Joined, Network
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


Schedule = Dict[str, List[ViewRange]]
"""What is asked of each peer, in this order, each as soon as the window lets it."""


def play_schedule(scenario: Scenario, schedule: Schedule) -> float:
    """When all blocks of a chain that is filled throughout are here; inf: never."""
    network = Network(scenario, 1)
    left = {peer: list(ranges) for peer, ranges in schedule.items()}
    held: Set[int] = set()
    joined: Set[str] = set()
    now, front, number = 0.0, 0, 0
    while front < scenario.views:
        for peer, ranges in left.items():
            while peer in joined and ranges and (
                not scenario.window or ranges[0].stop <= front + scenario.window
            ):
                views, number = ranges.pop(0), number + 1
                network.send(Request(number, peer, views, 512, now, inf), now)
        happened = network.advance(inf)
        if happened is None:
            return inf
        now, event = happened
        if isinstance(event, Joined):
            joined.add(event.peer)
        elif isinstance(event, Arrived):
            held.update(block.view for block in event.answer.blocks)
            while front in held:
                front += 1
    return now


def split(views: Sequence[int]) -> Iterator[List[ViewRange]]:
    """Each way of asking for ``views``, which ascend: in pieces that have no gap."""
    if not views:
        yield []
        return
    for length in range(1, len(views) + 1):
        first = views[:length]
        if first[-1] - first[0] != length - 1:
            break
        for rest in split(views[length:]):
            yield [ViewRange(first[0], first[-1] + 1), *rest]


def find_best(scenario: Scenario) -> float:
    """When all blocks are here under the best of all schedules, each peer asked in order."""
    names = [model.name for model in scenario.peers]
    best = inf
    for shares in product(names, repeat=scenario.views):
        ways = [
            list(split([view for view, share in enumerate(shares) if share == name]))
            for name in names
        ]
        for chosen in product(*ways):
            best = min(best, play_schedule(scenario, dict(zip(names, chosen))))
    return best


def drawn_bound(scenario: Scenario) -> float:
    network = Network(scenario, 1)
    demanded = compute_demand(scenario, network.chain, network.libraries)
    return compute_bound(scenario, demanded)


SMALL_PEERS = st.fixed_dictionaries(
    {
        "rtt": st.sampled_from([0.0, 0.1, 1.0]),
        "overhead": st.sampled_from([0.0, 0.05, 0.5]),
        "max_blocks": st.sampled_from([1, 2, 512]),
    },
    optional={"joins": st.just(0.3)},
)
IN_BLOCKS = st.fixed_dictionaries(
    {"rate": st.sampled_from([2.0, 10.0, [[0.0, 20.0], [0.4, 3.0]]])},
    optional={"bucket": st.just([1, 4.0])},
)
IN_BYTES = st.fixed_dictionaries(
    {"bytes_rate": st.sampled_from([2e6, 1e7, [[0.0, 2e7], [0.4, 3e6]]])},
    optional={"bucket": st.just([1e6, 4e6])},
)
SMALL_CLIENTS = st.fixed_dictionaries(
    {},
    optional={
        "window": st.sampled_from([1, 2, 3]),
        "decode": st.sampled_from([0.01, 0.2]),
        "link": st.sampled_from([3.0, 15.0]),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans(), SMALL_CLIENTS, st.integers(1, 4))
def test_no_schedule_of_a_small_network_beats_the_bound(
    data: st.DataObject, in_bytes: bool, client: Dict[str, Any], views: int
) -> None:
    # In bytes a block has 0.5 to 1.5 MB, so that answers are cut.
    rates = IN_BYTES if in_bytes else IN_BLOCKS
    peers = [{**data.draw(SMALL_PEERS), **data.draw(rates)} for _ in range(2)]
    link = client.pop("link", None)
    if link is not None:
        client["download_bytes" if in_bytes else "download"] = link * (1e6 if in_bytes else 1)
    chain = {"views": views, "bytes": [[0, views, 1e6]]}
    tested = read_scenario(
        {"chain": chain, "client": client, "simulation": {"jitter": 0.0}, "peers": peers}, "x"
    )
    assert drawn_bound(tested) <= find_best(tested)


@pytest.mark.parametrize(
    "peer, client, views, expected",
    [
        # Two answers of 0.5 s of overhead and two blocks of 0.1 s; and a third of one block.
        ({"rate": 10.0, "overhead": 0.5, "max_blocks": 2}, {}, 5, 3 * 0.5 + 5 * 0.1),
        # A window of one view: each block takes its way, its overhead and its work.
        ({"rate": 10.0, "overhead": 0.2, "rtt": 1.0}, {"window": 1}, 3, 3 * 1.3),
        # The first is here after 0.1 s; then they are decoded one after another.
        ({"rate": 10.0, "max_blocks": 1}, {"decode": 0.4}, 3, 0.1 + 3 * 0.4),
        # The third has been sent after 0.3 s, and takes 0.05 s of link and 0.01 s of decoding.
        ({"rate": 10.0, "max_blocks": 1}, {"download": 20.0, "decode": 0.01}, 3, 0.36),
        # The link takes longest, once the first has come to it.
        ({"rate": 10.0, "max_blocks": 1}, {"download": 5.0}, 3, 0.1 + 3 * 0.2),
        # A full bucket gives one at once, and then one in half a second.
        ({"rate": 1e6, "bucket": [1, 2.0], "max_blocks": 1}, {}, 3, 2 * 0.5),
    ],
)
def test_with_one_peer_the_bound_is_what_the_best_schedule_takes(
    peer: Dict[str, Any], client: Dict[str, Any], views: int, expected: float
) -> None:
    models = [{"overhead": 0.0, "rtt": 0.0, **peer}]
    tested = read_scenario(
        {
            "chain": {"views": views},
            "client": client,
            "simulation": {"jitter": 0.0},
            "peers": models,
        },
        "x",
    )
    assert drawn_bound(tested) == pytest.approx(expected, abs=1e-4)
    assert find_best(tested) == pytest.approx(expected, abs=1e-3)
