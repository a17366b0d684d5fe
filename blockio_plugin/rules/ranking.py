"""
Scarcest range first: how long each class of segments still takes with the peers that hold it.

Ranking looks at every segment, so it is done when segments or what is wanted in them changed, and
else at intervals, and not for each request.
"""
from typing import Dict, List, Mapping, NamedTuple, Tuple

from blockio_plugin.rules.availability import AvailabilityTable, Partition
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.scoring import Score
from blockio_plugin.rules.view_set import ViewSet

LONG = 1e9
"""Seconds that a class takes which nobody can be asked for now."""


class Standing(NamedTuple):
    """
    Of a class of segments, in seconds.

    ``time_left``: the blocks likely wanted in it over the rates of all its holders. ``quickest``:
    the least time in which one of them answers for a single block. ``rate``: blocks/s of all of
    them, above 0.
    """

    time_left: float
    quickest: float
    rate: float


class Ranking(NamedTuple):
    """The segments each peer may be asked for, scarcest first, and how each segment stands."""

    order: Dict[PeerID, Tuple[int, ...]]
    standings: Dict[int, Standing]


def rank_segments(
    partition: Partition,
    wanted: ViewSet,
    scores: Mapping[PeerID, Score],
    table: AvailabilityTable,
    density: float,
    now: float,
) -> Ranking:
    """Rank the segments in which anything is wanted. Peers that pause do not count as holders."""
    views: Dict[int, int] = {}
    members: Dict[int, List[int]] = {}
    for number, segment in enumerate(partition.segments):
        if segment.holders:
            count = wanted.count(segment.start, segment.stop)
            if count:
                # Segments of a class share one tuple of holders.
                key = id(segment.holders)
                views[key] = views.get(key, 0) + count
                members.setdefault(key, []).append(number)
    standings: Dict[int, Standing] = {}
    for key, numbers in members.items():
        rate, quickest = 0.0, float("inf")
        lowest = wanted.next_at(partition.segments[numbers[0]].start)
        for peer in partition.segments[numbers[0]].holders:
            score = scores[peer]
            if score.paused_until > now:
                continue
            if lowest is not None and table.is_excluded(peer, lowest, now):
                continue
            rate += 1.0 / score.value
            quickest = min(quickest, score.round_trip + score.service_time(1))
        time_left = views[key] * density / rate if rate else LONG
        standing = Standing(time_left, quickest, max(rate, 1.0 / LONG))
        standings.update(dict.fromkeys(numbers, standing))
    ranked = sorted(standings, key=lambda number: (-standings[number].time_left, number))
    if len(ranked) == 1:
        number = ranked[0]
        return Ranking(dict.fromkeys(partition.segments[number].holders, (number,)), standings)
    order: Dict[PeerID, List[int]] = {}
    for number in ranked:
        for peer in partition.segments[number].holders:
            order.setdefault(peer, []).append(number)
    return Ranking({peer: tuple(numbers) for peer, numbers in order.items()}, standings)
