"""Watches the peers' scores and says when one has changed for better or worse."""
import asyncio
import logging
from typing import Callable, Dict, Optional

from async_service import Service

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.status import PeerStatus
from blockio_plugin.services.abc import FactsAPI, PeerID
from blockio_plugin.services.facts import NO_FACTS

SCORE_INTERVAL = 1.0
"""Seconds between two looks at the scores."""

NOTABLE_FACTOR = 2.0
"""A score that is this many times what was last said is worth saying again."""


class Scorer(Service):
    """The fetch scores peers as answers arrive or fail to; this makes their scores heard."""

    logger = logging.getLogger("blockio_plugin.services.Scorer")

    def __init__(
        self, fetch: Fetch, clock: Callable[[], float], facts: FactsAPI = NO_FACTS
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._facts = facts

    async def run(self) -> None:
        said: Dict[PeerID, PeerStatus] = {}
        while self.manager.is_running:
            peers = {peer.peer: peer for peer in self._fetch.status(self._clock()).peers}
            for peer, status in peers.items():
                reason = find_reason(said.get(peer), status)
                if reason is not None and status.score is not None:
                    self.logger.debug(
                        "%s scores %.1f ms per block: %s", peer, status.score * 1000, reason
                    )
                    self._facts.peer_scored(peer, status.score, reason)
                    said[peer] = status
            said = {peer: status for peer, status in said.items() if peer in peers}
            await asyncio.sleep(SCORE_INTERVAL)


def find_reason(last: Optional[PeerStatus], now: PeerStatus) -> Optional[str]:
    """Why a score is worth saying, in plain words; None where it is not. ``last``: as last said."""
    if now.score is None:
        return None
    if last is None or last.score is None:
        return "it supplied its first blocks"
    if now.faults > last.faults:
        return "it called views empty that are not, or sent an invalid block"
    if now.late_requests > last.late_requests:
        return "it let requests time out"
    if now.score >= last.score * NOTABLE_FACTOR:
        return "it became slower"
    if now.score <= last.score / NOTABLE_FACTOR:
        return "it became quicker"
    return None
