"""When work will likely end: open requests, and what several peers share."""
from typing import Iterable, Iterator, NamedTuple, Tuple

from blockio_plugin.rules.requests import OpenRequest, PeerQueue
from blockio_plugin.rules.scoring import Score


def finish_times(
    queue: PeerQueue, score: Score, now: float
) -> Iterator[Tuple[OpenRequest, float]]:
    """When each open request of a peer will likely be answered (s)."""
    free_at = score.last_arrival
    stretch = 1.0
    for entry in queue.unanswered.values():
        service = score.service_time(entry.blocks)
        free_at = max(free_at, entry.request.issued_at + score.round_trip) + service * stretch
        if free_at < now:
            # What is late by x will take about x more; so will, in proportion, what is behind it.
            overdue = now - free_at
            stretch = min((service + 2 * overdue) / service, 100.0)
            free_at = now + overdue
        if not entry.is_late:
            yield entry, free_at


class Supply(NamedTuple):
    """Somebody who supplies ``rate`` blocks/s, above 0, from ``begin`` on (seconds from now)."""

    begin: float
    rate: float


def time_to_supply(blocks: float, supplies: Iterable[Supply]) -> float:
    """Seconds in which all together supply ``blocks``, so that they end together; inf: never."""
    if blocks <= 0:
        return 0.0
    left, rate, time = blocks, 0.0, 0.0
    for begin, more in sorted(supplies):
        if left <= (begin - time) * rate:
            break
        left -= (begin - time) * rate
        time, rate = begin, rate + more
    return time + left / rate if rate else float("inf")
