"""Fills the gaps of the local chain from the top down, while there is nothing better to do."""
import asyncio
import logging
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from async_service import Service

from blockio_plugin.rules.backfill import Backfill, Gap, Slice
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS, MAX_ANSWER_BYTES
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import GapFillerAPI
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.importer import MAX_BATCH_BLOCKS, MAX_BATCH_BYTES
from blockio_plugin.services.peer_requests import PeerRequests

POLL_INTERVAL = 0.5
"""Seconds between two looks at whether there is something to do."""

REPORT_INTERVAL = 5.0
"""Seconds between two lines on progress."""

STUCK_INTERVAL = 300.0
"""Seconds between two lines which say that nobody gives anything."""


class Backfiller(Service):
    """
    Fetches a slice below the lowest block above a gap, and stores what links to that block.

    What is in the database says where to go on, so nothing is lost when the node is killed.

    :param is_synced: whether the chain is at the head and nothing is left to import
    :param on_stored: is called when the chain covers more than before
    :param memory: bytes of blocks that may wait for the one above them
    """

    logger = logging.getLogger("blockio_plugin.services.Backfiller")

    def __init__(
        self,
        peers: PeerBook,
        requests: PeerRequests,
        chain: ChainThread,
        filler: GapFillerAPI,
        is_synced: Callable[[], bool],
        on_stored: Callable[[], None],
        clock: Callable[[], float],
        memory: int,
    ) -> None:
        self._memory = memory
        self._backfill = Backfill(peers)
        self._requests = requests
        self._chain = chain
        self._filler = filler
        self._is_synced = is_synced
        self._on_stored = on_stored
        self._clock = clock
        self._filled = 0
        self._stopped_by: Optional[str] = None
        self._report_due = _Interval(REPORT_INTERVAL, clock)
        self._stuck_due = _Interval(STUCK_INTERVAL, clock)

    async def run(self) -> None:
        while self._stopped_by is None:
            await self._wait_until_synced()
            gap = await self._chain.fetch_gap()
            if gap is None:
                if self._filled:
                    self.logger.info("Backfilled %d blocks: no gap is left", self._filled)
                    self._filled = 0
                # One may come back when another branch wins.
                await asyncio.sleep(POLL_INTERVAL)
            else:
                await self._fill(gap)
        self.logger.error("Backfill stops: %s", self._stopped_by)
        await self.manager.wait_finished()

    async def _wait_until_synced(self) -> None:
        while not self._is_synced():
            await asyncio.sleep(POLL_INTERVAL)

    async def _fill(self, gap: Gap) -> None:
        asked = self._backfill.next_slice(gap, self._clock())
        if asked is None:
            if self._stuck_due.has_come():
                self.logger.warning(
                    "Backfill waits: no peer gives block %d, below view %d", gap.last, gap.ceiling
                )
            await asyncio.sleep(POLL_INTERVAL)
            return
        asked_at = self._clock()
        blocks = await self._fetch(asked)
        now = self._clock()
        if blocks is None:
            self._backfill.narrow()
        else:
            linked = self._backfill.settle(gap, asked, blocks, now - asked_at, now)
            self.logger.debug(
                "%s gave %d blocks in views %s in %.2f s, of which %d fill the gap",
                asked.peer,
                len(blocks),
                asked.views,
                now - asked_at,
                len(linked),
            )
            await self._store(linked)

    async def _fetch(self, asked: Slice) -> Optional[Dict[bytes, Block]]:
        """What the peer has in the slice, by hash; None where that is too much to hold."""
        blocks: Dict[bytes, Block] = {}
        size = 0
        rest = asked.views
        while rest.length > 0:
            await self._wait_until_synced()
            answer = await self._requests.fetch(asked.peer, rest, MAX_ANSWER_BLOCKS)
            if answer is None:
                break
            size += sum(len(block.rlp) for block in answer.blocks)
            rest = ViewRange(answer.covered.stop, rest.stop)
            # What a further answer has must fit too, unless it is a single huge block.
            if size > self._memory or (rest.length > 0 and size > self._memory - MAX_ANSWER_BYTES):
                return None
            blocks.update((block.hash, block) for block in answer.blocks)
        return blocks

    async def _store(self, linked: Sequence[Block]) -> None:
        for batch in split(linked):
            await self._wait_until_synced()
            result = await self._filler.backfill_blocks(tuple(block.rlp for block in batch))
            self._filled += result.filled
            self._on_stored()
            self._stopped_by = result.refusal
            if result.filled and self._report_due.has_come():
                lowest = batch[result.filled - 1].number
                self.logger.info("Backfilling: down to block %d, %d so far", lowest, self._filled)
            if result.filled < len(batch):
                # The chain was reorganised meanwhile, or this was refused.
                return


class _Interval:
    """Whether something that is said now and then is due."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._due_at = float("-inf")

    def has_come(self) -> bool:
        """Whether it is due; if so, it is due again after the interval."""
        now = self._clock()
        if now < self._due_at:
            return False
        self._due_at = now + self._seconds
        return True


def split(blocks: Sequence[Block]) -> Iterator[Tuple[Block, ...]]:
    """Batches of at most ``MAX_BATCH_BLOCKS`` and ``MAX_BATCH_BYTES``, one block at least."""
    batch: List[Block] = []
    size = 0
    for block in blocks:
        if batch and (len(batch) == MAX_BATCH_BLOCKS or size + len(block.rlp) > MAX_BATCH_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(block)
        size += len(block.rlp)
    if batch:
        yield tuple(batch)
