"""Says in the log what was given to peers."""
import asyncio
import logging

from async_service import Service

from blockio_plugin.rules.traffic import Served, Traffic

SERVING_INTERVAL = 60.0
"""Seconds between two lines; none where nothing was given meanwhile."""


def describe_served(served: Served) -> str:
    """One line on what was given in the last ``SERVING_INTERVAL``."""
    blocks = "1 block" if served.blocks == 1 else f"{served.blocks} blocks"
    peers = "1 peer" if served.peers == 1 else f"{served.peers} peers"
    return f"Served {blocks} ({served.bytes / 1e6:.1f} MB) to {peers} in the last minute"


class ServingReporter(Service):
    """One line a minute while peers are served."""

    logger = logging.getLogger("blockio_plugin.services.ServingReporter")

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def run(self) -> None:
        while self.manager.is_running:
            await asyncio.sleep(SERVING_INTERVAL)
            served = self._traffic.take_served()
            if served.blocks:
                self.logger.info("%s", describe_served(served))
