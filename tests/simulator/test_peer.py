"""Modelled peers answer when the scenario says they do."""
from random import Random
from typing import Optional

import pytest

from blockio_plugin.simulator.models import PeerModel, RateStep
from blockio_plugin.simulator.peer import PeerClock, serve_until
from blockio_plugin.simulator.scenario import read_scenario


def model(**values: object) -> PeerModel:
    return read_scenario({"peers": [{"overhead": 0.0, **values}]}, "x").peers[0]


def clock(**values: object) -> PeerClock:
    return PeerClock(model(**values), 0.0, Random(1))


def arrival(peer: PeerClock, now: float, blocks: int) -> Optional[float]:
    return peer.deliver(peer.work(peer.take(now), blocks))


def test_steps_of_the_rate_are_followed() -> None:
    steps = (RateStep(0.0, 100.0), RateStep(2.0, 10.0))
    assert serve_until(steps, 1.0, 50) == pytest.approx(1.5)
    assert serve_until(steps, 1.0, 110) == pytest.approx(3.0)
    assert serve_until(steps, 5.0, 10) == pytest.approx(6.0)


def test_requests_are_served_first_in_first_out() -> None:
    peer = clock(rate=100.0, rtt=0.2)
    assert arrival(peer, 0.0, 10) == pytest.approx(0.3)
    assert arrival(peer, 0.0, 10) == pytest.approx(0.4)
    assert arrival(peer, 5.0, 10) == pytest.approx(5.3)


def test_overhead_is_paid_for_each_request() -> None:
    peer = clock(rate=100.0, rtt=0.0, overhead=1.0)
    assert arrival(peer, 0.0, 0) == pytest.approx(1.0)
    assert arrival(peer, 0.0, 100) == pytest.approx(3.0)


def test_an_answer_waits_for_tokens() -> None:
    peer = clock(rate=1000.0, rtt=0.0, bucket=[100, 10])
    assert arrival(peer, 0.0, 100) == pytest.approx(0.1)
    # At 0.1 s there is 1 token; 49 more take 4.9 s.
    assert arrival(peer, 0.0, 50) == pytest.approx(0.15 + 49.5 / 10)


def test_a_silent_peer_does_not_answer() -> None:
    peer = clock(rate=100.0, rtt=0.2, silent_after=1.0)
    assert arrival(peer, 0.0, 50) == pytest.approx(0.7)
    assert arrival(peer, 0.0, 100) is None


def test_jitter_stays_within_bounds_and_never_overtakes() -> None:
    peer = PeerClock(model(rate=1e9, rtt=1.0), 0.5, Random(3))
    arrivals = [arrival(peer, 0.0, 1) for _ in range(100)]
    times = [time for time in arrivals if time is not None]
    assert times == sorted(times) and len(times) == 100
    assert 0.75 <= times[0] and times[-1] <= 1.25 + 1e-6


def test_a_peer_is_described_as_it_stands() -> None:
    peer = clock(rate=100.0, rtt=0.2, bucket=[50, 10], quota=[1, 4])
    assert peer.describe_from(3.0) == model(
        rate=100.0, rtt=0.2, bucket=[50, 10], quota=[1, 4], joins=3.0
    )
    for _ in range(3):
        turn = peer.take(3.0)
        assert peer.is_within_quota(turn)
        peer.work(turn, 25)
    # The third is sent by 3.85 s, when there are 5 tokens; 20 more take 2 s.
    described = peer.describe_from(4.0)
    assert described.joins == pytest.approx(5.85)
    assert described.bucket is not None and described.bucket.burst == pytest.approx(0.0)
    assert described.quota is not None and described.quota.burst == pytest.approx(3.75)
