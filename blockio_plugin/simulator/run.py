"""
One run: the production fetch rules against a modelled network, in virtual time.

The harness stands where the receiver and the importer stand in a node: it checks each answer, drops
a peer whose blocks do not verify, and confirms blocks as soon as they link.
"""
import gc
import heapq
from random import Random
from time import thread_time
from typing import Callable, Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

from blockio_plugin.rules.answers import check_answer
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.requests import Request
from blockio_plugin.simulator.bound import DemandClass, link_supply, lower_bound, peer_supply
from blockio_plugin.simulator.chain import GENESIS_HASH, Answer, Library, draw_views, make_chain
from blockio_plugin.simulator.peer import PeerClock
from blockio_plugin.simulator.result import Delivery, PeerResult, Result, ScoreSample, Trace
from blockio_plugin.simulator.scenario import PeerModel, Scenario

READY_BLOCKS = 1_000_000
"""Blocks that the harness takes at once, most: as many as there are."""

READY_BYTES = 2 ** 40
"""Bytes that the harness takes at once, most."""


class Arrival(NamedTuple):
    """An answer that is on its way."""

    peer: str
    request: Request
    answer: Answer


class Joining(NamedTuple):
    """A peer connects."""

    peer: str


class Leaving(NamedTuple):
    """A peer drops the connection."""

    peer: str


Observer = Callable[["Run"], None]
"""Looks at a run after every event."""


