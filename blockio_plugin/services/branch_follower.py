"""
Finds peers on other branches than ours, and gives their branches the chance to win.

1. A peer whose block does not follow ours, and any that has advertised while nothing else is to be
   done, is compared with our chain: does it have our block, and if not, from where on not.
2. One that is on another branch is not asked for blocks above the fork in the ordinary course.
3. When there is nothing else to import, its branch is fetched from it alone and imported from the
   fork up. The importer makes it canonical where its total difficulty is the higher one.
4. A peer has its turn for a limited time, and goes on where it was after the others had theirs.
5. Once it is canonical, everybody's standing is found out anew, and ordinary fetching goes on from
   there. Where it loses, its last block is remembered; being on it is no offence.
"""
import asyncio
import logging
from typing import Callable, List, NamedTuple, Optional, Tuple

from async_service import Service

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.branches import Branches, Position
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.fork_search import ForkSearch
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ImportFailure, PeerID, WireAPI
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.collector import AvailabilityCollector
from blockio_plugin.services.importer import Importer
from blockio_plugin.services.peer_requests import PeerAnswer, PeerRequests
from blockio_plugin.services.waiting import wait_at_most

POLL_INTERVAL = 0.1
"""Seconds between two looks at whether there is something to do, most."""

STALL_TIME = 1.0
"""Seconds without anything to import after which branches get their turn before we are synced."""

TURN_TIME = 30.0
"""Seconds that one peer is compared, or its branch followed, at a time, most (and the answer under
way). What it has beyond that is followed after the others had their turn, so that one who answers
slowly, or with nothing, does not keep better branches from us."""

BRANCH_BLOCKS = 128
"""Blocks of a branch in one request, most."""


class _Comparison(NamedTuple):
    """How a peer's chain compares with ours: the highest block in common; None where it is ours."""

    fork: Optional[Position]


