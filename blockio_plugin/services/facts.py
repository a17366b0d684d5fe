"""What the services tell whoever listens, where nobody does."""
from blockio_plugin.rules.views import ViewRange, ViewRanges
from blockio_plugin.services.abc import FactsAPI, PeerID


class NoFacts(FactsAPI):
    """Tells nobody."""

    def availability_updated(self, peer: PeerID, head_view: int, ranges: ViewRanges) -> None:
        """Nothing happens."""

    def views_requested(self, peer: PeerID, request_id: int, views: ViewRange) -> None:
        """Nothing happens."""

    def views_timed_out(self, peer: PeerID, request_id: int, views: ViewRange) -> None:
        """Nothing happens."""

    def peer_scored(self, peer: PeerID, score: float, reason: str) -> None:
        """Nothing happens."""

    def views_imported(self, views: ViewRange, blocks: int, head_hash: bytes) -> None:
        """Nothing happens."""


NO_FACTS = NoFacts()
"""The one that services use unless they are given another."""
