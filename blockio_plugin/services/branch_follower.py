"""
Finds peers on other branches than ours, and gives their branches the chance to win.

1. A peer whose block does not follow ours, and all that have advertised while nothing else is to be
   done, are compared with our chain, side by side: do they have our block, and if not, from where
   on not. Who was silent comes after the others.
2. One that is on another branch is not asked for blocks above the fork in the ordinary course. Nor
   is one asked above our head whose block does not follow ours, and that does not say why.
3. When there is nothing else to import, its branch is fetched from it alone and imported from the
   fork up. The importer makes it canonical where its total difficulty is the higher one.
4. One peer has its turn at a time. While it brings next to nothing, twice as many have theirs, so
   that silent ones, however many they are, do not keep better branches from us. Fetching goes on
   side by side then, and importing batch by batch.
5. Once a branch is canonical, everybody's standing is found out anew, and ordinary fetching goes on
   from there. Where it loses, its last block is remembered; being on it is no offence.
"""
import asyncio
from itertools import islice
import logging
from typing import Callable, List, NamedTuple, Optional, Tuple

from async_service import Service

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.branches import Branches, Position
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.fork_search import ForkSearch
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.turns import Turns
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ImportFailure, PeerID, WireAPI
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.collector import AvailabilityCollector
from blockio_plugin.services.errands import Errands
from blockio_plugin.services.importer import Importer
from blockio_plugin.services.peer_requests import PeerAnswer, PeerRequests
from blockio_plugin.services.waiting import wait_at_most

POLL_INTERVAL = 0.1
"""Seconds between two looks at whether there is something to do, most."""

STALL_TIME = 1.0
"""Seconds without anything to import after which branches get their turn before we are synced."""

TURN_TIME = 30.0
"""Seconds that one peer is compared, or its branch followed, at a time, most (and the answer under
way). What it has beyond that is followed when it was compared anew."""

SUSPECT_TIME = 1.0
"""Seconds that a peer whose block does not follow ours has to show where it stands, before others
are asked for that block as well."""

MAX_AT_ONCE = 256
"""Peers compared at once, most, and branches followed at once, most: ten times as many as a node
has peers by default. One that is compared takes a request and two blocks."""

BRANCH_BLOCKS = 128
"""Blocks of a branch in one request, most."""

MAX_TIPS = 4
"""Last blocks of stored branches that a peer on another branch is asked for, most. What it has of
others is fetched once more, but not imported."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Bytes of blocks of branches that wait to be imported, most, beside the batch of one peer: eight
full answers. What comes beyond that is fetched again later."""


class _Comparison(NamedTuple):
    """
    How a peer's chain compares with ours: the highest block in common, None where it is ours, and
    the view of its next block after our head, None where that is not known.
    """

    fork: Optional[Position]
    next_view: Optional[int] = None


