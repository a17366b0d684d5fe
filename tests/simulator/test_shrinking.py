"""A network that fails is made smaller as long as it fails in the same way."""
from typing import Any, List, Tuple

import pytest

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.simulator import trial
from blockio_plugin.simulator.scenario import read_scenario
from blockio_plugin.simulator.shrinking import LEAST_VIEWS, shrink
from blockio_plugin.simulator.trial import Verdict, judge


def test_what_does_not_matter_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # The rules are broken: they ask nobody who ever declined. All but one declining peer and a few
    # views has nothing to do with it.
    plan = Fetch.plan

    def sulk(self: Fetch, now: float) -> Tuple[Any, ...]:
        declined = any(score.declines for score in self.peers.scores.values())
        return () if declined else plan(self, now)

    monkeypatch.setattr(Fetch, "plan", sulk)
    monkeypatch.setattr(trial, "ALLOWANCE", 5.0)
    scenario = read_scenario(
        {
            "chain": {"views": 700, "filled": [[0, 700, 0.5]], "grows": [0.1, 5]},
            "client": {"window": 512, "download": 500.0},
            "simulation": {"stalls": [[0.1, 0.2]], "restarts": [0.5], "jitter": 1.0},
            "peers": [
                {"rate": [[0.0, 100.0], [1.0, 50.0]], "advert_every": 5.0},
                {"declines": [1.0, 0.0, 1.0], "holds": [[0.0, [[0, 700]]], [0.5, [[0, 600]]]]},
                {"lies": "empty", "overhead": 0.1},
            ],
        },
        "x",
    )
    before = judge(scenario, 1)
    assert before.failed == "finish"
    told: List[Verdict] = []
    smaller, after = shrink(scenario, before, told.append)
    assert after == told[-1] and after.failed == "finish"
    assert after._replace(cpu=0.0) == judge(smaller, 1)._replace(cpu=0.0)
    assert smaller.views < 2 * LEAST_VIEWS
    assert (smaller.grows, smaller.window, smaller.download) == (None, 0, 0.0)
    assert (smaller.stalls, smaller.restarts, smaller.jitter) == ((), (), 0.0)
    assert any(model.declines.share for model in smaller.peers) and len(smaller.peers) <= 2
    for model in smaller.peers:
        assert len(model.rate) == len(model.holds) == 1
        assert model.advert_every is None and not model.lies.share
