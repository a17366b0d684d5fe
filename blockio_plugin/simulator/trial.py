"""
One network played and judged: the invariants after every event, and what must hold in the end.

After some time no fault begins or ends any more; liars that stay liars are none. From then on what
honest peers have must arrive soon. Nobody has to be told that time: the scenario shows it.
"""
from math import inf
from typing import AbstractSet, FrozenSet, List, NamedTuple, Optional, Sequence

from blockio_plugin.rules.messages import MAX_ANSWER_BYTES
from blockio_plugin.rules.requests import MAX_UNANSWERED
from blockio_plugin.rules.scoring import MAX_PAUSE
from blockio_plugin.simulator.demand import Demand, compute_bound, compute_demand
from blockio_plugin.simulator.invariants import check_empty_views, check_invariants
from blockio_plugin.simulator.models import (
    MEAN_BLOCK_BYTES,
    NEVER,
    PeerModel,
    RateStep,
    Scenario,
    Spell,
    always,
)
from blockio_plugin.simulator.network import Network
from blockio_plugin.simulator.run import Run
from blockio_plugin.simulator.truth import check_idle_reason

MOST_FACTOR = 3.0
"""How many times the bound the rest may take, once the faults have stopped."""

ALLOWANCE = MAX_PAUSE
"""Seconds that it may take besides: whoever failed until then may be let alone for so long."""

REQUESTS_PER_BLOCK = 4
"""Requests for each block that arrives, most."""

REQUESTS_PER_MINUTE = 20
"""Requests to each peer and begun minute besides, most."""

CPU_PER_REQUEST = 0.3e-3
"""CPU seconds of the rules per request, most, in the median of runs: other work on the machine
disturbs single ones."""

IDLE_PLAY = 60.0
"""Seconds to look on after the faults have stopped, where nothing is left that could arrive."""

LOOK_TIME = 1.0
"""Seconds between two looks at what the fetch says about itself, while it moves."""

LOOK_GROWTH = 1.25
"""A look at all views takes long: there are so many more events before the next one each time."""


class Verdict(NamedTuple):
    """
    What came of a trial. ``failed``: which check, or None; ``reason``: figures. ``quiet``: when the
    faults stopped; ``bound``: the least time of the rest from then; ``factor``: what it took, times
    the bound, 0 where nothing was left. Times in seconds.
    """

    seed: int
    failed: Optional[str]
    reason: str
    seconds: float
    quiet: float
    bound: float
    factor: float
    blocks: int
    requests: int
    cpu: float

    def __str__(self) -> str:
        state = "ok" if self.failed is None else f"FAILED {self.failed}: {self.reason}"
        return (
            f"seed {self.seed}: {state} ({self.seconds:.1f} s, faults until {self.quiet:.1f} s, "
            f"bound from there {self.bound:.1f} s, {self.factor:.2f} times that; "
            f"{self.blocks} blocks, {self.requests} requests, {self.cpu:.2f} s of CPU)"
        )


