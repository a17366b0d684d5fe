"""
Mutation check: with any one rule broken, the invariants or the progress that is promised break.

Each test breaks one rule in place and shows that a run of the simulator does not pass any more,
where the same run passes with the rule in place.
"""
from typing import Iterable

import pytest

from blockio_plugin.rules.exclusions import Exclusions
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.links import Links
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.invariants import InvariantBroken, check_invariants
from blockio_plugin.simulator.run import Run
from blockio_plugin.simulator.scenario import read_scenario

SCENARIO = read_scenario(
    {
        "chain": {"views": 600, "filled": [[0, 600, 0.6]]},
        "simulation": {"limit": 60.0},
        "peers": [
            {"count": 2, "rate": 100.0},
            {"rate": 100.0, "omits": 0.2},
            {"rate": 200.0, "silent_after": 0.5},
        ],
    },
    "mutations",
)

QUICK_LIAR = read_scenario(
    {
        "chain": {"views": 600, "filled": [[0, 600, 0.6]]},
        "simulation": {"limit": 60.0},
        "peers": [{"rate": 20.0}, {"rate": 1000.0, "omits": 0.5}],
    },
    "mutations",
)


def play() -> bool:
    run = Run(SCENARIO, 3, observer=lambda run: check_invariants(run.fetch, 0, run.now))
    return run.play().finished


def test_the_rules_pass() -> None:
    assert play()


def test_views_in_flight_must_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: Ledger, views: ViewRange) -> None:
        self.in_flight.add(*views)

    monkeypatch.setattr(Ledger, "take", take)
    with pytest.raises(InvariantBroken, match="a wanted view is in flight"):
        play()


def test_a_cut_answer_must_give_its_rest_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "want_again", lambda self, views: None)
    with pytest.raises(InvariantBroken, match="a view is lost"):
        play()


def test_a_gap_must_be_disproved_by_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Links, "_dispute", lambda self, gap, now: None)
    monkeypatch.setattr(Links, "_reopen", lambda self, views: None)
    # Without a block for long, all claims would be forgotten in the end.
    monkeypatch.setattr(Links, "forget_claims", lambda self: None)
    assert not play()


def test_claims_must_be_forgotten_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Links, "_dispute", lambda self, gap, now: None)
    monkeypatch.setattr(Links, "_reopen", lambda self, views: None)
    # All that was believed in spite of the links is asked for again.
    assert play()


def test_who_was_wrong_must_not_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def requests_to_the_liar() -> int:
        return Run(QUICK_LIAR, 3).play().peers[1].requests

    few = requests_to_the_liar()

    def add(self: Exclusions, views: ViewRange, until: float, now: float) -> None:
        """Leave out nothing."""

    monkeypatch.setattr(Exclusions, "add", add)
    assert requests_to_the_liar() > 10 * few


def test_time_outs_must_return_views_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def land(self: Ledger, views: ViewRange, still_open: Iterable[ViewRange]) -> None:
        self.in_flight = ViewSet(self.in_flight.base)

    monkeypatch.setattr(Ledger, "land", land)
    with pytest.raises(InvariantBroken):
        play()
