"""
Ends the node when a process that it cannot do without is gone.

Trinity notices a component that returns or raises, not one that is killed: its node would go on and
do nothing. The event bus does not notice either. So a connection of our own to the process's socket
is kept, on which nothing is said; it ends with the process.
"""
import asyncio
import logging
from pathlib import Path
from typing import Tuple

from async_service import Service

CONNECT_INTERVAL = 0.2
"""Seconds between two attempts to connect, while the process starts."""

GRACE_TIME = 5.0
"""Seconds between noticing and ending the node. When it ends anyway, processes go in any order, and
Trinity gives each about 2 s."""

READ_SIZE = 4096
"""Bytes of what the other side says that are thrown away at once."""


class ProcessGone(Exception):
    """A process that the node cannot do without has ended. The message names it."""


class EndpointWatch(Service):
    """Runs for as long as the process that listens on ``path`` is there, once it was."""

    logger = logging.getLogger("blockio_plugin.node.EndpointWatch")

    def __init__(self, path: Path) -> None:
        self._path = path

    async def run(self) -> None:
        reader, writer = await self._connect()
        try:
            while await reader.read(READ_SIZE):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()
        await asyncio.sleep(GRACE_TIME)
        reason = f"the process {self._path.stem} is gone"
        self.logger.error("Block I/O cannot go on, so the node stops: %s", reason)
        raise ProcessGone(reason)

    async def _connect(self) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            try:
                return await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await asyncio.sleep(CONNECT_INTERVAL)