class Run:
    """A scenario and a seed, played to the end."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        observer: Optional[Observer] = None,
        traced: bool = False,
    ) -> None:
        self._scenario = scenario
        self._models = {model.name: model for model in scenario.peers}
        random = Random(seed)
        self._chain = make_chain(draw_views(scenario, random))
        self._libraries = {
            name: Library(model, self._chain, Random(f"{seed}/{name}"))
            for name, model in self._models.items()
        }
        self._clocks = {
            name: PeerClock(model, scenario.jitter, random)
            for name, model in self._models.items()
        }
        self._missing, self._classes = self._compute_needed()
        self._observer = observer
        self._traced = traced
        self._events: List[Tuple[float, int, object]] = []
        self._sequence = 0
        self.now = 0.0
        self._link_free_at = 0.0
        self._connected: Dict[str, bool] = {}
        self._banned: Set[str] = set()
        self._requests: Dict[str, int] = dict.fromkeys(self._models, 0)
        self._blocks: Dict[str, int] = dict.fromkeys(self._models, 0)
        self._last_score: Dict[str, float] = dict.fromkeys(self._models, 0.0)
        self._duplicates = self._timeouts = self._max_in_flight = self._max_held = 0
        self._arrived = 0
        self._cpu = 0.0
        self.plan_cpu = 0.0
        """CPU seconds spent in deciding what to ask."""
        self._deliveries: List[Delivery] = []
        self._samples: List[ScoreSample] = []
        limits = Limits(window=scenario.window)
        self.fetch = Fetch(front=Front(0, GENESIS_HASH), limits=limits, random=Random(seed))

    def _compute_needed(self) -> Tuple[Set[int], List[DemandClass]]:
        """The views whose blocks must arrive, and the classes they form for the lower bound."""
        models = self._scenario.peers
        cuts: Set[int] = {0, self._scenario.views}
        for model in models:
            for views in model.holds:
                cuts.update(view for view in views if view < self._scenario.views)
        bounds = sorted(cuts)
        needed: Set[int] = set()
        counts: Dict[FrozenSet[int], int] = {}
        index = 0
        for start, stop in zip(bounds, bounds[1:]):
            suppliers = frozenset(
                number
                for number, model in enumerate(models)
                if not (model.lies or model.forges)
                and any(held.start <= start and stop <= held.stop for held in model.holds)
            )
            lasting = [
                self._libraries[models[number].name]
                for number in suppliers
                if models[number].silent_after is None
            ]
            sure = any(self._models_omit_nothing(models[number]) for number in suppliers)
            blocks = 0
            while index < len(self._chain) and self._chain[index].view < stop:
                view = self._chain[index].view
                if lasting and (sure or any(library.holds(view) for library in lasting)):
                    needed.add(view)
                    blocks += 1
                index += 1
            if blocks:
                counts[suppliers] = counts.get(suppliers, 0) + blocks
        return needed, [DemandClass(blocks, who) for who, blocks in counts.items()]

    @staticmethod
    def _models_omit_nothing(model: PeerModel) -> bool:
        return model.silent_after is None and not model.omits

    def compute_bound(self) -> float:
        """The lower bound of this scenario and chain (s)."""
        supplies = [peer_supply(model, self._scenario.jitter) for model in self._scenario.peers]
        return lower_bound(self._classes, supplies, link_supply(self._scenario))

    def _at(self, time: float, event: object) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (time, self._sequence, event))

    def play(self) -> Result:
        """Run to the end, or to the scenario's limit."""
        bound = self.compute_bound()
        for name, model in self._models.items():
            self._at(model.joins, Joining(name))
            if model.leaves is not None:
                self._at(model.leaves, Leaving(name))
        self._timed(lambda: self.fetch.set_target(self._scenario.views))
        # The whole chain of the modelled peers is in memory. To look through it for cycles again
        # and again is no work of the rules, and would be counted as theirs.
        gc.freeze()
        while self._missing and self.now < self._scenario.limit:
            self._step()
        gc.unfreeze()
        finished = not self._missing
        status = self.fetch.status(self.now)
        for peer in status.peers:
            self._last_score[str(peer.peer)] = peer.score or 0.0
        honest = {name for name, model in self._models.items() if model.is_honest}
        return Result(
            finished=finished,
            seconds=self.now,
            lower_bound=bound,
            ratio=self.now / bound if bound else 1.0,
            blocks=self._arrived,
            duplicates=self._duplicates,
            requests=sum(self._requests.values()),
            timeouts=self._timeouts,
            max_in_flight=self._max_in_flight,
            max_held=self._max_held,
            honest_banned=len(self._banned & honest),
            unavailable=status.unserviceable,
            cpu_seconds=self._cpu,
            peers=tuple(
                PeerResult(
                    name,
                    self._requests[name],
                    self._blocks[name],
                    self._last_score[name],
                    name in self._banned,
                )
                for name in self._models
            ),
        )

    @property
    def trace(self) -> Trace:
        """What happened, where the run is traced."""
        return Trace(tuple(self._deliveries), tuple(self._samples))

    def _timed(self, call: Callable[[], object]) -> None:
        start = thread_time()
        call()
        self._cpu += thread_time() - start

    def _step(self) -> None:
        """The next thing that happens: an event of the network, or the rules' own time."""
        start = thread_time()
        wake_at = self.fetch.wake_at(self.now)
        self._cpu += thread_time() - start
        next_event = self._events[0][0] if self._events else float("inf")
        if wake_at is not None and wake_at < next_event:
            self.now = max(self.now, wake_at)
            self._expire()
        elif self._events:
            self.now, _, event = heapq.heappop(self._events)
            self._happen(event)
            while self._events and self._events[0][0] == self.now:
                self._happen(heapq.heappop(self._events)[2])
        else:
            self.now = self._scenario.limit
            return
        self._plan()
        if self._observer is not None:
            self._observer(self)

    def _happen(self, event: object) -> None:
        if isinstance(event, Joining):
            self._join(self._models[event.peer])
        elif isinstance(event, Leaving):
            self._leave(event.peer)
        elif isinstance(event, Arrival) and event.peer in self._connected:
            self._receive(event)

    def _join(self, model: PeerModel) -> None:
        self._connected[model.name] = True
        head = model.adverts[-1].stop - 1 if model.adverts else 0

        def join() -> None:
            self.fetch.join(model.name, self.now)
            self.fetch.advertise(model.name, head, model.adverts, self.now)

        self._timed(join)

    def _leave(self, name: str) -> None:
        if self._connected.pop(name, False):
            for peer in self.fetch.status(self.now).peers:
                if peer.peer == name:
                    self._last_score[name] = peer.score or 0.0
            self._timed(lambda: self.fetch.leave(name, self.now))

    def _receive(self, arrival: Arrival) -> None:
        name, request, answer = arrival
        if self._models[name].forges and answer.blocks:
            # Their bodies do not match their headers: production's receiver drops the peer for it.
            self._banned.add(name)
            self._leave(name)
            return
        start = thread_time()
        check_answer(request, answer.message, answer.blocks)
        message = answer.message
        receipt = self.fetch.receive(
            name,
            request.request_id,
            message.covered,
            message.next_view,
            answer.blocks,
            self.now,
        )
        ready = self.fetch.ready(READY_BLOCKS, READY_BYTES)
        if ready:
            self.fetch.confirm(ready[-1].view)
        self._cpu += thread_time() - start
        self._blocks[name] += len(receipt.fresh)
        self._duplicates += receipt.duplicates
        self._note_arrival(receipt.fresh)
        if self._traced:
            self._deliveries.append(
                Delivery(
                    name,
                    message.start_view,
                    message.covered.stop,
                    len(answer.blocks),
                    request.issued_at,
                    self.now,
                    bool(receipt.fresh),
                )
            )
            for peer in self.fetch.status(self.now).peers:
                if peer.peer == name and peer.score is not None:
                    self._samples.append(ScoreSample(name, self.now, peer.score))

    def _note_arrival(self, fresh: Tuple[Block, ...]) -> None:
        self._arrived += len(fresh)
        self._missing.difference_update([block.view for block in fresh])
        self._max_held = max(self._max_held, self.fetch.held_blocks)

    def _expire(self) -> None:
        start = thread_time()
        late = self.fetch.expire(self.now)
        self._cpu += thread_time() - start
        self._timeouts += len(late)

    def _plan(self) -> None:
        start = thread_time()
        requests = self.fetch.plan(self.now)
        passed = thread_time() - start
        self._cpu += passed
        self.plan_cpu += passed
        for request in requests:
            self._send(request)
        if requests:
            self._max_in_flight = max(self._max_in_flight, round(self.fetch.blocks_in_flight))

    def _send(self, request: Request) -> None:
        name = str(request.peer)
        self._requests[name] += 1
        start, stop = request.views
        message = GetBlocksByView(request.request_id, start, stop - start, request.max_blocks)
        answer = self._libraries[name].answer(message)
        time = self._clocks[name].arrival(self.now, len(answer.blocks))
        if time is None:
            return
        if self._scenario.download:
            self._link_free_at = max(self._link_free_at, time)
            self._link_free_at += len(answer.blocks) / self._scenario.download
            time = self._link_free_at
        self._at(time, Arrival(name, request, answer))


def simulate(scenario: Scenario, seed: int) -> Result:
    """Play a scenario; the result is a function of scenario and seed, but for ``cpu_seconds``."""
    return Run(scenario, seed).play()
