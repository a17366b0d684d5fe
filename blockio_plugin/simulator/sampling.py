"""Many networks of a family, each played, and what came of all of them."""
from functools import partial
from math import inf
from statistics import median
from typing import Any, Dict, Iterator, NamedTuple, Sequence, Tuple

from blockio_plugin.simulator.campaign import play_each
from blockio_plugin.simulator.families import draw_network
from blockio_plugin.simulator.run import simulate

TOLD = 3
"""Seeds of the worst networks that are told, most."""


class Sample(NamedTuple):
    """
    One network of a family, played. ``ratio``: over the lower bound, ``inf`` where it did not
    finish; times in virtual seconds, but for ``cpu_seconds``.
    """

    seed: int
    ratio: float
    seconds: float
    honest_banned: int
    cpu_seconds: float


class FamilySummary(NamedTuple):
    """
    What came of all samples of a family: ratios in the median, of the ninth in ten, and of the
    worst; and the seeds of the worst, those first.
    """

    family: str
    runs: int
    median: float
    p90: float
    worst: float
    worst_seeds: Tuple[Tuple[int, float], ...]
    unfinished: int
    honest_banned: int
    cpu_share: float

    @property
    def is_sound(self) -> bool:
        """Whether all finished, and nobody honest was dropped."""
        return not (self.unfinished or self.honest_banned)

    def __str__(self) -> str:
        seeds = ", ".join(f"{seed} ({ratio:.3f})" for seed, ratio in self.worst_seeds)
        return (
            f"{self.family}: {self.runs} networks, median {self.median:.3f}, p90 {self.p90:.3f}, "
            f"worst {self.worst:.3f}; {self.unfinished} unfinished, {self.honest_banned} honest "
            f"peers banned; seeds of the worst: {seeds}"
        )

    def to_json(self) -> Dict[str, Any]:
        """Plain values for a JSON object; a ratio that is infinite is null."""
        finite = {
            key: None if value == inf else value for key, value in self._asdict().items()
        }
        seeds = [[seed, None if ratio == inf else ratio] for seed, ratio in self.worst_seeds]
        return {**finite, "worst_seeds": seeds}


def play_sample(family: str, seed: int) -> Sample:
    """Draw a network, and play it."""
    result = simulate(draw_network(family, seed), seed)
    ratio = result.ratio if result.finished else inf
    return Sample(seed, ratio, result.seconds, result.honest_banned, result.cpu_seconds)


def play_samples(family: str, seeds: Sequence[int], processes: int = 1) -> Iterator[Sample]:
    """The sample of each seed, in their order."""
    return play_each(partial(play_sample, family), seeds, processes)


def sum_up(family: str, samples: Sequence[Sample]) -> FamilySummary:
    """What came of all of them."""
    ranked = sorted(samples, key=lambda sample: sample.ratio)
    ratios = [sample.ratio for sample in ranked]
    return FamilySummary(
        family=family,
        runs=len(samples),
        median=median(ratios),
        p90=ratios[len(ratios) * 9 // 10],
        worst=ratios[-1],
        worst_seeds=tuple((sample.seed, sample.ratio) for sample in ranked[: -TOLD - 1 : -1]),
        unfinished=ratios.count(inf),
        honest_banned=sum(sample.honest_banned for sample in samples),
        cpu_share=max(sample.cpu_seconds / sample.seconds for sample in samples),
    )
