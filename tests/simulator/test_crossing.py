"""How long blocks take through a window, against cases worked out by hand; no jitter."""
from math import inf
from typing import Any, Dict, List

import pytest

from blockio_plugin.simulator.bound import Supply
from blockio_plugin.simulator.crossing import cross_window
from blockio_plugin.simulator.models import Scenario
from blockio_plugin.simulator.scenario import read_scenario

ENDLESS: Supply = lambda time: inf
"""Of somebody who has brought whatever is asked for at any time."""


def network(*peers: Dict[str, Any], **client: Any) -> Scenario:
    models: List[Dict[str, Any]] = [{"overhead": 0.0, **peer} for peer in peers]
    return read_scenario(
        {"client": client, "simulation": {"jitter": 0.0}, "peers": models}, "x"
    )


def test_each_block_has_a_place_for_its_way_its_overhead_and_its_work() -> None:
    # 1.0 s there and back, 0.2 s of overhead, 0.1 s of work, 0.25 s on our link and 0.05 s of
    # decoding: 100 times 1.6 s in 8 places.
    tested = network({"rtt": 1.0, "overhead": 0.2, "rate": 10.0}, download=4.0, decode=0.05)
    assert cross_window(tested, [ENDLESS], 100, 100, 8) == pytest.approx(100 * 1.6 / 8)


def test_it_begins_when_the_first_peer_is_there() -> None:
    tested = network({"rtt": 1.0, "rate": 10.0, "joins": 7.0})
    assert cross_window(tested, [ENDLESS], 100, 100, 8) == pytest.approx(7.0 + 100 * 1.1 / 8)


def test_those_who_take_least_bring_all_they_can_and_others_the_rest() -> None:
    # The near one has a place for 0.1 s for each of 10 blocks in a second, the far one for 1.1 s.
    # In 10 places and 6.5 s: 65 of the near one (6.5), the other 53 of the far one (58.3).
    near: Supply = lambda time: 10.0 * time
    tested = network({"rtt": 1.0, "rate": 10.0}, {"rtt": 0.0, "rate": 10.0})
    expected = 118 * 1.1 / (10 + 10 * (1.1 - 0.1))
    assert cross_window(tested, [ENDLESS, near], 118, 118, 10) == pytest.approx(expected)
    # Alone it is bound by what it brings.
    assert cross_window(network({"rtt": 0.0, "rate": 10.0}), [near], 118, 118, 10) == (
        pytest.approx(11.8)
    )


def test_in_bytes_each_block_takes_the_nearest_way_and_each_byte_the_quickest_work() -> None:
    # 50 blocks take 0.4 s each, 10,000 bytes a ten-thousandth of a second each.
    peers = ({"rtt": 0.4, "bytes_rate": 1e3}, {"rtt": 0.9, "bytes_rate": 1e4})
    tested = network(*peers)
    found = cross_window(tested, [ENDLESS, ENDLESS], 50, 10_000, 5)
    assert found == pytest.approx((50 * 0.4 + 10_000 / 1e4) / 5)
