"""Reasons for idleness that do not hold are found out."""
from typing import Any, Dict

import pytest

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.simulator.run import Run
from blockio_plugin.simulator.scenario import read_scenario
from blockio_plugin.simulator.truth import Untrue, check_idle_reason


def play(until: float, *peers: Dict[str, Any], views: int = 1000) -> Run:
    """A run up to a time."""
    document = {"chain": {"views": views}, "simulation": {"start": 0.0}, "peers": list(peers)}
    run = Run(read_scenario(document, "x"), 1)
    run.begin()
    while run.time < until:
        run.step()
    return run


def reason(run: Run) -> str:
    return str(run.fetch.status(run.now).idle_reason)


NOBODY = {"joins": 90.0}
HONEST = {"rate": 50.0}
UPPER = {"rate": 500.0, "holds": [[500, 1000]]}


@pytest.mark.parametrize(
    "until, peers, said",
    [
        (0.0, [NOBODY], "no peers"),
        (60.0, [UPPER], "no peer covers view 0"),
        (1.0, [HONEST], "waiting for views"),
        (60.0, [{"lies": "empty"}], "answered empty, unproven|found wrong|slow or declines"),
        (25.0, [HONEST], "None"),
    ],
)
def test_what_is_so_may_be_said(until: float, peers: Any, said: str) -> None:
    run = play(until, *peers)
    assert any(part in reason(run) for part in said.split("|")), reason(run)
    check_idle_reason(run)


@pytest.mark.parametrize(
    "until, peers, false",
    [
        (0.0, [NOBODY], None),
        (0.0, [NOBODY], "no peer covers view 0"),
        (60.0, [UPPER], None),
        (60.0, [UPPER], "no peers"),
        (
            60.0,
            [UPPER],
            "every peer that covers view 0 was asked, and what they say of it does not fit",
        ),
        (60.0, [UPPER], "every peer that covers view 0 is slow or declines; waiting"),
        (1.0, [HONEST], "no peers"),
        (1.0, [HONEST], "no peer covers view 40"),
        (1.0, [HONEST], "waiting for views 0-900 from 4 peers for 0.1 s"),
        (1.0, [HONEST], "views 0-999 were answered empty, unproven"),
        (1.0, [HONEST], "something else"),
        (60.0, [UPPER], "views 0-499 were answered empty, unproven"),
        (60.0, [HONEST], "no peers"),
        (60.0, [{"rate": 1.0}], "every peer that covers view 500 was asked and found wrong"),
        (60.0, [{"declines": 1.0}], "every peer that covers view 0 was asked and found wrong"),
        (60.0, [{"rate": 1.0}], "the block at view 900 does not follow ours below view 500"),
    ],
)
def test_what_is_not_so_may_not_be_said(
    until: float, peers: Any, false: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = play(until, *peers)
    status = Fetch.status
    monkeypatch.setattr(
        Fetch, "status", lambda self, now: status(self, now)._replace(idle_reason=false)
    )
    with pytest.raises(Untrue):
        check_idle_reason(run)


def test_whom_we_wait_for_and_how_long_must_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run = play(1.0, HONEST)
    said = reason(run)
    assert "from 1 peer for" in said
    status = Fetch.status
    for false in (said.replace("1 peer", "2 peers"), said.replace("peer for ", "peer for 7")):
        monkeypatch.setattr(
            Fetch, "status", lambda self, now: status(self, now)._replace(idle_reason=false)
        )
        with pytest.raises(Untrue):
            check_idle_reason(run)
