"""
One run: the production fetch rules against a modelled network, in virtual time.

The harness stands where the receiver and the importer stand in a node: it checks each answer, drops
a peer whose blocks do not verify, and confirms blocks as soon as they link.
"""
import gc
from math import inf
from random import Random
from time import thread_time
from typing import AbstractSet, Callable, Dict, List, Optional, Set, Tuple

from blockio_plugin.rules.answers import check_answer
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import ViewRanges
from blockio_plugin.simulator.chain import GENESIS_HASH
from blockio_plugin.simulator.demand import compute_bound, compute_demand
from blockio_plugin.simulator.invariants import InvariantBroken
from blockio_plugin.simulator.models import Scenario
from blockio_plugin.simulator.network import (
    Advertised,
    Arrived,
    Event,
    Grown,
    Joined,
    Left,
    Network,
    Restarted,
    to_tick,
)
from blockio_plugin.simulator.result import Delays, Delivery, PeerResult, Result, ScoreSample, Trace

READY_BLOCKS = 1_000_000
"""Blocks that the harness takes at once, most: as many as there are."""

READY_BYTES = 2 ** 40
"""Bytes that the harness takes at once, most."""


LATEST_START = 30 * 24 * 3600.0
"""Seconds that the rules' clock reads at the beginning, most, where the scenario does not say."""

MOST_STEPS = 10_000
"""Steps of a run at one moment, most: with more, the rules want to be called without end."""


Observer = Callable[["Run"], None]
"""Looks at a run after every event."""


class TimeStandsStill(AssertionError):
    """The rules want to be called again and again at the same moment."""


