"""What planning and bookkeeping cost: CPU per block, memory, and view sets against range lists."""
from random import Random
import resource
from timeit import repeat
import tracemalloc
from typing import Callable, List, NamedTuple, Optional, Tuple

from blockio_plugin.rules.availability import AvailabilityTable
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange, normalise
from blockio_plugin.simulator.models import Filled, PeerModel, RateStep, Scenario, always
from blockio_plugin.simulator.run import Run
from blockio_plugin.tools.bench_scheduler_ranges import RangeList

COST_BLOCKS = 100_000
"""Blocks of each chain on which the cost of planning is measured."""

REPEATS = 5
"""Measurements of each operation; the quickest counts, as the others were disturbed."""


class Figure(NamedTuple):
    """A measured value, and the most it may be; None: only told."""

    name: str
    value: float
    goal: Optional[float]

    @property
    def is_met(self) -> bool:
        """Whether the value is within its goal."""
        return self.goal is None or self.value <= self.goal


def measure_costs() -> List[Figure]:
    """All costs."""
    return [*planning_costs(), *memory_costs(), *view_set_costs(), leak()]


def _network(peers: int, views: int) -> Scenario:
    """Peers with the rates of the scenario ``scale``, on a chain of ``COST_BLOCKS`` blocks."""
    random = Random(16)
    models = tuple(
        PeerModel(
            name=str(number),
            rate=(RateStep(0.0, 50.0 * 10.0 ** random.random()),),
            rtt=0.02 * 20.0 ** random.random(),
            holds=always((ViewRange(0, views),)),
            adverts=always((ViewRange(0, views),)),
        )
        for number in range(peers)
    )
    filled = (Filled(ViewRange(0, views), COST_BLOCKS / views),)
    return Scenario("costs", views, filled, models)


def _planning_cost(peers: int, views: int) -> float:
    """CPU microseconds of planning per block delivered."""
    run = Run(_network(peers, views), 1)
    result = run.play()
    return run.plan_cpu / result.blocks * 1e6


def planning_costs() -> List[Figure]:
    """Cost of planning, by peers and by length of the chain."""
    by_peers = {peers: _planning_cost(peers, 10 ** 6) for peers in (16, 64, 256)}
    by_views = {power: _planning_cost(64, 10 ** power) for power in (5, 6, 7)}
    figures = [
        Figure(f"planning, {peers} peers, 10**6 views: us per block", cost, None)
        for peers, cost in by_peers.items()
        if peers != 64
    ]
    figures.append(Figure("planning, 64 peers, 10**6 views: us per block", by_peers[64], 50.0))
    figures.append(Figure("planning, 256 peers over 64", by_peers[256] / by_peers[64], 4.0))
    figures.extend(
        Figure(f"planning, 64 peers, 10**{power} views: us per block", cost, 50.0)
        for power, cost in by_views.items()
        if power != 6
    )
    figures.append(Figure("planning, 10**7 views over 10**5", by_views[7] / by_views[5], 2.0))
    return figures


def memory_costs() -> List[Figure]:
    """Memory of what 1,000 peers cover with 100 ranges each over 10**8 views, cut up too."""
    random = Random(8)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    table = AvailabilityTable()
    for peer in range(1000):
        table.join(peer)
        ranges = normalise(
            (start, start + random.randrange(1, 10 ** 5))
            for start in random.sample(range(10 ** 8), 100)
        )
        table.advertise(peer, 10 ** 8, ranges)
    partition = table.partition(ViewRange(0, 10 ** 8))
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert partition.segments
    return [Figure("memory, 1000 peers x 100 ranges: MB", used / 1e6, 50.0)]


def _time(call: Callable[[], object], number: int) -> float:
    """Microseconds of one call."""
    return min(repeat(call, number=number, repeat=REPEATS)) / number * 1e6


def _draw_ranges(random: Random, runs: int, views: int) -> Tuple[ViewRange, ...]:
    edges = sorted(random.sample(range(1, views), 2 * runs))
    return tuple(ViewRange(start, stop) for start, stop in zip(edges[::2], edges[1::2]))


def view_set_costs() -> List[Figure]:
    """The bitmap's times as shares of the range list's."""
    figures: List[Figure] = []
    for runs in (1000, 10_000):
        for views in (10 ** 6, 10 ** 7):
            random = Random(runs + views)
            here, there = (_draw_ranges(random, runs, views) for _ in range(2))
            sets = ViewSet(0, here), ViewSet(0, there)
            lists = RangeList(here), RangeList(there)
            where = f"{runs} runs, {views} views"
            for name, fast, slow in (
                ("union", lambda: sets[0] | sets[1], lambda: lists[0] | lists[1]),
                ("intersection", lambda: sets[0] & sets[1], lambda: lists[0] & lists[1]),
                ("difference", lambda: sets[0] - sets[1], lambda: lists[0] - lists[1]),
            ):
                share = _time(fast, 20) / _time(slow, 2)
                figures.append(Figure(f"{name} over list's, {where}", share, 0.2))
            probes = [random.randrange(views) for _ in range(1000)]
            share = _time(lambda: [sets[0].next_at(view) for view in probes], 3) / _time(
                lambda: [lists[0].next_at(view) for view in probes], 3
            )
            figures.append(Figure(f"next view over list's, {where}", share, 3.0))
            start = views // 2
            time = _time(lambda: sets[0].first_runs(start, views, 32), 20)
            figures.append(Figure(f"first 32 runs: us, {where}", time, 100.0))
    return figures


def leak() -> Figure:
    """Growth of the process over 10**6 operations, in MB."""
    views = ViewSet(0, [(10, 20), (500, 70_000)])

    def work(times: int) -> None:
        for number in range(times):
            views.next_at(number % 100_000)
            views.add(number % 90_000, number % 90_000 + 5)
            views.remove(number % 90_000 + 2, number % 90_000 + 9)
            views.previous(number % 100_000)

    work(10_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(250_000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Figure("growth over 10**6 operations: MB", grown / 1024, 4.0)
