"""Fetches for others: begins and ends them, supplies what our own chain covers."""
import asyncio
import logging
from typing import AsyncIterator, Callable, List, Optional, Tuple

from async_service import Service

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch_group import FetchGroup
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS, GetBlocksByView, Offence
from blockio_plugin.rules.outlet import Delivery
from blockio_plugin.rules.schemes import ViewScheme
from blockio_plugin.rules.views import ViewRange, ViewRanges
from blockio_plugin.rules.views_fetch import Completion, DueViews, ViewsFetch
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.waiting import wait_at_most

TEND_INTERVAL = 0.5
"""Seconds between two looks at fetches that nothing happens to: their waiting has an end."""

DECODE_SLICE = 32
"""Blocks that are decoded before other tasks of the process get their turn: some 5 ms of work."""


class OpenFetch:
    """One fetch, as its taker sees it."""

    def __init__(self, fetch: ViewsFetch, on_settled: Callable[[], None]) -> None:
        self._fetch = fetch
        self._on_settled = on_settled
        self._changed = asyncio.Event()

    @property
    def views_fetch(self) -> ViewsFetch:
        """What the rules know of it."""
        return self._fetch

    def notice(self) -> None:
        """Something may have come."""
        if self._fetch.is_complete or not self._fetch.outlet.is_empty:
            self._changed.set()

    async def deliveries(self) -> AsyncIterator[Optional[Delivery]]:
        """All deliveries until it is complete; None now and then where none comes for a while."""
        while True:
            self._changed.clear()
            delivery = self._fetch.outlet.take()
            if delivery is not None:
                yield delivery
            elif self._fetch.is_complete:
                return
            else:
                if not await wait_at_most(TEND_INTERVAL, self._changed.wait()):
                    yield None

    def settle(self, blocks: int) -> None:
        """The oldest ``blocks`` blocks are dealt with."""
        had_room = self._fetch.outlet.space >= 1
        self._fetch.outlet.settle(blocks)
        if not had_room:
            self._on_settled()

    def complete(self) -> Completion:
        """What came of the views that gave no block."""
        return self._fetch.complete()


class Fetcher(Service):
    """
    Runs the fetches of a group.

    :param wake_scheduler: is called when there is more to ask for
    """

    logger = logging.getLogger("blockio_plugin.services.Fetcher")

    def __init__(
        self,
        group: FetchGroup,
        chain: ChainThread,
        scheme: ViewScheme,
        wake_scheduler: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._group = group
        self._chain = chain
        self._scheme = scheme
        self._wake_scheduler = wake_scheduler
        self._clock = clock
        self._open: List[OpenFetch] = []
        self._woken = asyncio.Event()

    def begin(self, ranges: ViewRanges, window: int) -> OpenFetch:
        """
        Fetch ``ranges``, which are normal; ``window`` is the most blocks that may be unsettled.

        :raise TooManyFetches: and nothing is changed
        """
        fetch = OpenFetch(self._group.begin(ranges, window, self._clock()), self._go_on)
        self._open.append(fetch)
        self._go_on()
        return fetch

    def end(self, fetch: OpenFetch) -> None:
        """Forget a fetch, be it complete or not."""
        self._group.end(fetch.views_fetch)
        if fetch in self._open:
            self._open.remove(fetch)
        self._go_on()

    def note_own_ranges(self, ranges: ViewRanges) -> None:
        """Our own chain covers ``ranges``."""
        self._group.note_own_ranges(ranges)
        if self._open:
            self._woken.set()

    def notice(self) -> None:
        """Something came from peers: those who wait for it hear of it."""
        if self._open:
            self._group.tend(self._clock())
            for fetch in self._open:
                fetch.notice()

    def _go_on(self) -> None:
        self._woken.set()
        self._wake_scheduler()

    async def run(self) -> None:
        while self.manager.is_running:
            self._woken.clear()
            self.notice()
            if await self._supply_all():
                continue
            await wait_at_most(TEND_INTERVAL if self._open else None, self._woken.wait())

    async def _supply_all(self) -> bool:
        """Read once for each fetch that our own chain has something for; whether any was taken."""
        supplied = False
        for fetch in self._group.working:
            due = fetch.next_due()
            if due is not None:
                covered, blocks = await self._read(due.views, max(1, int(fetch.outlet.space)))
                if self._supply(fetch, due, covered, blocks):
                    supplied = True
        return supplied

    def _supply(
        self, fetch: ViewsFetch, due: DueViews, covered: ViewRange, blocks: List[Block]
    ) -> bool:
        was_taken = fetch.supply(due, covered, blocks, self._clock())
        self.notice()
        self._wake_scheduler()
        return was_taken

    async def _read(self, views: ViewRange, room: int) -> Tuple[ViewRange, List[Block]]:
        """What our own chain holds in ``views``: the covered prefix, and its blocks."""
        request = GetBlocksByView(0, views.start, views.length, min(room, MAX_ANSWER_BLOCKS))
        answer = await self._chain.fetch_blocks(request)
        blocks: List[Block] = []
        try:
            for index, encoded in enumerate(answer.blocks, start=1):
                blocks.append(decode_block(encoded, self._scheme))
                if index % DECODE_SLICE == 0:
                    await asyncio.sleep(0)
        except Offence as breach:
            self.logger.warning("A block of our own in views %s is unusable: %s", views, breach)
            return ViewRange(views.start, views.start), []
        return answer.covered, blocks
