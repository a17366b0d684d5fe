"""Feeds fetched blocks, in order, to the process that imports them."""
import asyncio
from collections import deque
import logging
from typing import Callable, Deque, NamedTuple, Optional, Tuple

from async_service import Service

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch, Front
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead, FactsAPI, ImporterAPI, ImportResult, WireAPI
from blockio_plugin.services.facts import NO_FACTS

MAX_BATCH_BLOCKS = 64
"""Blocks in one call, most: small enough that progress is seen several times a second."""

MAX_BATCH_BYTES = 1024 * 1024
"""Bytes in one call, most, unless one block is larger: much larger events slow the bus."""

BATCHES_AHEAD = 2
"""Calls under way at once: while one is imported the next one is there already."""


class _Batch(NamedTuple):
    blocks: Tuple[Block, ...]
    result: "asyncio.Future[ImportResult]"


class Importer(Service):
    """Keeps the importing process busy as long as there are linked blocks."""

    logger = logging.getLogger("blockio_plugin.services.Importer")

    def __init__(
        self,
        fetch: Fetch,
        importer: ImporterAPI,
        wire: WireAPI,
        head: ChainHead,
        heads: Heads,
        on_import: Callable[[int], None],
        clock: Callable[[], float],
        facts: FactsAPI = NO_FACTS,
    ) -> None:
        self._fetch = fetch
        self._importer = importer
        self._wire = wire
        self._heads = heads
        self._on_import = on_import
        self._clock = clock
        self._facts = facts
        self._woken = asyncio.Event()
        self._batches: Deque[_Batch] = deque()
        self._idle_since = clock()
        self._move(head)

    def _move(self, head: ChainHead) -> None:
        self._head = head
        self._heads.note_own(head.view, self._clock())

    @property
    def head(self) -> ChainHead:
        """The head of the local chain, as far as we know."""
        return self._head

    def wake(self) -> None:
        """There may be something to import."""
        self._woken.set()

    def is_idle(self, seconds: float) -> bool:
        """Whether there has been nothing to import for so many seconds."""
        return not self._batches and self._clock() >= self._idle_since + seconds

    def notice_head(self, head: ChainHead) -> bool:
        """
        The chain's head is this. Where somebody else moved it, fetching goes on from there, and
        this is true.
        """
        if self._batches or head == self._head:
            return False
        self.logger.debug("The head moved to block %d without us", head.number)
        self._move(head)
        self._rewind()
        return True

    async def import_branch(self, blocks: Tuple[Block, ...]) -> ImportResult:
        """
        Import blocks that do not follow the head, each the child of the one before, the first a
        child of a block that is held. They become canonical by total difficulty alone.
        """
        result = await self._importer.import_blocks(
            tuple(block.rlp for block in blocks), announce=True
        )
        self._tell(blocks, result)
        return result

    def _rewind(self) -> None:
        self._fetch.rewind(Front(self._head.view + 1, self._head.hash), self._clock())

    async def run(self) -> None:
        try:
            while self.manager.is_running:
                self._woken.clear()
                self._fill()
                if self._batches and self._batches[0].result.done():
                    await self._settle(self._batches.popleft())
                    self._idle_since = self._clock()
                else:
                    await self._woken.wait()
        finally:
            for batch in self._batches:
                batch.result.cancel()

    def _fill(self) -> None:
        while len(self._batches) < BATCHES_AHEAD:
            blocks = self._fetch.ready(MAX_BATCH_BLOCKS, MAX_BATCH_BYTES)
            if not blocks:
                return
            call = self._importer.import_blocks(
                tuple(block.rlp for block in blocks),
                announce=self._heads.is_reached(blocks[-1].view, self._clock()),
            )
            result = asyncio.ensure_future(call)
            result.add_done_callback(lambda _: self._woken.set())
            self._batches.append(_Batch(blocks, result))

    async def _settle(self, batch: _Batch) -> None:
        result = batch.result.result()
        self._move(result.head)
        if result.failure is None:
            self._fetch.confirm(batch.blocks[-1].view)
            if not self._batches and result.head.hash != batch.blocks[-1].hash:
                # Another branch became the canonical one while this was under way.
                self._rewind()
        else:
            await self._refuse(batch, result)
        self._tell(batch.blocks, result)

    def _tell(self, blocks: Tuple[Block, ...], result: ImportResult) -> None:
        if result.imported:
            refused = None if result.failure is None else result.failure.block_hash
            stop = next((block.view for block in blocks if block.hash == refused), None)
            views = ViewRange(blocks[0].view, blocks[-1].view + 1 if stop is None else stop)
            self._facts.views_imported(views, result.imported, result.head.hash)
        self._on_import(result.imported)

    async def _refuse(self, batch: _Batch, result: ImportResult) -> None:
        assert result.failure is not None
        # What was handed out after the refused block cannot be imported either.
        while self._batches:
            await self._batches.popleft().result
        refused = self._find(batch, result.failure.block_hash)
        if refused is None:
            raise RuntimeError(f"the importer refused a block it was not given: {result.failure}")
        reason = f"its block {refused.number} (view {refused.view}) is invalid: "
        for peer in self._fetch.reject(refused.hash, self._clock()):
            self._wire.drop(peer, reason + result.failure.reason)

    @staticmethod
    def _find(batch: _Batch, block_hash: bytes) -> Optional[Block]:
        return next((block for block in batch.blocks if block.hash == block_hash), None)
