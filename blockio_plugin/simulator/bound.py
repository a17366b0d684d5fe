"""
The lower bound: the least time at which all blocks can have arrived under any schedule.

Supply, demand and feasibility are as ``fixtures/scenarios/README.md`` has them. A max-flow, source
-> classes -> peers -> our down-link -> sink, tells whether a time is feasible. Newton on the
violated minimum cut finds the least such time: begin with the time that all classes together need;
where the flow falls short, the classes on the cut's side need longer, and that is the next time.
"""
from collections import deque
from typing import Callable, Deque, Dict, FrozenSet, List, NamedTuple, Sequence, Tuple

from blockio_plugin.simulator.scenario import PeerModel, Scenario

TOLERANCE = 1e-9
"""Share of all blocks by which a flow may fall short from rounding."""

SEARCH_STEPS = 200
"""Halvings of a search interval: past the precision of a float."""

LONGEST = 1e7
"""Seconds; what is not supplied by then never will be."""


class DemandClass(NamedTuple):
    """So many blocks are held by exactly these suppliers (their indexes)."""

    blocks: int
    suppliers: FrozenSet[int]


Supply = Callable[[float], float]
"""Blocks that can have arrived by a time (s); never falls."""


def peer_supply(model: PeerModel, jitter: float) -> Supply:
    """What a peer can have delivered by a time."""
    delay = model.rtt / 2 * (1 - jitter / 2)
    begin = model.joins + delay
    steps = model.rate

    def supply(time: float) -> float:
        if model.lies or model.forges:
            return 0.0
        end = (time if model.leaves is None else min(time, model.leaves)) - delay
        if model.silent_after is not None:
            end = min(end, model.silent_after)
        total = 0.0
        for index, step in enumerate(steps):
            stop = steps[index + 1].time if index + 1 < len(steps) else LONGEST
            total += step.rate * max(0.0, min(end, stop) - max(begin, step.time))
        if model.bucket is not None:
            filled = max(0.0, time - model.joins - 2 * delay)
            total = min(total, model.bucket.burst + model.bucket.refill * filled)
        return total

    return supply


def link_supply(scenario: Scenario) -> Supply:
    """What our own down-link can have taken in by a time."""
    if not scenario.download:
        return lambda time: float("inf")
    first = min(
        peer.joins + peer.rtt * (1 - scenario.jitter / 2) for peer in scenario.peers
    )
    return lambda time: scenario.download * max(0.0, time - first)


def least_time(supply: Supply, blocks: float) -> float:
    """The least time by which ``supply`` reaches ``blocks``."""
    low, high = 0.0, LONGEST
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if supply(middle) >= blocks:
            high = middle
        else:
            low = middle
    return high


def lower_bound(
    classes: Sequence[DemandClass], supplies: Sequence[Supply], link: Supply
) -> float:
    """The least time at which every class can have been delivered."""
    total = sum(item.blocks for item in classes)
    cut: FrozenSet[int] = frozenset(range(len(classes)))
    time = 0.0
    while cut:
        blocks = sum(classes[index].blocks for index in cut)
        suppliers = sorted(frozenset().union(*(classes[index].suppliers for index in cut)))

        def together(moment: float) -> float:
            return min(link(moment), sum(supplies[peer](moment) for peer in suppliers))

        following = least_time(together, blocks)
        if following <= time:
            return time
        time = following
        capacities = [supply(time) for supply in supplies]
        cut = violated_cut(classes, capacities, link(time), TOLERANCE * total)
    return time


def violated_cut(
    classes: Sequence[DemandClass], capacities: Sequence[float], link: float, slack: float
) -> FrozenSet[int]:
    """
    The classes on the source's side of a minimum cut; none where the flow carries all blocks but
    ``slack``.
    """
    count, peers = len(classes), len(capacities)
    source, gate, sink = 0, 1 + count + peers, 2 + count + peers
    edges: List[Dict[int, float]] = [{} for _ in range(sink + 1)]

    def connect(start: int, stop: int, capacity: float) -> None:
        edges[start][stop] = capacity
        edges[stop].setdefault(start, 0.0)

    total = 0.0
    for index, item in enumerate(classes):
        total += item.blocks
        connect(source, 1 + index, float(item.blocks))
        for peer in item.suppliers:
            connect(1 + index, 1 + count + peer, float("inf"))
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
