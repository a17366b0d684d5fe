"""Watches the peers' scores and says when one has changed for better or worse."""
import asyncio
import logging
from typing import Callable, Dict

from async_service import Service

from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.services.abc import PeerID

SCORE_INTERVAL = 1.0
"""Seconds between two looks at the scores."""

NOTABLE_FACTOR = 2.0
"""A score that is this many times what was last said is worth saying again."""


class Scorer(Service):
    """The fetch scores peers as answers arrive or fail to; this makes their scores heard."""

    logger = logging.getLogger("blockio_plugin.services.Scorer")

    def __init__(self, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock

    async def run(self) -> None:
        said: Dict[PeerID, float] = {}
        while self.manager.is_running:
            scores = {
                peer.peer: peer.score
                for peer in self._fetch.status(self._clock()).peers
                if peer.score is not None
            }
            for peer, score in scores.items():
                last = said.get(peer)
                if last is None or not last / NOTABLE_FACTOR < score < last * NOTABLE_FACTOR:
                    self.logger.debug("%s scores %.1f ms per block", peer, score * 1000)
                    said[peer] = score
            said = {peer: score for peer, score in said.items() if peer in scores}
            await asyncio.sleep(SCORE_INTERVAL)
