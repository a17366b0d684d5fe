"""Makes a network that fails a check smaller, as long as it fails the same check."""
from typing import Callable, Iterator, Tuple

from blockio_plugin.rules.views import ViewRange, normalise
from blockio_plugin.simulator.models import PeerModel, Scenario, ViewsStep, always
from blockio_plugin.simulator.trial import Verdict, judge

MOST_TRIALS = 400
"""Networks that are tried for one that fails, most."""

LEAST_VIEWS = 16
"""Views that a chain is not cut below: with fewer, nothing is left of what is to be seen."""

KEPT = ("name", "rate", "rtt", "holds", "adverts")
"""What each peer has; all else about it can be left out."""


def shrink(
    scenario: Scenario, verdict: Verdict, note: Callable[[Verdict], None]
) -> Tuple[Scenario, Verdict]:
    """
    The smallest network found that fails the check that ``verdict`` says ``scenario`` fails, and
    what it comes to. ``note`` is told of each smaller one.
    """
    trials, is_smaller = 0, True
    while is_smaller:
        is_smaller = False
        for candidate in _candidates(scenario):
            trials += 1
            if trials > MOST_TRIALS:
                return scenario, verdict
            found = judge(candidate, verdict.seed)
            if found.failed == verdict.failed:
                scenario, verdict, is_smaller = candidate, found, True
                note(found)
                break
    return scenario, verdict


def _candidates(scenario: Scenario) -> Iterator[Scenario]:
    """Networks with a little less, what takes away most first."""
    peers = scenario.peers
    for number in range(len(peers)):
        if len(peers) > 1:
            yield _with_peers(scenario, peers[:number] + peers[number + 1 :])
    if scenario.views // 2 >= LEAST_VIEWS:
        yield _halve(scenario)
    for bare in (
        scenario._replace(grows=None),
        scenario._replace(download=0.0),
        scenario._replace(window=0),
        scenario._replace(stalls=()),
        scenario._replace(restarts=()),
        scenario._replace(jitter=0.0),
        scenario._replace(decode=0.0),
        scenario._replace(sizes=()),
    ):
        if bare != scenario:
            yield bare
    for number, model in enumerate(peers):
        for simpler in _simpler_peers(model, scenario.views):
            yield _with_peers(scenario, (*peers[:number], simpler, *peers[number + 1 :]))


def _with_peers(scenario: Scenario, peers: Tuple[PeerModel, ...]) -> Scenario:
    named = tuple(model._replace(name=str(number)) for number, model in enumerate(peers, 1))
    return scenario._replace(peers=named)


def _simpler_peers(model: PeerModel, views: int) -> Iterator[PeerModel]:
    for key, value in PeerModel._field_defaults.items():
        if key not in KEPT and getattr(model, key) != value:
            yield model._replace(**{key: value})
    for rate in (model.rate[:1], model.rate[:-1]):
        if len(rate) < len(model.rate):
            yield model._replace(rate=rate)
    if model.adverts != model.holds:
        yield model._replace(adverts=model.holds)
    everything = always((ViewRange(0, views),))
    for holds in (everything, model.holds[:1], model.holds[:-1]):
        if holds and holds != model.holds and (holds == everything or len(model.holds) > 1):
            is_told = model.adverts == model.holds
            yield model._replace(holds=holds, adverts=holds if is_told else model.adverts)


def _halve(scenario: Scenario) -> Scenario:
    views = scenario.views // 2

    def cut(steps: Tuple[ViewsStep, ...]) -> Tuple[ViewsStep, ...]:
        return tuple(
            step._replace(
                ranges=normalise(
                    # What reaches past the end goes on to do so.
                    (start, stop if stop > scenario.views else min(stop, views))
                    for start, stop in step.ranges
                )
            )
            for step in steps
        )

    return scenario._replace(
        views=views,
        filled=tuple(
            item._replace(views=ViewRange(item.views.start, min(item.views.stop, views)))
            for item in scenario.filled
            if item.views.start < views
        ),
        peers=tuple(
            model._replace(holds=cut(model.holds), adverts=cut(model.adverts))
            for model in scenario.peers
        ),
    )