class BranchFollower(Service):
    """One peer at a time; ordinary fetching and importing go on beside it."""

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
        self._absolved: Optional[Tuple[PeerID, bytes]] = None

    def wake(self) -> None:
        """A peer has advertised or sent blocks."""
        self._woken.set()

    def restart(self) -> None:
        """
        Our chain was reorganised: where peers stand has to be found out anew. What they sent so far
        is most likely of the branch that was left.
        """
        for peer in self._branches:
            self._fetch.disown(peer, self._importer.head.view)
        self._branches.restart()
        self._collector.refresh()
        self._on_progress()

    async def run(self) -> None:
        while self.manager.is_running:
            self._woken.clear()
            if not await self._act():
                await wait_at_most(POLL_INTERVAL, self._woken.wait())

    async def _act(self) -> bool:
        """Do one thing, if there is one to do."""
        now = self._clock()
        suspect = self._fetch.suspect()
        if suspect is not None and self._branches.may_look(suspect, now):
            await self._compare(suspect)
            self._absolve(suspect)
            return True
        is_synced = self._heads.is_reached(self._importer.head.view, now)
        if not self._importer.is_idle(0.0 if is_synced else STALL_TIME):
            return False
        untried = self._branches.next_to_try()
        if untried is not None:
            await self._try(untried)
            return True
        news = self._branches.next_to_look(self._importer.head.view, now)
        if news is not None:
            await self._compare(news)
            return True
        return False

    #
    # Comparing
    #
    async def _compare(self, peer: PeerID) -> None:
        self._branches.look(peer, self._clock())
        found = await self._find_fork(peer)
        if found is None or peer not in self._branches:
            return
        known = self._branches.fork(peer)
        self._branches.settle(peer, found.fork)
        if found.fork == known:
            return
        if found.fork is not None:
            self.logger.info(
                "%s is on another branch than ours from block %d on", peer, found.fork.number + 1
            )
            self._fetch.disown(peer, found.fork.view)
        self._collector.refresh()
        self._on_progress()

    def _absolve(self, suspect: PeerID) -> None:
        """
        A suspect that has our head was on another branch when it sent what it sent. Its blocks are
        dropped, but once only: if it sends the like again, links tell who is right.
        """
        ours = self._importer.head
        if self._branches.fork(suspect) is None and self._absolved != (suspect, ours.hash):
            self._absolved = (suspect, ours.hash)
            self._fetch.disown(suspect, ours.view)
            self._on_progress()

    async def _find_fork(self, peer: PeerID) -> Optional[_Comparison]:
        """How the peer's chain compares with ours; None where it does not tell."""
        head_view = self._branches.head_view(peer)
        if head_view is None:
            return None
        stop_at = self._clock() + TURN_TIME
        ours = await self._chain.fetch_head()
        stop = min(head_view, ours.view) + 1
        top = await self._chain.fetch_position(stop - 1)
        if top is None or top.view >= stop:
            return None
        answer = await self._requests.fetch(peer, ViewRange(top.view, stop), 2)
        if answer is None:
            return None
        if self._has(answer, top):
            # A second block, at a view where we know that our chain has none, is off our chain.
            return _Comparison(top if len(answer.blocks) > 1 else None)
        search = ForkSearch(top.number)
        search.learn(top.number, False)
        while search.candidate is not None:
            if self._clock() >= stop_at:
                return None
            position = await self._chain.fetch_position_of_block(search.candidate)
            if position is None:
                return None
            view = position.view
            answer = await self._requests.fetch(peer, ViewRange(view, view + 1), 1)
            if answer is None:
                return None
            search.learn(position.number, self._has(answer, position))
        fork = await self._chain.fetch_position_of_block(search.fork)
        return None if fork is None else _Comparison(fork)

    @staticmethod
    def _has(answer: PeerAnswer, position: Position) -> bool:
        return bool(answer.blocks) and answer.blocks[0].hash == position.hash

    #
    # Trying
    #
    async def _try(self, peer: PeerID) -> None:
        """Import what the peer has of its branch, as far as it is not stored already."""
        self._branches.tried(peer)
        fork = self._branches.fork(peer)
        if fork is None:
            return
        if not await self._chain.holds_state(fork.number):
            self.logger.warning(
                "%s is on a branch from block %d on, below the states that we hold",
                peer,
                fork.number,
            )
            return
        stop_at = self._clock() + TURN_TIME
        old_head = self._importer.head
        tip = await self._find_stored(peer, fork)
        while True:
            blocks = await self._fetch_after(peer, tip, stop_at)
            if not blocks:
                break
            result = await self._importer.import_branch(peer, blocks)
            if result.failure is not None:
                self._refuse(peer, blocks, result.failure)
                break
            self._heads.note_import(peer, self._clock())
            last = blocks[-1]
            tip = Position(last.view, last.number, last.hash)
            if result.head.hash == tip.hash:
                self.logger.info(
                    "Changed to the branch of %s: %d blocks of ours from block %d on were replaced",
                    peer,
                    old_head.number - fork.number,
                    fork.number + 1,
                )
                self._branches.remember(fork, Position(*old_head))
                self._importer.notice_head(result.head)
                self.restart()
                return
        if tip != fork:
            self._branches.remember(fork, tip)
        if self._clock() >= stop_at:
            self._branches.defer(peer)

    async def _find_stored(self, peer: PeerID, fork: Position) -> Position:
        """The highest block of the peer's branch that was imported before, or the fork."""
        for tip in self._branches.tips_above(fork):
            head_view = self._branches.head_view(peer)
            if head_view is None or tip.view > head_view:
                continue
            answer = await self._requests.fetch(peer, ViewRange(tip.view, tip.view + 1), 1)
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
            answer = await self._requests.fetch(
                peer, ViewRange(start, head_view + 1), BRANCH_BLOCKS
            )
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

    def _refuse(self, peer: PeerID, blocks: Tuple[Block, ...], failure: ImportFailure) -> None:
        if not failure.is_invalid:
            # It is tried again when the peer has advertised anew.
            return
        refused = next(block for block in blocks if block.hash == failure.block_hash)
        self._wire.drop(
            peer,
            f"its block {refused.number} (view {refused.view}) is invalid: {failure.reason}",
        )
