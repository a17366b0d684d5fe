"""
Feeds fetched blocks, in order, to the process that imports them.

1. A block that is found invalid costs whoever gave it the connection, and is never taken again.
2. One that fails for any other reason is put aside. Perhaps our database lacks something, and then
   the block is right; perhaps it was made to trip us up, and then another peer has the right one at
   its place. We cannot tell. So nobody is dropped; its sender is not asked for that view for a
   while, and the others are. A different block that links is imported at once. The same one is
   passed over, whoever gives it, until its pause is over, and then tried again.
3. The pauses double up to a bound, for the block and for its sender, who could otherwise give one
   such block after the other. The first block that goes in ends all of them.
"""
import asyncio
from collections import deque
from itertools import takewhile
import logging
from typing import Callable, Deque, Dict, NamedTuple, Optional, Tuple

from async_service import Service

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.fetch import Fetch, Front
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.put_aside import PutAside, let_go
from blockio_plugin.rules.status import FetchStatus
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import (
    ChainHead,
    FactsAPI,
    ImporterAPI,
    ImportFailure,
    ImportResult,
    PeerID,
    WireAPI,
)
from blockio_plugin.services.facts import NO_FACTS

MAX_BATCH_BLOCKS = 64
"""Blocks in one call, most: small enough that progress is seen several times a second."""

MAX_BATCH_BYTES = 1024 * 1024
"""Bytes in one call, most, unless one block is larger: much larger events slow the bus."""

BATCHES_AHEAD = 2
"""Calls under way at once: while one is imported the next one is there already."""

TROUBLE_INTERVAL = 60.0
"""Seconds between two lines in the log about blocks that fail for the same kind of reason."""


class _Trouble(NamedTuple):
    """The block that could not be imported last, and when it is tried again."""

    block: Block
    reason: str
    until: float

    def tell(self, now: float) -> str:
        """In plain words."""
        block, seconds = self.block, self.until - now
        when = f"in {seconds:.0f} s" if seconds > 0 else "as soon as a peer gives it"
        return (
            f"block {block.number} (view {block.view}, 0x{block.hash.hex()[:8]}) cannot be "
            f"imported, which is not known to be its fault: {self.reason}; other peers are asked "
            f"for theirs, and it is tried again {when}"
        )


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
        self._put_aside = PutAside()
        self._trouble: Optional[_Trouble] = None
        self._warn_from: Dict[str, float] = {}
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
        self._forget_trouble()
        self._rewind()
        return True

    def status(self, now: float) -> FetchStatus:
        """What the fetch is doing. Where it waits for a block that is put aside, it says so."""
        status = self._fetch.status(now)
        if self._trouble is None or status.idle_reason is None:
            return status
        return status._replace(idle_reason=self._trouble.tell(now))

    async def import_branch(self, peer: PeerID, blocks: Tuple[Block, ...]) -> ImportResult:
        """
        Import blocks of ``peer`` that do not follow the head, each the child of the one before, the
        first a child of a block that is held. They become canonical by total difficulty alone.
        """
        now = self._clock()
        due = tuple(takewhile(lambda block: now >= self._paused_until(block, peer), blocks))
        result = ImportResult(self._head, 0, None)
        if due:
            rlps = tuple(block.rlp for block in due)
            result = await self._importer.import_blocks(rlps, announce=True)
            self._tell(due, result)
        if result.failure is None and len(due) < len(blocks):
            return result._replace(
                failure=ImportFailure(blocks[len(due)].hash, "it is put aside", is_invalid=False)
            )
        if result.failure is not None and not result.failure.is_invalid:
            self._note_trouble(self._find(due, result.failure), peer, result.failure)
        return result

    def _rewind(self) -> None:
        self._fetch.rewind(Front(self._head.view + 1, self._head.hash), self._clock())

    async def run(self) -> None:
        try:
            while self.manager.is_running:
                self._woken.clear()
                self._fill()
                if self._batches and self._batches[0].result.done():
                    await self._settle(self._batches[0])
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
            until = self._paused_until(blocks[0], self._fetch.cache.supplier(blocks[0].view))
            if self._clock() < until:
                self._ask_others(blocks[0], until)
                continue
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
        if result.imported:
            self._forget_trouble()
        if result.failure is None:
            self._batches.popleft()
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
        failure = result.failure
        assert failure is not None
        # What was handed out after the refused block cannot be imported either. Until that is
        # over, this is no time to take notice of a head, or to follow branches.
        for later in tuple(self._batches):
            await later.result
        self._batches.clear()
        refused = self._find(batch.blocks, failure)
        if failure.is_invalid:
            reason = f"its block {refused.number} (view {refused.view}) is invalid: "
            for peer in self._fetch.reject(refused.hash, self._clock()):
                self._wire.drop(peer, reason + failure.reason)
            return
        # All that was handed out before it is in the database.
        self._fetch.confirm(refused.view - 1)
        supplier = self._fetch.cache.supplier(refused.view)
        self._trouble = self._note_trouble(refused, supplier, failure)
        self._ask_others(refused, self._trouble.until)
        if result.head.hash != refused.parent_hash:
            # Another branch became the canonical one meanwhile.
            self._rewind()

    @staticmethod
    def _find(blocks: Tuple[Block, ...], failure: ImportFailure) -> Block:
        for block in blocks:
            if block.hash == failure.block_hash:
                return block
        raise RuntimeError(f"the importer refused a block it was not given: {failure}")

    #
    # What failed for a reason that is not known to be its fault
    #
    def _note_trouble(
        self, block: Block, supplier: Optional[PeerID], failure: ImportFailure
    ) -> _Trouble:
        now = self._clock()
        until = self._put_aside.add(block.hash, now)
        if supplier is not None:
            until = max(until, self._put_aside.add(supplier, now))
        trouble = _Trouble(block, failure.reason, until)
        # It begins with the type of the error.
        kind = failure.reason.partition(":")[0]
        if now >= self._warn_from.get(kind, now):
            self._warn_from[kind] = now + TROUBLE_INTERVAL
            self.logger.warning("Nobody is blamed: %s", trouble.tell(now))
        return trouble

    def _forget_trouble(self) -> None:
        self._put_aside.clear()
        self._trouble = None

    def _paused_until(self, block: Block, supplier: Optional[PeerID]) -> float:
        return max(self._put_aside.until(block.hash), self._put_aside.until(supplier))

    def _ask_others(self, block: Block, until: float) -> None:
        let_go(self._fetch, block.hash, until, self._clock())
        self._on_import(0)
