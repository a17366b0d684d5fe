"""Says in the log that a node which somebody asked us to connect to cannot be reached, and why."""
import asyncio
import contextlib
import logging
from typing import Iterable, Iterator, Set

from p2p.abc import NodeAPI

PATIENCE = "it does not answer in time"
"""What is said of who was dialled for so long that Trinity gave up."""


class DialReport:
    """
    One line for each node that was asked for by name, and one more each time that it was reached in
    between. Trinity itself says so at DEBUG only, and goes on trying every five minutes.
    """

    logger = logging.getLogger("blockio_plugin.protocol.DialReport")

    def __init__(self, preferred: Iterable[NodeAPI]) -> None:
        self._preferred = frozenset(preferred)
        self._told: Set[NodeAPI] = set()

    @contextlib.contextmanager
    def watch(self, remote: NodeAPI) -> Iterator[None]:
        """``remote`` is dialled inside; what goes wrong is told of, and goes on."""
        try:
            yield
        except asyncio.CancelledError:
            self._tell(remote, PATIENCE)
            raise
        except Exception as err:
            # Of many the name of the error says more than its text.
            text = str(err).strip("'\" ")
            self._tell(remote, f"{type(err).__name__}: {text}" if text else type(err).__name__)
            raise
        self._told.discard(remote)

    def _tell(self, remote: NodeAPI, reason: str) -> None:
        if remote in self._preferred and remote not in self._told:
            self._told.add(remote)
            self.logger.info("Cannot reach the preferred node %s: %s", remote.uri(), reason)
