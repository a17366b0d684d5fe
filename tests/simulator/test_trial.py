"""A trial finds what is wrong, and only that."""
from typing import Any, Dict, Sequence, Tuple

import pytest

from blockio_plugin.rules.block_cache import BlockCache
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.simulator import trial
from blockio_plugin.simulator.models import Scenario
from blockio_plugin.simulator.scenario import read_scenario
from blockio_plugin.simulator.trial import judge, least_rest, quiet_after, settle


def network(*peers: Dict[str, Any], views: int = 400, **tables: Any) -> Scenario:
    tables["chain"] = {"views": views, **tables.get("chain", {})}
    tables["simulation"] = {"start": 0.0, **tables.get("simulation", {})}
    return read_scenario({"peers": list(peers), **tables}, "x")


@pytest.mark.parametrize(
    "peer, tables, quiet",
    [
        ({}, {}, 0.0),
        ({"joins": 3.0}, {}, 3.0),
        ({"leaves": 4.0}, {}, 4.0),
        ({"silent_after": 5.0}, {}, 5.0),
        ({"rate": [[0.0, 5.0], [6.0, 9.0]]}, {}, 6.0),
        ({"holds": [[0.0, []], [7.0, [[0, 5]]]]}, {}, 7.0),
        ({"adverts": [[0.0, []], [8.0, [[0, 5]]]]}, {}, 8.0),
        ({"lies": ["empty", 1.0, 9.0]}, {}, 9.0),
        ({"omits": [0.1, 1.0, 10.0]}, {}, 10.0),
        ({"loses": [1.0, 11.0]}, {}, 11.0),
        ({"declines": [0.1, 12.0, float("inf")]}, {}, 12.0),
        ({"lies": "empty"}, {}, 0.0),
        ({}, {"simulation": {"stalls": [[3.0, 10.0]]}}, 13.0),
        ({}, {"simulation": {"restarts": [14.0]}}, 14.0),
        ({}, {"chain": {"grows": [5.0, 3]}}, 15.0),
    ],
)
def test_it_is_quiet_after_the_last_change(peer: Any, tables: Any, quiet: float) -> None:
    assert quiet_after(network(peer, **tables)) == quiet


def test_the_settled_network_has_what_is_to_be_relied_on() -> None:
    settled = settle(
        network(
            {"joins": 2.0, "loses": [0.0, 9.0], "holds": [[0.0, []], [5.0, [[0, 50]]]]},
            {"lies": "empty"},
            {"lies": ["empty", 0.0, 8.0], "rate": [[0.0, 5.0], [1.0, 50.0]]},
            {"leaves": 3.0},
            {"silent_after": 0.0},
            {"omits": 0.1},
            {"declines": [1.0, 2.0, float("inf")]},
            {"adverts": [[0, 10 ** 9]]},
            {"forges": True},
            {"hint_error": 5},
        )
    )
    assert [model.name for model in settled.peers] == ["1", "3"]
    first, third = settled.peers
    assert first.joins == third.joins == 9.0
    assert first.holds == ((0.0, ((0, 50),)),)
    assert not first.loses.share and third.is_honest
    # 20 ms for a block, and 2 ms for a request of 512.
    assert third.rate[0].rate == pytest.approx(1 / (0.02 + 0.002 / 512))


def test_the_rest_is_what_takes_longest_once_it_is_quiet() -> None:
    # 400 blocks at 50 blocks/s, whoever else was there before; and nothing where nobody stays.
    late = {"rate": 50.0, "rtt": 0.0, "overhead": 0.0, "joins": 7.0}
    assert least_rest(network(late, {"leaves": 3.0}), 1) == pytest.approx(8.0)
    assert least_rest(network({"leaves": 3.0}, client={"download": 5.0}), 1) == 0.0


def test_what_a_peer_is_at_when_it_is_quiet_comes_first() -> None:
    scenario = network({"rate": 50.0, "rtt": 0.0, "overhead": 0.0}, {"joins": 7.0, "leaves": 8.0})
    busy = scenario.peers[0]._replace(joins=11.0)
    (settled,) = settle(scenario, [busy, scenario.peers[1]]).peers
    assert settled.joins == 11.0
    idle = scenario.peers[0]._replace(joins=2.0)
    (settled,) = settle(scenario, [idle, scenario.peers[1]]).peers
    assert settled.joins == 8.0


