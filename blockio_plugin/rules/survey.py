"""Who covers which of the wanted views, and which of them are scarce, kept between two plans."""
from typing import Optional, Tuple

from blockio_plugin.rules.availability import Partition
from blockio_plugin.rules.ledger import Ledger
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.ranking import Ranking, rank_segments
from blockio_plugin.rules.views import ViewRange

RANKING_TIME = 0.1
"""Seconds after which the ranking of segments is done anew."""


class Survey:
    """The partition of one ledger's views among the peers, and its ranking."""

    def __init__(self, peers: PeerBook) -> None:
        self._peers = peers
        self._partition: Optional[Partition] = None
        self._is_cut_short = False
        self._version = -1
        self._top = -1
        self._ranking: Optional[Ranking] = None
        self._ranked_at = 0.0
        self._ranked_returns = -1

    def forget_ranking(self) -> None:
        """What was ranked does not hold any more: a peer's speed or work changed by much."""
        self._ranking = None

    @staticmethod
    def _is_used_up(partition: Partition, ledger: Ledger) -> bool:
        """Whether what is wanted lies outside of the partition by now."""
        lowest = ledger.wanted.next_at(ledger.front)
        return lowest is not None and lowest not in partition.views

    def look(self, ledger: Ledger, density: float, now: float) -> Tuple[Partition, Ranking]:
        """Both as they are now, or were less than ``RANKING_TIME`` ago."""
        table = self._peers.availability
        partition, ranking = self._partition, self._ranking
        if (
            partition is None
            or self._version != table.version
            or self._top != ledger.horizon
        ):
            partition = table.partition(ViewRange(ledger.front, ledger.horizon))
            self._is_cut_short = partition.views.stop < ledger.horizon
            self._partition, self._version = partition, table.version
            self._top = ledger.horizon
            ranking = None
        if (
            ranking is None
            or now - self._ranked_at >= RANKING_TIME
            or self._ranked_returns != ledger.returns
            or (self._is_cut_short and self._is_used_up(partition, ledger))
        ):
            if self._is_cut_short:
                # Then only ranges in which something is wanted, by now, have a place in it.
                lowest = ledger.wanted.next_at(ledger.front)
                views = ViewRange(ledger.front if lowest is None else lowest, ledger.horizon)
                partition = self._partition = table.partition(views, ledger.wanted)
            ranking = rank_segments(
                partition, ledger.wanted, self._peers.scores, table, density, now
            )
            self._ranking, self._ranked_at = ranking, now
            self._ranked_returns = ledger.returns
        return partition, ranking
