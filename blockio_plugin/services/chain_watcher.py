"""Looks at what the local chain covers, whoever extends it, and tells those who care."""
import asyncio
from typing import Callable, Optional

from async_service import Service

from blockio_plugin.rules.messages import Availability
from blockio_plugin.services.abc import ChainHead
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.waiting import wait_at_most

CHAIN_POLL_INTERVAL = 0.5
"""Seconds between two looks at the chain. Trinity's own syncers do not say when they import, and a
look costs a few database reads. Half of what a new block may take to reach our peers' ears."""


class ChainWatcher(Service):
    """Polls the chain; a nudge makes it look at once."""

    def __init__(
        self,
        chain: ChainThread,
        on_availability: Callable[[Availability], None],
        on_head: Callable[[ChainHead], None],
    ) -> None:
        self._chain = chain
        self._on_availability = on_availability
        self._on_head = on_head
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """The chain has changed: look now."""
        self._nudged.set()

    async def run(self) -> None:
        known: Optional[ChainHead] = None
        while self.manager.is_running:
            self._nudged.clear()
            head = await self._chain.fetch_head()
            advert = await self._chain.fetch_availability()
            if self._nudged.is_set():
                # It moved while we looked: who moved it knows better than we do.
                continue
            # Gaps may be filled without the head moving.
            self._on_availability(advert)
            if head != known:
                known = head
                self._on_head(head)
            await wait_at_most(CHAIN_POLL_INTERVAL, self._nudged.wait())