def test_a_rate_that_takes_more_open_requests_than_there_may_be_does_not_count() -> None:
    # 32 requests of 2 blocks each may be under way at a time, and each takes 4 s.
    (model,) = settle(network({"rate": 1000.0, "rtt": 4.0, "max_blocks": 2})).peers
    assert model.rate[0].rate == pytest.approx(16.0)


def test_a_network_without_faults_passes() -> None:
    verdict = judge(network({}, {}), 1)
    assert verdict.failed is None and verdict.blocks == 400
    assert verdict.quiet == 0.0 and verdict.bound == pytest.approx(2.1, rel=0.02)
    assert 1.0 <= verdict.factor < 1.5
    assert "seed 1: ok" in str(verdict)


def test_what_nobody_has_is_not_waited_for() -> None:
    verdict = judge(network({"holds": [[0, 100], [200, 400]]}), 1)
    assert verdict.failed is None and verdict.blocks == 300
    verdict = judge(network({"silent_after": 0.5}), 1)
    assert verdict.failed is None and verdict.factor == 0.0


def test_past_the_window_nothing_is_waited_for_while_a_block_is_nowhere_to_be_had() -> None:
    tested = network({"holds": [[0, 100], [101, 400]]}, client={"window": 64})
    verdict = judge(tested, 1)
    # Views 100 to 163 may be held; that at 100 is missing.
    assert verdict.failed is None and verdict.blocks == 163


def test_the_window_moves_on_once_in_a_round_trip_at_best() -> None:
    # Each of 400 blocks has one of 64 places for 2 s. (Its own work adds 0.1 ms.)
    tested = network(
        {"rtt": 2.0, "rate": 1e4, "overhead": 0.0},
        client={"window": 64},
        simulation={"jitter": 0.0},
    )
    assert judge(tested, 1).bound == pytest.approx(2.0 * 400 / 64, rel=1e-4)


def test_a_chain_that_does_not_come_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Fetch.plan

    def ask_no_more(self: Fetch, now: float) -> Tuple[Any, ...]:
        return plan(self, now) if now < 1.0 else ()

    monkeypatch.setattr(Fetch, "plan", ask_no_more)
    verdict = judge(network({}), 1)
    assert verdict.failed == "finish" and "blocks did not come" in verdict.reason
    assert verdict.seconds > trial.ALLOWANCE


def test_a_block_that_is_lost_again_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    # It came, and was counted; but the cache never takes it.
    add = BlockCache.add

    def add_others(self: BlockCache, blocks: Sequence[Block], peer: PeerID) -> None:
        add(self, [block for block in blocks if block.view != 200], peer)

    monkeypatch.setattr(BlockCache, "add", add_others)
    monkeypatch.setattr(trial, "ALLOWANCE", 5.0)
    monkeypatch.setattr(trial, "check_empty_views", lambda fetch: None)
    assert judge(network({}), 1).failed in ("finish", "requests")


def test_too_many_requests_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "REQUESTS_PER_BLOCK", 0)
    monkeypatch.setattr(trial, "REQUESTS_PER_MINUTE", 1)
    verdict = judge(network({}), 1)
    assert verdict.failed == "requests" and "2 where 1 are the most" in verdict.reason


def test_an_honest_peer_that_is_dropped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise Offence("tested")

    monkeypatch.setattr("blockio_plugin.simulator.run.check_answer", refuse)
    assert judge(network({"leaves": 1.0}), 1).failed == "dropped"


def test_whatever_the_rules_raise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*arguments: object) -> None:
        raise KeyError("tested")

    monkeypatch.setattr(Fetch, "receive", stumble)
    verdict = judge(network({}), 1)
    assert (verdict.failed, verdict.reason) == ("KeyError", "'tested'")


def test_a_false_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    status = Fetch.status
    monkeypatch.setattr(
        Fetch, "status", lambda self, now: status(self, now)._replace(idle_reason="no peers")
    )
    assert judge(network({}), 1).failed == "Untrue"
