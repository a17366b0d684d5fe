"""
The modelled network in virtual time: peers that come, go, advertise and answer, and our own link.

It knows nothing of the rules. What it is told is what we send; what comes back is what reaches us,
in order, each with the time at which it does. Times are in seconds from the beginning of the run.
"""
import heapq
from math import ceil
from random import Random
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from blockio_plugin.rules.messages import GetBlocksByView
from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import ViewRanges
from blockio_plugin.simulator.chain import (
    Answer,
    Chain,
    Library,
    decline,
    draw_sizes,
    draw_views,
    make_chain,
    make_shelf,
)
from blockio_plugin.simulator.models import PeerModel, Scenario, Spell
from blockio_plugin.simulator.peer import PeerClock

TICK = 2.0 ** -16
"""Seconds between two moments at which something can happen, about 15 us. Sums of them are exact in
a float whatever the clock read at first, so that a run does not hang on how a float is rounded."""

ADVERT_SPREAD = (0.5, 1.5)
"""An interval between two adverts is the mean one times a number drawn from here."""


class Joined(NamedTuple):
    """A peer connects, and its advert is known at once."""

    peer: str
    ranges: ViewRanges


class Left(NamedTuple):
    """A peer dropped the connection."""

    peer: str


class Advertised(NamedTuple):
    """An advert reached us."""

    peer: str
    ranges: ViewRanges


class Arrived(NamedTuple):
    """
    An answer reached us. ``wire_time``: when (s), where that was before it was decoded; None: now.
    """

    peer: str
    request: Request
    answer: Answer
    wire_time: Optional[float] = None


class Grown(NamedTuple):
    """The chain has a block more, and ends before view ``stop``."""

    stop: int


class Restarted(NamedTuple):
    """Our node starts anew; whoever was connected connects anew, with these adverts."""

    peers: Tuple[Joined, ...]


Event = Union[Joined, Left, Advertised, Arrived, Grown, Restarted]
"""What we notice."""


class _Joining(NamedTuple):
    peer: str


class _Leaving(NamedTuple):
    peer: str


class _Advertising(NamedTuple):
    """A peer sends an advert; ``regularly``: and will again some time after."""

    peer: str
    regularly: bool


class _InFlight(NamedTuple):
    """Comes over a connection, and with it is lost; ``at_link``: our own link is still to come."""

    connection: int
    event: Union[Advertised, Arrived]
    at_link: bool


class _Decoded(NamedTuple):
    """We are done with what a peer did, and hear of it; a restart before that loses it."""

    restarts: int
    event: Union[Joined, Left, Advertised, Arrived]


class _Growing(NamedTuple):
    """A block is born."""


class _Restarting(NamedTuple):
    """Our node goes down."""


def to_tick(time: float) -> float:
    """The first tick at or after ``time``."""
    return ceil(time / TICK) * TICK