class BranchFollower(Service):
    """Ordinary fetching and importing go on beside it."""

    logger = logging.getLogger("blockio_plugin.services.BranchFollower")

    def __init__(
        self,
        fetch: Fetch,
        branches: Branches,
        heads: Heads,
        collector: AvailabilityCollector,
        importer: Importer,
        chain: ChainThread,
        requests: PeerRequests,
        wire: WireAPI,
        on_progress: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._branches = branches
        self._heads = heads
        self._collector = collector
        self._importer = importer
        self._chain = chain
        self._requests = requests
        self._wire = wire
        self._on_progress = on_progress
        self._clock = clock
        self._woken = asyncio.Event()
        self._comparisons = Errands(self.wake)
        self._attempts = Errands(self.wake)
        self._turns = Turns(MAX_AT_ONCE)
        self._importing = asyncio.Lock()
        self._importing_for: Optional[PeerID] = None
        self._waiting_bytes = 0
        self._restarts = 0

    def wake(self) -> None:
        """A peer has advertised or sent blocks."""
        self._woken.set()

    def restart(self) -> None:
        """
        Our chain was reorganised: where peers stand has to be found out anew. What they sent so far
        is most likely of the branch that was left.
        """
        self._restarts += 1
        self._comparisons.cancel()
        # An import that is under way cannot be called back.
        self._attempts.cancel(spared=(self._importing_for,))
        self._branches.restart()
        for peer in self._branches:
            self._fetch.disown(peer, self._importer.head.view)
            self._collector.refresh(peer)
        self._on_progress()

    async def run(self) -> None:
        try:
            while self.manager.is_running:
                self._woken.clear()
                self._comparisons.collect()
                self._attempts.collect()
                self._act(self._clock())
                await wait_at_most(POLL_INTERVAL, self._woken.wait())
        finally:
            await self._comparisons.end()
            await self._attempts.end()

    def _act(self, now: float) -> None:
        """Begin what is to be done now."""
        suspect = self._fetch.suspect()
        if suspect is not None:
            self._examine(suspect, now)
        is_synced = self._heads.is_reached(self._importer.head.view, now)
        if not self._importer.is_idle(0.0 if is_synced else STALL_TIME):
            return
        untried = [peer for peer in self._branches.to_try() if peer not in self._attempts]
        places = self._turns.free_places(len(self._attempts), len(untried), now)
        for peer in untried[:places]:
            self._branches.begin(peer, now)
            self._attempts.begin(peer, self._try(peer))
        for peer in self._branches.to_look(self._importer.head.view, now):
            self._begin_comparison(peer, now)

    #
    # Comparing
    #
    def _begin_comparison(self, peer: PeerID, now: float) -> None:
        if peer not in self._comparisons and len(self._comparisons) < MAX_AT_ONCE:
            self._branches.look(peer, now)
            self._comparisons.begin(peer, self._compare(peer))

    def _examine(self, suspect: PeerID, now: float) -> None:
        """
        A suspect is compared, and whoever else is ahead, who may be the next one. It is not waited
        for long: others are to be asked for what follows our head.
        """
        if suspect not in self._comparisons:
            if self._branches.may_look(suspect, now):
                self._begin_comparison(suspect, now)
                for peer in self._branches.ahead(self._importer.head.view, now):
                    self._begin_comparison(peer, now)
        elif now >= self._branches.looked_at(suspect) + SUSPECT_TIME:
            self._distrust(suspect)

    async def _compare(self, peer: PeerID) -> None:
        found = await self._find_fork(peer)
        if found is not None:
            self._settle(peer, found.fork)
        if self._fetch.suspect() == peer:
            self._judge(peer, found)

    def _settle(self, peer: PeerID, fork: Optional[Position]) -> None:
        known = self._branches.fork(peer)
        self._branches.settle(peer, fork)
        if fork == known or peer not in self._branches:
            return
        if fork is not None:
            if self._branches.may_tell(peer, self._clock()):
                self.logger.info(
                    "%s is on another branch than ours from block %d on", peer, fork.number + 1
                )
            self._fetch.disown(peer, fork.view)
        self._collector.refresh(peer)
        self._on_progress()

    def _judge(self, suspect: PeerID, found: Optional[_Comparison]) -> None:
        """
        A suspect that has our head may have been on another branch when it sent what it sent. Its
        blocks are dropped, but once only. After that either links tell who is right, where it says
        that there is a block in between, or it is not believed any more.
        """
        if found is None:
            self._distrust(suspect)
        elif found.fork is None:
            ours = self._importer.head
            above = self._fetch.cache.held.next_at(ours.view + 1)
            if self._branches.absolve(suspect, ours.hash):
                self._fetch.disown(suspect, ours.view)
                self._on_progress()
            elif found.next_view is None or above is None or found.next_view >= above:
                self._branches.shun(suspect, self._clock())
                self._distrust(suspect)

    def _distrust(self, suspect: PeerID) -> None:
        """Until it shows where it stands, it is taken to be on another branch from our head on."""
        self._settle(suspect, Position(*self._importer.head))

    async def _find_fork(self, peer: PeerID) -> Optional[_Comparison]:
        """How the peer's chain compares with ours; None where it does not tell."""
        head_view = self._branches.head_view(peer)
        if head_view is None:
            return None
        stop_at = self._clock() + TURN_TIME
        ours = self._importer.head
        if head_view >= ours.view:
            top: Optional[Position] = Position(*ours)
        else:
            top = await self._chain.fetch_position(head_view)
        if top is None or top.view > head_view:
            return None
        answer = await self._ask(peer, ViewRange(top.view, head_view + 1), 2)
        if answer is None:
            return None
        if self._has(answer, top):
            following = answer.blocks[1:]
            for block in following:
                # Up to our head we know that our chain has no block there.
                if block.view <= ours.view or block.parent_hash != ours.hash:
                    return _Comparison(top)
            return _Comparison(None, following[0].view if following else None)
        search = ForkSearch(top.number)
        search.learn(top.number, False)
        while search.candidate is not None:
            if self._clock() >= stop_at:
                return None
            position = await self._chain.fetch_position_of_block(search.candidate)
            if position is None:
                return None
            view = position.view
            answer = await self._ask(peer, ViewRange(view, view + 1), 1)
            if answer is None:
                return None
            search.learn(position.number, self._has(answer, position))
        fork = await self._chain.fetch_position_of_block(search.fork)
        return None if fork is None else _Comparison(fork)

    async def _ask(self, peer: PeerID, views: ViewRange, blocks: int) -> Optional[PeerAnswer]:
        """The peer's answer, as far as it may be asked; None where it gives none."""
        allowance = self._branches.asks(peer)
        if allowance is None:
            return None
        await asyncio.sleep(allowance.wait_time(self._clock()))
        allowance.spend(1.0, self._clock())
        answer = await self._requests.fetch(peer, views, blocks)
        self._branches.note_answer(peer, answer is not None)
        return answer

    @staticmethod
    def _has(answer: PeerAnswer, position: Position) -> bool:
        return bool(answer.blocks) and answer.blocks[0].hash == position.hash

    #
    # Trying
    #
    async def _try(self, peer: PeerID) -> None:
        """Import what the peer has of its branch, as far as it is not stored already."""
        fork = self._branches.fork(peer)
        if fork is None:
            return
        if not await self._chain.holds_state(fork.number):
            if self._branches.may_tell(peer, self._clock()):
                self.logger.warning(
                    "%s is on a branch from block %d on, below the states that we hold",
                    peer,
                    fork.number,
                )
            return
        stop_at = self._clock() + TURN_TIME
        tip = await self._find_stored(peer, fork)
        while True:
            blocks = await self._fetch_after(peer, tip, stop_at)
            if not blocks or not await self._import(peer, fork, blocks):
                break
            tip = _position(blocks[-1])
        if tip != fork and self._branches.fork(peer) == fork:
            self._branches.remember(fork, tip)
        if self._clock() >= stop_at:
            self._branches.defer(peer)

    async def _import(self, peer: PeerID, fork: Position, blocks: Tuple[Block, ...]) -> bool:
        """Import the next blocks of a branch; whether to go on with it."""
        size = sum(len(block.rlp) for block in blocks)
        if self._waiting_bytes and self._waiting_bytes + size > MAX_WAITING_BYTES:
            self._branches.defer(peer)
            return False
        self._waiting_bytes += size
        try:
            async with self._importing:
                self._importing_for = peer
                try:
                    return await self._import_next(peer, fork, blocks)
                finally:
                    self._importing_for = None
        finally:
            self._waiting_bytes -= size

    async def _import_next(self, peer: PeerID, fork: Position, blocks: Tuple[Block, ...]) -> bool:
        new = tuple(block for block in blocks if not self._branches.is_stored(block.hash))
        if not new:
            return True
        old_head, began_at, restarts = self._importer.head, self._clock(), self._restarts
        result = await self._importer.import_branch(peer, new)
        now = self._clock()
        self._turns.note_import(len(new), now - began_at, now)
        if result.failure is not None:
            self._note_failure(peer, new, result.failure)
            return False
        self._branches.note_stored(block.hash for block in new)
        allowance = self._branches.asks(peer)
        if allowance is not None:
            allowance.spend(-1.0, now)
        if restarts != self._restarts:
            return False
        if result.head.hash != new[-1].hash:
            return True
        self.logger.info(
            "Changed to the branch of %s: %d blocks of ours from block %d on were replaced",
            peer,
            old_head.number - fork.number,
            fork.number + 1,
        )
        self._branches.remember(fork, Position(*old_head))
        self._importer.notice_head(result.head)
        self.restart()
        return False

    async def _find_stored(self, peer: PeerID, fork: Position) -> Position:
        """The highest block of the peer's branch that was imported before, or the fork."""
        for tip in islice(self._branches.tips_above(fork), MAX_TIPS):
            head_view = self._branches.head_view(peer)
            if head_view is None or tip.view > head_view:
                continue
            answer = await self._ask(peer, ViewRange(tip.view, tip.view + 1), 1)
            if answer is None:
                break
            if self._has(answer, tip):
                return tip
        return fork

    async def _fetch_after(
        self, peer: PeerID, tip: Position, stop_at: float
    ) -> Tuple[Block, ...]:
        """The peer's next blocks that follow ``tip``, in a row; none past ``stop_at``."""
        start = tip.view + 1
        while True:
            head_view = self._branches.head_view(peer)
            if head_view is None or start > head_view or self._clock() >= stop_at:
                return ()
            answer = await self._ask(peer, ViewRange(start, head_view + 1), BRANCH_BLOCKS)
            if answer is None:
                return ()
            if answer.blocks:
                break
            start = answer.covered.stop
        linked: List[Block] = []
        parent = tip.hash
        for block in answer.blocks:
            if block.parent_hash != parent:
                # It may have changed to another branch itself; its next advert has us look again.
                self.logger.debug("%s left the branch that it was on", peer)
                break
            linked.append(block)
            parent = block.hash
        return tuple(linked)

    def _note_failure(
        self, peer: PeerID, blocks: Tuple[Block, ...], failure: ImportFailure
    ) -> None:
        index = [block.hash for block in blocks].index(failure.block_hash)
        self._branches.note_stored(block.hash for block in blocks[:index])
        refused = blocks[index]
        if failure.is_invalid:
            self._wire.drop(
                peer,
                f"its block {refused.number} (view {refused.view}) is invalid: {failure.reason}",
            )
        else:
            self._branches.defer(peer)


def _position(block: Block) -> Position:
    return Position(block.view, block.number, block.hash)
