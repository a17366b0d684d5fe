"""
The lower bound: the least time at which all blocks can have arrived under any schedule.

Supply, demand and feasibility are as ``fixtures/scenarios/README.md`` has them. A max-flow, source
-> classes -> peers -> our down-link -> sink, tells whether a time is feasible. Newton on the
violated minimum cut finds the least such time: begin with the time that all classes together need;
where the flow falls short, the classes on the cut's side need longer, and that is the next time.
"""
from collections import deque
from math import ceil, floor, inf
from typing import (
    Callable,
    Deque,
    Dict,
    FrozenSet,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from blockio_plugin.simulator.models import PeerModel, Scenario

TOLERANCE = 1e-9
"""Share of everything by which a flow may fall short from rounding."""

SEARCH_STEPS = 200
"""Halvings of a search interval: past the precision of a float."""

LONGEST = 1e7
"""Seconds; what is not supplied by then never will be."""

ROUNDING = 1e-6
"""Blocks, or answers, that may be lacking, from rounding, of a whole number of them."""


Supply = Callable[[float], float]
"""Blocks, or bytes, that can have arrived by a time (s); never falls."""


class Parcel(NamedTuple):
    """
    How a supply comes: ``most`` blocks, or bytes, in an answer; ``is_whole``: nothing comes in
    parts of what is counted, as blocks do not.
    """

    most: float
    is_whole: bool = True

    def fill(self, work: float, lost: float) -> float:
        """What answers bring at most in so much ``work``, of which each costs ``lost``."""
        answers = work / (self.most + lost)
        return max(0.0, floor(answers) * self.most, work - ceil(answers) * lost)

    def round(self, amount: float) -> float:
        """What there can be of ``amount``."""
        return float(floor(amount + ROUNDING)) if self.is_whole else amount


class DemandClass(NamedTuple):
    """
    So much (blocks, or bytes) is held by exactly these suppliers (their indexes). ``limits``: what
    some of them can have given of it, where they do not hold it at all times.
    """

    amount: int
    suppliers: FrozenSet[int]
    limits: Mapping[int, Supply] = {}

    def limit(self, supplier: int, time: float) -> float:
        """What ``supplier`` can have given of it by ``time``."""
        supply = self.limits.get(supplier)
        return inf if supply is None else supply(time)


class Window(NamedTuple):
    """A peer may turn to requests for some views from ``start`` until ``stop`` (s); None: ever."""

    start: float
    stop: Optional[float]


def least_delay(model: PeerModel, jitter: float) -> float:
    """The least time (s) that a message takes between us and a peer."""
    return model.rtt / 2 * (1 - jitter / 2)


def least_latency(model: PeerModel, jitter: float) -> float:
    """The least time (s) from a request until its answer begins to be sent, and back."""
    return 2 * least_delay(model, jitter) + model.overhead


def fastest_rate(model: PeerModel) -> float:
    """What a peer ever sends in a second, at most."""
    return max(step.rate for step in model.rate)


def _sent(model: PeerModel, start: float, stop: float) -> float:
    """What a peer sends between two times, if it does nothing else."""
    total = 0.0
    for index, step in enumerate(model.rate):
        end = model.rate[index + 1].time if index + 1 < len(model.rate) else LONGEST
        total += step.rate * max(0.0, min(stop, end) - max(start, step.time))
    return total


def _last_done(model: PeerModel, jitter: float, time: float) -> float:
    """When a peer must have sent what is here by ``time``."""
    end = (time if model.leaves is None else min(time, model.leaves)) - least_delay(model, jitter)
    return end if model.silent_after is None else min(end, model.silent_after)


def peer_supply(model: PeerModel, jitter: float, parcel: Parcel) -> Supply:
    """What a peer can have delivered by a time."""
    delay = least_delay(model, jitter)
    begin = model.joins + delay
    if model.loses.share >= 1 and model.loses.start <= model.joins:
        # Nothing that is asked before gets there.
        begin = max(begin, model.loses.stop + delay)
    # Each answer costs it its overhead, in which it sends nothing, at its slowest at best.
    lost = model.overhead * min(step.rate for step in model.rate)
    # While it gives nothing it may still be at what it turned to before.
    fruitless = [spell for spell in (model.lies, model.declines) if spell.share >= 1]

    def supply(time: float) -> float:
        if model.forges:
            return 0.0
        end = _last_done(model, jitter, time)
        total = _sent(model, begin, end)
        for spell in fruitless:
            unfinished = parcel.most if spell.start > begin else 0.0
            idle = _sent(model, max(begin, spell.start), min(end, spell.stop))
            total -= max(0.0, idle - unfinished)
        if not fruitless:
            total = parcel.fill(total, lost)
        if model.quota is not None:
            answers = model.quota.burst + model.quota.rate * max(0.0, end - begin)
            total = min(total, floor(answers + ROUNDING) * parcel.most)
        if model.bucket is not None:
            filled = max(0.0, time - model.joins - 2 * delay)
            total = min(total, model.bucket.burst + model.bucket.refill * filled)
        return parcel.round(max(0.0, total))

    return supply


def window_supply(model: PeerModel, jitter: float, window: Window, parcel: Parcel) -> Supply:
    """What a peer can have delivered by a time of views that it gives in ``window`` alone."""
    begin = max(model.joins + least_delay(model, jitter), window.start)

    def supply(time: float) -> float:
        end = _last_done(model, jitter, time)
        if window.stop is None or end <= window.stop:
            return parcel.round(_sent(model, begin, end))
        # What it turned to before may take as long as it likes.
        unfinished = min(_sent(model, window.stop, end), parcel.most)
        return parcel.round(_sent(model, begin, window.stop) + unfinished)

    return supply


def delay_supply(supply: Supply, seconds: float) -> Supply:
    """The same, each thing ``seconds`` later."""
    return lambda time: supply(time - seconds)


def first_arrival(scenario: Scenario, least: float) -> float:
    """When (s) the first block can have come to our own link; ``least``: the smallest one."""
    jitter = scenario.jitter
    return min(
        peer.joins + least_latency(peer, jitter) + least / fastest_rate(peer)
        for peer in scenario.peers
    )


def link_supply(scenario: Scenario, least: float) -> Supply:
    """What our own down-link can have taken in by a time; ``least``: the smallest block."""
    if not scenario.download:
        return lambda time: inf
    first = first_arrival(scenario, least)
    return lambda time: scenario.download * max(0.0, time - first)


def least_time(supply: Supply, amount: float) -> float:
    """The least time by which ``supply`` reaches ``amount``."""
    low, high = 0.0, LONGEST
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if supply(middle) >= amount:
            high = middle
        else:
            low = middle
    return high


def lower_bound(
    classes: Sequence[DemandClass], supplies: Sequence[Supply], link: Supply
) -> float:
    """The least time at which every class can have been delivered."""
    total = sum(item.amount for item in classes)
    cut: FrozenSet[int] = frozenset(range(len(classes)))
    time = 0.0
    while cut:
        chosen = [classes[index] for index in sorted(cut)]
        following = least_time(
            _make_supply_of(chosen, supplies, link), sum(item.amount for item in chosen)
        )
        if following <= time:
            return time
        time = following
        capacities = [supply(time) for supply in supplies]
        limits = {
            (index, peer): item.limit(peer, time)
            for index, item in enumerate(classes)
            for peer in item.limits
        }
        cut = violated_cut(classes, capacities, link(time), TOLERANCE * total, limits)
    return time


def _make_supply_of(
    classes: Sequence[DemandClass], supplies: Sequence[Supply], link: Supply
) -> Supply:
    """What can have arrived of some classes by a time."""
    holding = {
        peer: [item for item in classes if peer in item.suppliers]
        for peer in sorted(frozenset().union(*(item.suppliers for item in classes)))
    }

    def together(time: float) -> float:
        total = 0.0
        for peer, held in holding.items():
            total += min(supplies[peer](time), sum(item.limit(peer, time) for item in held))
        return min(link(time), total)

    return together


def violated_cut(
    classes: Sequence[DemandClass],
    capacities: Sequence[float],
    link: float,
    slack: float,
    limits: Mapping[Tuple[int, int], float] = {},
) -> FrozenSet[int]:
    """
    The classes on the source's side of a minimum cut; none where the flow carries everything but
    ``slack``. ``limits``: what of a class a supplier can give at most, where that is bounded.
    """
    count, peers = len(classes), len(capacities)
    source, gate, sink = 0, 1 + count + peers, 2 + count + peers
    edges: List[Dict[int, float]] = [{} for _ in range(sink + 1)]

    def connect(start: int, stop: int, capacity: float) -> None:
        edges[start][stop] = capacity
        edges[stop].setdefault(start, 0.0)

    total = 0.0
    for index, item in enumerate(classes):
        total += item.amount
        connect(source, 1 + index, float(item.amount))
        for peer in item.suppliers:
            connect(1 + index, 1 + count + peer, limits.get((index, peer), inf))
    for peer, capacity in enumerate(capacities):
        connect(1 + count + peer, gate, capacity)
    connect(gate, sink, min(link, total + 1.0))
    carried = 0.0
    while True:
        path, reached = _shortest_path(edges, source, sink, slack / (sink + 1) / 16)
        if not path:
            break
        width = min(edges[start][stop] for start, stop in path)
        for start, stop in path:
            edges[start][stop] -= width
            edges[stop][start] += width
        carried += width
    if carried >= total - slack:
        return frozenset()
    return frozenset(index for index in range(count) if 1 + index in reached)


def _shortest_path(
    edges: Sequence[Dict[int, float]], source: int, sink: int, least: float
) -> Tuple[List[Tuple[int, int]], Dict[int, int]]:
    """A shortest path with more than ``least`` left on every edge, and the nodes reached."""
    came_from = {source: source}
    line: Deque[int] = deque([source])
    while line and sink not in came_from:
        node = line.popleft()
        for following, capacity in edges[node].items():
            if capacity > least and following not in came_from:
                came_from[following] = node
                line.append(following)
    path: List[Tuple[int, int]] = []
    node = sink
    while node in came_from and node != source:
        path.append((came_from[node], node))
        node = came_from[node]
    return path[::-1], came_from