class Network:
    """All peers of a scenario; a function of scenario, seed, and what is sent when."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._scenario = scenario
        self._models = {model.name: model for model in scenario.peers}
        random = Random(seed)
        views = draw_views(scenario, random)
        blocks = make_chain(views, draw_sizes(scenario, views, Random(f"{seed}/sizes")))
        self.chain = Chain(blocks, scenario.views, scenario.births)
        whole = make_shelf(blocks)
        self.libraries = {
            name: Library(model, self.chain, Random(f"{seed}/{name}"), whole)
            for name, model in self._models.items()
        }
        self._clocks = {
            name: PeerClock(model, scenario.jitter, random)
            for name, model in self._models.items()
        }
        self._chances = {name: Random(f"{seed}/{name}/chance") for name in self._models}
        self._connections: Dict[str, int] = {}
        self._connected = 0
        self._link_free_at = 0.0
        self._decoded_until = 0.0
        self._restarts = 0
        self._line: List[Tuple[float, int, object]] = []
        self._sequence = 0
        for name, model in self._models.items():
            self._at(model.joins, _Joining(name))
            if model.leaves is not None:
                self._at(model.leaves, _Leaving(name))
            for step in model.adverts[1:]:
                self._at(step.time, _Advertising(name, False))
        for time in self.chain.births:
            self._at(time, _Growing())
        for time in scenario.restarts:
            self._at(time, _Restarting())

    def _at(self, time: float, event: object) -> None:
        self._sequence += 1
        heapq.heappush(self._line, (to_tick(time), self._sequence, event))

    # What reaches us

    def advance(self, until: float) -> Optional[Tuple[float, Event]]:
        """The next thing that reaches us, and when, if that is not after ``until``."""
        while self._line and self._line[0][0] <= until:
            time, _, cause = heapq.heappop(self._line)
            event = self._happen(cause, time)
            if self._scenario.decode and not isinstance(cause, _Decoded):
                event = self._decode(event, time)
            if event is not None:
                return time, event
        return None

    def _happen(self, cause: object, now: float) -> Optional[Event]:
        if isinstance(cause, _InFlight):
            return self._carry(cause, now)
        if isinstance(cause, _Advertising):
            self._advertise_again(cause, now)
        elif isinstance(cause, _Joining):
            return self._join(cause.peer, now)
        elif isinstance(cause, _Leaving):
            if self._connections.pop(cause.peer, None) is not None:
                return Left(cause.peer)
        elif isinstance(cause, _Decoded):
            return cause.event if cause.restarts == self._restarts else None
        elif isinstance(cause, _Growing):
            return self._grow(now)
        elif isinstance(cause, _Restarting):
            return self._restart(now)
        return None

    def _decode(self, event: Optional[Event], now: float) -> Optional[Event]:
        """What a peer does is heard of in its turn, once all blocks before it are decoded."""
        if event is None or isinstance(event, (Grown, Restarted)):
            return event
        begins, blocks = max(self._decoded_until, now), 0
        if isinstance(event, Arrived):
            event = event._replace(wire_time=now)
            blocks = len(event.answer.blocks)
        self._decoded_until = self._work_until(begins, blocks * self._scenario.decode)
        self._at(self._decoded_until, _Decoded(self._restarts, event))
        return None

    def _work_until(self, time: float, work: float) -> float:
        """When our loop has done so many seconds of ``work`` that it begins at ``time``."""
        for start, length in self._scenario.stalls:
            if start < time + work and time < start + length:
                work -= max(0.0, start - time)
                time = start + length
        return time + work

    def _carry(self, flight: _InFlight, now: float) -> Optional[Event]:
        if self._connections.get(flight.event.peer) != flight.connection:
            return None
        if not flight.at_link or not isinstance(flight.event, Arrived):
            return flight.event
        passing = self._measure(flight.event.answer) / self._scenario.download
        self._link_free_at = max(self._link_free_at, now) + passing
        self._at(self._link_free_at, flight._replace(at_link=False))
        return None

    def _join(self, name: str, now: float) -> Joined:
        self._connect(name)
        self._plan_advert(name, now)
        return Joined(name, self.libraries[name].advert(now))

    def _connect(self, name: str) -> None:
        self._connected += 1
        self._connections[name] = self._connected

    def _plan_advert(self, name: str, now: float) -> None:
        mean = self._models[name].advert_every
        if mean is not None:
            interval = mean * self._chances[name].uniform(*ADVERT_SPREAD)
            self._at(now + interval, _Advertising(name, True))

    def _advertise_again(self, cause: _Advertising, now: float) -> None:
        name = cause.peer
        if name in self._connections:
            self._advertise(name, now)
            if cause.regularly:
                self._plan_advert(name, now)

    def _advertise(self, name: str, now: float) -> None:
        advert = Advertised(name, self.libraries[name].advert(now))
        time = self._clocks[name].deliver_advert(now)
        self._at(time, _InFlight(self._connections[name], advert, False))

    def _grow(self, now: float) -> Grown:
        stop = self.chain.stop_at(now)
        for name in self._connections:
            ranges = self.libraries[name].advert(now)
            if ranges and ranges[-1].stop == stop:
                self._advertise(name, now)
        return Grown(stop)

    def describe_peers(self, now: float) -> Tuple[PeerModel, ...]:
        """The peers as those that join when each has done what it was asked until ``now``."""
        return tuple(clock.describe_from(now) for clock in self._clocks.values())

    def _restart(self, now: float) -> Restarted:
        # What waits for our link, or to be decoded, is lost along with the connections.
        self._link_free_at = min(self._link_free_at, now)
        self._decoded_until = min(self._decoded_until, now)
        self._restarts += 1
        for name in self._connections:
            self._clocks[name].reconnect(now)
            self._connect(name)
        return Restarted(
            tuple(Joined(name, self.libraries[name].advert(now)) for name in self._connections)
        )

    # What we do

    def drop(self, name: str) -> None:
        """We end the connection to a peer."""
        self._connections.pop(name, None)

    def send(self, request: Request, now: float) -> None:
        """A request is on its way to its peer."""
        name = str(request.peer)
        if name not in self._connections or self._strikes(self._models[name].loses, name, now):
            return
        start, stop = request.views
        message = GetBlocksByView(request.request_id, start, stop - start, request.max_blocks)
        model, clock = self._models[name], self._clocks[name]
        turn = clock.take(now)
        if model.lies.share_at(turn.begins):
            answer = self.libraries[name].answer(message, turn.begins)
            time = clock.deliver(turn.begins)
        else:
            if self._strikes(model.declines, name, turn.begins) or not clock.is_within_quota(turn):
                answer = decline(message)
            else:
                answer = self.libraries[name].answer(message, turn.begins)
            time = clock.deliver(clock.work(turn, self._measure(answer)))
        if time is not None:
            at_link = bool(self._scenario.download)
            event = Arrived(name, request, answer)
            self._at(time, _InFlight(self._connections[name], event, at_link))

    def _measure(self, answer: Answer) -> int:
        """Blocks of an answer, or their bytes: what the scenario counts."""
        return answer.bytes if self._scenario.in_bytes else len(answer.blocks)

    def _strikes(self, spell: Spell, name: str, time: float) -> bool:
        """Whether a fault that hits by chance does so now."""
        share = spell.share_at(time)
        return share > 0.0 and self._chances[name].random() < share
