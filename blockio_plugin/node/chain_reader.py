"""
The local chain by views: what it covers, and the answers to peers' requests.

There is no index from views to blocks. Views ascend with block numbers, so the first block at or
above a view is found by bisection. The chain may be reorganised by another process between two
reads; each answer is held together by the hashes that link its blocks, and ends where they do not.
"""
from typing import List, NamedTuple, Optional, Tuple

from eth.abc import AtomicDatabaseAPI
from eth.typing import ChainGaps

from blockio_plugin.node.stored_blocks import (
    NotStored,
    NumberRun,
    StoredBlocks,
    StoredHeader,
    fetch_chain_head,
    known_runs,
)
from blockio_plugin.rules.backfill import Gap
from blockio_plugin.rules.branches import Position
from blockio_plugin.rules.messages import (
    MAX_ANSWER_BLOCKS,
    MAX_ANSWER_BYTES,
    MAX_RANGES,
    Availability,
    BlocksByView,
    GetBlocksByView,
)
from blockio_plugin.rules.schemes import NumberScheme, ViewScheme
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, normalise
from blockio_plugin.services.abc import ChainHead, ChainReaderAPI


class _CoveredRun(NamedTuple):
    """Held blocks without a gap between them, and the views that they cover."""

    numbers: NumberRun
    views: ViewRange


class _ChainState(NamedTuple):
    """What coverage follows from; while it is the same, coverage is."""

    head_hash: bytes
    gaps: ChainGaps
    header_gaps: ChainGaps


class ChainReader(ChainReaderAPI):
    """Reads a chain database, which another process may be writing. For one thread at a time."""

    def __init__(self, db: AtomicDatabaseAPI, scheme: ViewScheme) -> None:
        self._scheme = scheme
        self._stored = StoredBlocks(db)
        self._state: Optional[_ChainState] = None
        self._runs: Tuple[_CoveredRun, ...] = ()

    def fetch_head(self) -> ChainHead:
        return fetch_chain_head(self._stored.chaindb, self._scheme)

    def fetch_availability(self) -> Availability:
        ranges = normalise(run.views for run in self._fetch_runs())
        return Availability(self._scheme.name, self.fetch_head().view, ranges[-MAX_RANGES:])

    def fetch_position(self, view: int) -> Optional[Position]:
        runs = self._fetch_runs()
        try:
            return self._find_position(view, runs[-1].numbers) if runs else None
        except NotStored:
            # The chain was reorganised between two reads.
            return None

    def _find_position(self, view: int, run: NumberRun) -> Position:
        low, high = run
        if not isinstance(self._scheme, NumberScheme):
            while low < high:
                middle = (low + high + 1) // 2
                if self._scheme.view_of(self._stored.fetch_canonical_header(middle)) <= view:
                    low = middle
                else:
                    high = middle - 1
        else:
            low = max(low, min(high, view))
        header = self._stored.fetch_canonical_header(low)
        return Position(self._scheme.view_of(header), low, header.hash)

    def fetch_position_of_block(self, number: int) -> Optional[Position]:
        try:
            header = self._stored.fetch_canonical_header(number)
        except NotStored:
            return None
        return Position(self._scheme.view_of(header), number, header.hash)

    def fetch_timestamp(self, number: int) -> Optional[int]:
        try:
            timestamp: int = self._stored.fetch_canonical_header(number).timestamp
        except NotStored:
            return None
        return timestamp

    def holds_state(self, number: int) -> bool:
        return self._stored.holds_state(number)

    def fetch_gap(self) -> Optional[Gap]:
        chaindb = self._stored.chaindb
        runs = known_runs(chaindb.get_chain_gaps(), chaindb.get_canonical_head().block_number)
        if len(runs) < 2:
            return None
        below, above = runs[-2:]
        try:
            child = self._stored.fetch_canonical_header(above.first)
            parent = self._stored.fetch_canonical_header(below.last)
        except NotStored:
            return None
        return Gap(
            first=below.last + 1,
            last=above.first - 1,
            last_hash=child.parent_hash,
            floor=self._scheme.view_of(parent) + 1,
            ceiling=self._scheme.view_of(child),
        )

    def fetch_blocks(self, request: GetBlocksByView) -> BlocksByView:
        runs = self._fetch_runs()
        for index, run in enumerate(runs):
            if request.start_view in run.views:
                following = runs[index + 1] if index + 1 < len(runs) else None
                return _Answer(request, run, following, self._stored, self._scheme).collect()
        return BlocksByView(request.request_id, request.start_view, 0, 0, ())

    def _fetch_runs(self) -> Tuple[_CoveredRun, ...]:
        """The held runs, ascending; no more of them than an advert has room for, the highest."""
        chaindb = self._stored.chaindb
        head = chaindb.get_canonical_head()
        gaps = chaindb.get_chain_gaps()
        state: Optional[_ChainState] = _ChainState(
            head.hash, gaps, chaindb.get_header_chain_gaps()
        )
        if state == self._state:
            return self._runs
        runs = []
        for numbers in known_runs(gaps, head.block_number)[-MAX_RANGES:]:
            try:
                runs.append(_CoveredRun(numbers, self._fetch_views(numbers)))
            except NotStored:
                # The chain was reorganised since we looked at its gaps: look again next time.
                state = None
        self._state, self._runs = state, tuple(runs)
        return self._runs

    def _fetch_views(self, run: NumberRun) -> ViewRange:
        """
        The views that the held blocks ``run`` cover. The empty views below the first of them count
        where the header below it is known.
        """
        last = self._scheme.view_of(self._stored.fetch_canonical_header(run.last))
        return ViewRange(self._fetch_start(run.first), min(last + 1, VIEW_LIMIT))

    def _fetch_start(self, number: int) -> int:
        if number == 0:
            return 0
        header = self._stored.fetch_canonical_header(number)
        try:
            below = self._stored.fetch_canonical_hash(number - 1)
        except NotStored:
            below = b""
        if below != header.parent_hash:
            return self._scheme.view_of(header)
        return self._scheme.view_of(self._stored.fetch_header(below)) + 1