class Run:
    """
    A scenario and a seed, played to the end.

    Two clocks run: ``time`` since the beginning, in which scenarios and results are written, and
    what the rules are told, ``now``, which begins anywhere.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        observer: Optional[Observer] = None,
        traced: bool = False,
    ) -> None:
        self.scenario = scenario
        self._seed = seed
        self.models = {model.name: model for model in scenario.peers}
        self.network = Network(scenario, seed)
        self._demand = compute_demand(scenario, self.network.chain, self.network.libraries)
        self._missing: Set[int] = set(self._demand.views)
        self._observer = observer
        self._traced = traced
        drawn = Random(f"{seed}/start").uniform(0.0, LATEST_START)
        self._start = to_tick(drawn if scenario.start is None else scenario.start)
        self.time = 0.0
        """Seconds since the beginning."""
        self._steps_at_once = 0
        self.adverts: Dict[str, ViewRanges] = {}
        """What each connected peer advertised last, as far as we were told."""
        self.open: Dict[int, Request] = {}
        """What was asked and is neither answered nor late nor lost, by request id."""
        self.answered: Set[int] = set()
        """The ids of all requests that were answered since the last restart."""
        self.banned: Set[str] = set()
        """Peers that we dropped."""
        self._requests: Dict[str, int] = dict.fromkeys(self.models, 0)
        self._blocks: Dict[str, int] = dict.fromkeys(self.models, 0)
        self._bytes: Dict[str, int] = dict.fromkeys(self.models, 0)
        self._last_score: Dict[str, float] = dict.fromkeys(self.models, 0.0)
        self._duplicates = self._timeouts = self._max_in_flight = self._max_held = 0
        self.requests = 0
        """Requests sent."""
        self.arrived = 0
        """Blocks that arrived and were not held."""
        self.confirmed = 0
        """Blocks that arrived and link, from the first one on."""
        self.peer_seconds = 0.0
        """Seconds of all connections together."""
        self.joined = 0
        """Connections made, those after a restart included."""
        self._delays: Dict[int, float] = {}
        self.cpu = 0.0
        """CPU seconds spent in the rules."""
        self.plan_cpu = 0.0
        """CPU seconds spent in deciding what to ask."""
        self._deliveries: List[Delivery] = []
        self._samples: List[ScoreSample] = []
        self._restarts = 0
        self.fetch = self._make_fetch(Front(0, GENESIS_HASH))

    def _make_fetch(self, front: Front) -> Fetch:
        random = Random(f"{self._seed}/{self._restarts}" if self._restarts else self._seed)
        return Fetch(front=front, limits=Limits(window=self.scenario.window), random=random)

    @property
    def now(self) -> float:
        """What the rules' clock reads (s)."""
        return self._start + self.time

    def compute_bound(self) -> float:
        """The lower bound of this scenario and chain (s)."""
        return compute_bound(self.scenario, self._demand)

    @property
    def missing(self) -> Set[int]:
        """The views whose blocks have not arrived yet, of those that must."""
        return self._missing

    @property
    def finished(self) -> bool:
        """Whether all that must arrive is here."""
        return not self._missing

    def require(self, views: AbstractSet[int]) -> None:
        """From now on, these views alone must arrive."""
        self._missing &= views

    def begin(self) -> None:
        """Want the whole chain."""
        self._want(self.scenario.views)

    def play(self) -> Result:
        """Run to the end, or to the scenario's limit."""
        self.begin()
        # The whole chain of the modelled peers is in memory. To look through it for cycles again
        # and again is no work of the rules, and would be counted as theirs.
        gc.freeze()
        while not self.finished and self.time < self.scenario.limit:
            self.step()
        gc.unfreeze()
        return self.result()

    def result(self) -> Result:
        """What the run came to so far."""
        bound = self.compute_bound()
        status = self.fetch.status(self.now)
        for peer in status.peers:
            self._last_score[str(peer.peer)] = peer.score or 0.0
        honest = {name for name, model in self.models.items() if model.is_honest}
        return Result(
            finished=self.finished,
            seconds=self.time,
            lower_bound=bound,
            ratio=self.time / bound if bound else 1.0,
            blocks=self.arrived,
            bytes=sum(self._bytes.values()),
            duplicates=self._duplicates,
            requests=self.requests,
            timeouts=self._timeouts,
            max_in_flight=self._max_in_flight,
            max_held=self._max_held,
            honest_banned=len(self.banned & honest),
            unavailable=status.unserviceable,
            cpu_seconds=self.cpu,
            delays=Delays.of(list(self._delays.values())),
            peers=tuple(
                PeerResult(
                    name,
                    self._requests[name],
                    self._blocks[name],
                    self._bytes[name],
                    self._last_score[name],
                    name in self.banned,
                )
                for name in self.models
            ),
        )

    @property
    def trace(self) -> Trace:
        """What happened, where the run is traced."""
        return Trace(tuple(self._deliveries), tuple(self._samples), self.network.chain)

    def _timed(self, call: Callable[[], object]) -> None:
        start = thread_time()
        call()
        self.cpu += thread_time() - start

    def step(self) -> None:
        """
        Come to the next thing that reaches us, or to when the rules want to be called, and do all
        that is to be done then: take in what came, give up on what is late, ask for more.
        """
        before = self.time
        wake_at = self._wake_at()
        happened = self.network.advance(wake_at)
        if happened is None and wake_at == inf:
            self.time = self.scenario.limit
            return
        due = wake_at if happened is None else happened[0]
        self.time = max(before, self._awake_at(due))
        self.peer_seconds += len(self.adverts) * (self.time - before)
        happened = happened or self.network.advance(self.time)
        while happened is not None:
            self._happen(*happened)
            happened = self.network.advance(self.time)
        self._expire()
        self._plan()
        if self._observer is not None:
            self._observer(self)
        self._steps_at_once = self._steps_at_once + 1 if self.time == before else 0
        if self._steps_at_once > MOST_STEPS:
            raise TimeStandsStill(f"{MOST_STEPS} steps at {self.time} s")

    def _wake_at(self) -> float:
        start = thread_time()
        wake_at = self.fetch.wake_at(self.now)
        self.cpu += thread_time() - start
        return inf if wake_at is None else to_tick(max(0.0, wake_at - self._start))

    def _awake_at(self, time: float) -> float:
        """When our loop next runs, at ``time`` or after it."""
        for start, length in self.scenario.stalls:
            if start <= time < start + length:
                time = to_tick(start + length)
        return time

    def _happen(self, time: float, event: Event) -> None:
        """Something reached us at ``time``: now, or while our loop stood still."""
        if isinstance(event, Arrived):
            if event.peer in self.adverts:
                self._receive(event, time if event.wire_time is None else event.wire_time)
        elif isinstance(event, Joined):
            self._join(event, time)
        elif isinstance(event, Advertised):
            if event.peer in self.adverts:
                self._advertise(event.peer, event.ranges, time)
        elif isinstance(event, Left):
            self._leave(event.peer, time)
        elif isinstance(event, Grown):
            self._want(event.stop)
        else:
            self._restart(event, time)

    def _want(self, target: int) -> None:
        self._timed(lambda: self.fetch.set_target(target))

    def _join(self, joined: Joined, time: float) -> None:
        self.joined += 1
        self._timed(lambda: self.fetch.join(joined.peer, self._start + time))
        self._advertise(joined.peer, joined.ranges, time)

    def _advertise(self, name: str, ranges: ViewRanges, time: float) -> None:
        self.adverts[name] = ranges
        head = ranges[-1].stop - 1 if ranges else 0
        self._timed(lambda: self.fetch.advertise(name, head, ranges, self._start + time))

    def _leave(self, name: str, time: float) -> None:
        if self.adverts.pop(name, None) is not None:
            for peer in self.fetch.status(self.now).peers:
                if peer.peer == name:
                    self._last_score[name] = peer.score or 0.0
            self._timed(lambda: self.fetch.leave(name, self._start + time))
            self.open = {
                number: request for number, request in self.open.items() if request.peer != name
            }

    def _ban(self, name: str, time: float) -> None:
        self.banned.add(name)
        self.network.drop(name)
        self._leave(name, time)

    def _restart(self, restarted: Restarted, time: float) -> None:
        """What was imported is kept, and nothing else."""
        self._restarts += 1
        front, target = self.fetch.front, self.fetch.ledger.target
        self.fetch = self._make_fetch(front)
        self._want(target)
        self._missing.update(view for view in self._demand.views if view >= front.view)
        self.adverts.clear()
        self.open.clear()
        self.answered.clear()
        for joined in restarted.peers:
            self._join(joined, time)

    def _receive(self, arrived: Arrived, time: float) -> None:
        name, request, answer, _ = arrived
        if self.models[name].forges and answer.blocks:
            # Their bodies do not match their headers: production's receiver drops the peer for it.
            self._ban(name, time)
            return
        start = thread_time()
        message = answer.message
        try:
            check_answer(request, message, answer.blocks)
            receipt = self.fetch.receive(
                name,
                request.request_id,
                message.covered,
                message.next_view,
                answer.blocks,
                self._start + time,
            )
        except Offence:
            self._ban(name, time)
            return
        ready = self.fetch.ready(READY_BLOCKS, READY_BYTES)
        if ready:
            self.fetch.confirm(ready[-1].view)
        self.cpu += thread_time() - start
        self._confirm(ready)
        self.answered.add(request.request_id)
        # A peer answers in order: what it was asked before and has not answered is lost.
        self.open = {
            number: asked
            for number, asked in self.open.items()
            if asked.peer != name or number > request.request_id
        }
        self._blocks[name] += len(receipt.fresh)
        self._bytes[name] += sum(len(block.rlp) for block in receipt.fresh)
        self._duplicates += receipt.duplicates
        self._note_arrival(receipt.fresh, time)
        if self._traced:
            self._deliveries.append(
                Delivery(
                    name,
                    message.start_view,
                    message.covered.stop,
                    len(answer.blocks),
                    request.issued_at - self._start,
                    time,
                    bool(receipt.fresh),
                )
            )
            for peer in self.fetch.status(self.now).peers:
                if peer.peer == name and peer.score is not None:
                    self._samples.append(ScoreSample(name, time, peer.score))

    def _confirm(self, ready: Tuple[Block, ...]) -> None:
        """What is handed out is the true chain, each block once and in its turn."""
        stop = self.confirmed + len(ready)
        if ready != self.network.chain.blocks[self.confirmed : stop]:
            raise InvariantBroken(f"block {self.confirmed} and those after it are not the chain's")
        self.confirmed = stop

    def _note_arrival(self, fresh: Tuple[Block, ...], time: float) -> None:
        self.arrived += len(fresh)
        if self.scenario.births:
            self._note_delays(fresh, time)
        self._missing.difference_update([block.view for block in fresh])
        self._max_held = max(self._max_held, self.fetch.held_blocks)

    def _note_delays(self, fresh: Tuple[Block, ...], time: float) -> None:
        chain = self.network.chain
        for block in fresh:
            if block.view >= chain.views:
                born = chain.births[block.view - chain.views]
                self._delays.setdefault(block.view, time - born)

    def _expire(self) -> None:
        start = thread_time()
        late = self.fetch.expire(self.now)
        self.cpu += thread_time() - start
        self._timeouts += len(late)
        for request in late:
            self.open.pop(request.request_id, None)

    def _plan(self) -> None:
        start = thread_time()
        requests = self.fetch.plan(self.now)
        passed = thread_time() - start
        self.cpu += passed
        self.plan_cpu += passed
        self.requests += len(requests)
        for request in requests:
            self.open[request.request_id] = request
            self._requests[str(request.peer)] += 1
            self.network.send(request, self.time)
        if requests:
            self._max_in_flight = max(self._max_in_flight, round(self.fetch.blocks_in_flight))


def simulate(scenario: Scenario, seed: int) -> Result:
    """Play a scenario; the result is a function of scenario and seed, but for ``cpu_seconds``."""
    return Run(scenario, seed).play()
