"""How long blocks take through a window of views, at least, whoever brings them."""
from typing import List, Sequence, Tuple

from blockio_plugin.simulator.bound import Supply, fastest_rate, least_latency, least_time
from blockio_plugin.simulator.models import Scenario


def cross_window(
    scenario: Scenario, supplies: Sequence[Supply], blocks: int, amount: float, places: int
) -> float:
    """
    The least time (s) at which so many ``blocks`` can have come through a window that has
    ``places`` for them; ``amount``: what they come to, as the scenario counts.

    Each block has a place from when it is asked for until it is here: the way there and back, the
    overhead, and its own work, link and decoding. All those times together are no more than the
    places in the time that passes. They are least where those who take least bring all they can.
    """
    first = min(model.joins for model in scenario.peers)
    latencies = [least_latency(model, scenario.jitter) for model in scenario.peers]
    passing = 1 / scenario.download if scenario.download else 0.0
    work = [1 / fastest_rate(model) + passing for model in scenario.peers]
    if scenario.in_bytes:
        # How many bytes a block has hangs on which it is: the nearest bring them all, at best.
        fixed = blocks * (min(latencies) + scenario.decode)
    else:
        fixed = blocks * scenario.decode
        work = [each + latency for each, latency in zip(work, latencies)]
    quickest = sorted(zip(work, supplies), key=lambda pair: pair[0])

    def is_through(time: float) -> float:
        taken = _occupy(quickest, amount, time)
        return float(fixed + taken <= places * (time - first))

    return least_time(is_through, 1.0)


def _occupy(quickest: List[Tuple[float, Supply]], amount: float, time: float) -> float:
    """The least that ``amount`` occupies, where all of it is here by ``time``; inf: it cannot."""
    total, left = 0.0, amount
    for work, supply in quickest:
        brought = min(left, supply(time))
        total += brought * work
        left -= brought
        if left <= 0:
            return total
    return float("inf")