class _Answer:
    """The answer to one request, as it grows."""

    def __init__(
        self,
        request: GetBlocksByView,
        run: _CoveredRun,
        following: Optional[_CoveredRun],
        stored: StoredBlocks,
        scheme: ViewScheme,
    ) -> None:
        self._request = request
        self._run = run
        self._following = following
        self._stored = stored
        self._scheme = scheme
        self._stop = min(request.views.stop, run.views.stop)
        self._limit = min(request.max_blocks, MAX_ANSWER_BLOCKS)
        self._blocks: List[bytes] = []
        self._covered = request.start_view
        """The view that the covered prefix ends before."""

    def collect(self) -> BlocksByView:
        """Walk up from the first block at or above the start, until a bound is reached."""
        try:
            next_view = self._collect()
        except NotStored:
            # The chain was reorganised under our hands: what we have so far is linked.
            next_view = 0
        return BlocksByView(
            self._request.request_id,
            self._request.start_view,
            self._covered - self._request.start_view,
            next_view if next_view < VIEW_LIMIT else 0,
            tuple(self._blocks),
        )

    def _collect(self) -> int:
        """
        Fill the answer; the view of the next block past what is covered, or 0.

        :raise NotStored: where the chain changes under the walk
        """
        size = 0
        parent: Optional[StoredHeader] = None
        for number in range(self._find_first(), self._run.numbers.last + 1):
            header = self._stored.fetch_canonical_header(number)
            view = self._scheme.view_of(header)
            self._check_link(header, view, parent)
            # Views between two linked blocks are empty, so they are covered in any case.
            self._covered = min(view, self._stop)
            if view >= self._stop or len(self._blocks) == self._limit:
                return view
            try:
                block = self._stored.fetch_block(header)
            except NotStored:
                # Pruned. It is not the next block that we hold, and we do not know which one is.
                return 0
            size += len(block)
            if self._blocks and size > MAX_ANSWER_BYTES:
                return view
            self._blocks.append(block)
            self._covered = view + 1
            parent = header
        if self._following is None:
            return 0
        first = self._stored.fetch_canonical_header(self._following.numbers.first)
        return self._scheme.view_of(first)

    def _check_link(self, header: StoredHeader, view: int, parent: Optional[StoredHeader]) -> None:
        if parent is not None:
            if header.parent_hash != parent.hash:
                raise NotStored("the chain was reorganised")
            return
        start = self._request.start_view
        if view < start or (view > start and not self._is_below_start(header.parent_hash)):
            raise NotStored("the chain was reorganised")

    def _is_below_start(self, block_hash: bytes) -> bool:
        parent_view = self._scheme.view_of(self._stored.fetch_header(block_hash))
        return parent_view < self._request.start_view

    def _find_first(self) -> int:
        """The number of the first block at or above the start."""
        start = self._request.start_view
        if isinstance(self._scheme, NumberScheme):
            return start
        low, high = self._run.numbers
        while low < high:
            middle = (low + high) // 2
            if self._scheme.view_of(self._stored.fetch_canonical_header(middle)) < start:
                low = middle + 1
            else:
                high = middle
        return low
