"""Many networks drawn by chance, each played and judged, and what came of all of them."""
from multiprocessing import get_context
from statistics import median
from time import monotonic
from typing import Callable, Iterator, NamedTuple, Optional, Sequence, Tuple, TypeVar

from blockio_plugin.simulator.chaos import draw_chaos
from blockio_plugin.simulator.trial import CPU_PER_REQUEST, Verdict, judge

PROGRESS_TIME = 2.0
"""Seconds between two words about how far it is."""

LEAST_BOUND = 5.0
"""Seconds of the bound from which on the factor over it counts: less is all start and end."""

LEAST_REQUESTS = 100
"""Requests of a run, least, from which on its CPU per request counts: before, all is beginning."""

LEAST_RUNS = 20
"""Runs whose CPU counts, least, for their median to be checked."""

CHUNK = 8
"""Networks that a process is given at a time."""

_Found = TypeVar("_Found")


class Summary(NamedTuple):
    """
    What came of all runs. ``worst``: the largest factor over the bound, and its seed; ``cpu``: CPU
    seconds per request in the median of ``measured`` runs; ``costliest``: the most, and its seed.
    """

    runs: int
    failures: int
    worst: Tuple[float, Optional[int]]
    measured: int
    cpu: float
    costliest: Tuple[float, Optional[int]]

    @property
    def is_cheap(self) -> bool:
        """Whether the rules take as little CPU as is asked of them."""
        return self.measured < LEAST_RUNS or self.cpu <= CPU_PER_REQUEST

    def __str__(self) -> str:
        factor, worst = self.worst
        cpu, costliest = self.costliest
        return (
            f"{self.runs} run, {self.failures} failures, at worst {factor:.2f} times the bound "
            f"(seed {worst}), {self.cpu * 1000:.3f} ms of CPU per request in the median and "
            f"{cpu * 1000:.3f} at worst (seed {costliest})"
            + ("" if self.is_cheap else f", FAILED: more than {CPU_PER_REQUEST * 1000:g} ms")
        )


def sum_up(verdicts: Sequence[Verdict]) -> Summary:
    """What came of all of them."""
    factors = [(item.factor, item.seed) for item in verdicts if item.bound >= LEAST_BOUND]
    costs = [
        (item.cpu / item.requests, item.seed)
        for item in verdicts
        if item.requests >= LEAST_REQUESTS
    ]
    return Summary(
        runs=len(verdicts),
        failures=sum(item.failed is not None for item in verdicts),
        worst=max(factors, default=(0.0, None)),
        measured=len(costs),
        cpu=median([cost for cost, _ in costs]) if costs else 0.0,
        costliest=max(costs, default=(0.0, None)),
    )


def judge_seed(seed: int) -> Verdict:
    """Draw the network of a seed, and play and judge it."""
    return judge(draw_chaos(seed), seed)


def judge_seeds(
    seeds: Sequence[int], processes: int, note: Callable[[str], None]
) -> Iterator[Verdict]:
    """
    The verdict on each seed, in their order.

    :param note: is told every few seconds how far it is
    """
    told_at, failures = monotonic(), 0
    for number, verdict in enumerate(play_each(judge_seed, seeds, processes, CHUNK), 1):
        failures += verdict.failed is not None
        if monotonic() >= told_at + PROGRESS_TIME:
            told_at = monotonic()
            note(f"{number} of {len(seeds)}, {failures} failures")
        yield verdict


def play_each(
    play: Callable[[int], _Found], seeds: Sequence[int], processes: int, chunk: int = 1
) -> Iterator[_Found]:
    """What ``play`` finds for each seed, in their order; ``chunk``: of them at a time."""
    if processes <= 1:
        yield from map(play, seeds)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(play, seeds, chunk)