class _Failed(Exception):
    """A check failed. Its name, and figures."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(check, reason)
        self.check = check
        self.reason = reason


def quiet_after(scenario: Scenario) -> float:
    """When (s) the last fault of the network begins or ends; what goes on for ever is none."""
    times = [0.0, *scenario.births, *scenario.restarts]
    times.extend(stall.start + stall.length for stall in scenario.stalls)
    for model in scenario.peers:
        times.append(model.joins)
        times.extend(step.time for step in model.rate)
        times.extend(step.time for step in (*model.holds, *model.adverts))
        times.extend(time for time in (model.leaves, model.silent_after) if time is not None)
        for spell in (model.lies, model.omits, model.loses, model.declines):
            if spell.share:
                times.extend(time for time in (spell.start, spell.stop) if time < inf)
    return max(times)


def settle(scenario: Scenario, peers: Optional[Sequence[PeerModel]] = None) -> Scenario:
    """
    The network as it is once it is quiet, with those peers alone that are honest, live and answer.

    A peer's rate is what can be had of it: each request costs its overhead, and so many requests
    may be open. Each message takes its mean time.

    :param peers: all peers as they stand when it is quiet; None: as if they had done nothing yet
    """
    quiet = quiet_after(scenario)
    settled_peers: List[PeerModel] = []
    for model in scenario.peers if peers is None else peers:
        settled = model._replace(
            joins=quiet if peers is None else max(quiet, model.joins),
            holds=always(model.holds[-1].ranges),
            adverts=always(model.adverts[-1].ranges),
            lies=_lasting(model.lies),
            omits=_lasting(model.omits),
            loses=_lasting(model.loses),
            declines=_lasting(model.declines),
        )
        if (
            settled.is_honest
            and settled.is_answering
            and settled.leaves is None
            and settled.holds == settled.adverts
        ):
            most = _measure_answer(scenario, model.max_blocks)
            rate = RateStep(0.0, _usable_rate(settled, most))
            settled_peers.append(settled._replace(rate=(rate,)))
    return scenario._replace(peers=tuple(settled_peers), jitter=0.0)


def _lasting(spell: Spell) -> Spell:
    return spell if spell.stop == inf else NEVER


def _mean_sizes(scenario: Scenario) -> List[float]:
    """The mean sizes of blocks anywhere in the chain, as the scenario counts."""
    if not scenario.in_bytes:
        return [1.0]
    return [sizes.mean for sizes in scenario.sizes] or [MEAN_BLOCK_BYTES]


def _measure_answer(scenario: Scenario, blocks: int) -> float:
    """What an answer of so many blocks comes to where they are smallest."""
    most = MAX_ANSWER_BYTES if scenario.in_bytes else inf
    return min(blocks * min(_mean_sizes(scenario)), most)


def _usable_rate(model: PeerModel, most: float) -> float:
    """What may be had of it in a second; ``most``: in an answer."""
    rate = 1 / (1 / model.rate[-1].rate + model.overhead / most)
    if model.quota is not None:
        rate = min(rate, model.quota.rate * most)
    return min(rate, MAX_UNANSWERED * most / model.rtt if model.rtt else inf)


def least_rest(scenario: Scenario, seed: int) -> float:
    """The bound (s) of all that arrives from settled peers alone, once it is quiet."""
    network, settled = Network(scenario, seed), settle(scenario)
    demand = compute_demand(settled, network.chain, network.libraries)
    return max(0.0, compute_bound(settled, demand) - quiet_after(scenario))


class Trial:
    """A scenario and a seed, to be judged."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._scenario = scenario
        self._seed = seed
        self._quiet = quiet_after(scenario)
        self._bound = self._factor = 0.0
        self._looked_at = -LOOK_TIME
        self._events = 0
        self._next_full_look = 16.0
        self._run = Run(scenario, seed, observer=self._watch)

    def judge(self) -> Verdict:
        """Play it, and tell what came of it."""
        run = self._run
        failed, reason = None, ""
        try:
            self._play()
        except _Failed as failure:
            failed, reason = failure.check, failure.reason
        except Exception as error:
            # Whatever the rules raise is what is looked for.
            failed, reason = type(error).__name__, str(error)
        return Verdict(
            self._seed,
            failed,
            reason,
            run.time,
            self._quiet,
            self._bound,
            self._factor,
            run.arrived,
            run.requests,
            run.cpu,
        )

    def _play(self) -> None:
        run = self._run
        run.begin()
        while run.time < self._quiet and not self._has_all:
            run.step()
        if not self._has_all:
            self._play_rest()
        check_empty_views(run.fetch)
        check_idle_reason(run)
        honest = {model.name for model in self._scenario.peers if model.is_honest}
        if run.banned & honest:
            raise _Failed("dropped", f"{sorted(run.banned & honest)} are honest")

    @property
    def _has_all(self) -> bool:
        """Whether the whole chain is here, and linked."""
        return self._run.confirmed == len(self._run.network.chain.blocks)

    def _play_rest(self) -> None:
        """From when it is quiet until what honest peers have is here."""
        run = self._run
        # What a peer was asked before it is at first, be it wanted still or not.
        settled = settle(self._scenario, run.network.describe_peers(run.time))
        expected = self._find_expected(settled)
        rest = expected - self._held(expected)
        demand = self._demand(settled, rest)
        self._bound = compute_bound(settled, demand) - self._quiet if rest else 0.0
        begun = run.time
        most = MOST_FACTOR * self._bound + (ALLOWANCE if rest else IDLE_PLAY)
        run.require(expected)
        while not (self._has_all or (rest and self._has(expected))):
            if run.time > begun + most:
                if not rest:
                    return
                left = len(expected - self._held(expected))
                raise _Failed(
                    "finish",
                    f"{left} of {len(rest)} blocks did not come in {run.time - begun:.1f} s; "
                    f"{run.fetch.status(run.now).idle_reason}",
                )
            run.step()
        if self._bound:
            self._factor = (run.time - begun) / self._bound

    def _demand(self, settled: Scenario, views: AbstractSet[int]) -> Demand:
        chain = self._run.network.chain
        left = tuple(block for block in chain.blocks if block.view in views)
        return compute_demand(settled, chain._replace(blocks=left), self._run.network.libraries)

    def _find_expected(self, settled: Scenario) -> FrozenSet[int]:
        """The views of the blocks that somebody has who is to be believed."""
        chain, front = self._run.network.chain, self._run.fetch.front.view
        views = [block.view for block in chain.blocks if block.view >= front]
        given = self._demand(settled, frozenset(views)).views
        if not self._scenario.window:
            return given
        # Nothing past the window is asked for while something below it is nowhere to be had.
        held = given | self._held(frozenset(views))
        stop = front
        for view in views:
            if view not in held:
                break
            stop = view + 1
        return frozenset(view for view in given if view < stop + self._scenario.window)

    def _held(self, views: AbstractSet[int]) -> FrozenSet[int]:
        """Those of ``views`` whose blocks are here."""
        fetch = self._run.fetch
        return frozenset(
            view for view in views if view < fetch.front.view or view in fetch.cache
        )

    def _has(self, expected: FrozenSet[int]) -> bool:
        return self._run.finished and self._held(expected) == expected

    def _watch(self, run: Run) -> None:
        """After each event."""
        check_invariants(run.fetch, self._scenario.window, run.now)
        self._events += 1
        if self._events >= self._next_full_look:
            self._next_full_look *= LOOK_GROWTH
            check_empty_views(run.fetch)
        if run.time >= self._looked_at + LOOK_TIME or not run.open:
            self._looked_at = run.time
            check_idle_reason(run)
        minutes = run.joined + run.peer_seconds / 60.0
        most = REQUESTS_PER_BLOCK * run.arrived + REQUESTS_PER_MINUTE * minutes
        done = run.requests - len(run.fetch.peers.tracker)
        if done > most:
            raise _Failed("requests", f"{done} where {most:.0f} are the most")


def judge(scenario: Scenario, seed: int) -> Verdict:
    """Play a network, and tell what came of it."""
    return Trial(scenario, seed).judge()
