"""The request tracker: each open request with its issue time, and which are late."""
from heapq import heappop, heappush
from typing import Dict, Hashable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from blockio_plugin.rules.messages import Offence
from blockio_plugin.rules.views import ViewRange

PeerID = Hashable
"""What tells one connection to a peer from another; a new connection is a new peer."""

MAX_UNANSWERED = 32
"""Most requests of one peer that may be unanswered, open and late together."""

MAX_LOST = 64
"""Most lost requests that are remembered of one peer: should an answer come after all, it is used.
An answer to a request that was forgotten is passed over without a word."""


class Request(NamedTuple):
    """A request for the lowest ``max_blocks`` blocks of ``views``; times in seconds."""

    request_id: int
    peer: PeerID
    views: ViewRange
    max_blocks: int
    issued_at: float
    deadline: float


class OpenRequest:
    """A request without an answer yet, and what is expected of it."""

    __slots__ = (
        "request",
        "blocks",
        "deadline",
        "copied",
        "copy_of",
        "depth",
        "probes",
        "is_probe",
        "is_copy",
        "is_late",
        "is_excused",
        "queued",
        "owner",
        "arrived_before",
    )

    def __init__(
        self, request: Request, blocks: float, is_copy: bool, queued: bool, owner: Hashable
    ) -> None:
        self.request = request
        self.blocks = blocks
        """Blocks that it will likely bring."""
        self.deadline = request.deadline
        """Seconds; later than the request's own where everybody is late."""
        self.copied: List[ViewRange] = []
        """What other peers are asked for of its views, probes apart."""
        self.copy_of: Optional[OpenRequest] = None
        """The request that asks another peer for the same views."""
        self.depth = 0
        """How many requests for the same views it is a copy of, one of the other."""
        self.probes = 0
        """Open probes for its views."""
        self.is_probe = False
        """Whether it only finds out if a peer that was late answers again."""
        self.is_copy = is_copy
        """Whether this is the second request for its views."""
        self.is_late = False
        """Whether it timed out. Its views are wanted again, but an answer is still used."""
        self.is_excused = False
        """Whether its deadline has passed and was put off."""
        self.queued = queued
        """Whether the peer had other requests to answer when this one was issued."""
        self.arrived_before = 0
        """Blocks that had arrived from everybody when it was issued."""
        self.owner = owner
        """The fetch that made it."""

    def note_copy(self, original: "OpenRequest", is_probe: bool) -> None:
        """This one asks for views of ``original`` too."""
        self.copy_of = original
        self.depth = original.depth + 1
        self.is_probe = is_probe
        if is_probe:
            original.probes += 1
        else:
            original.copied.append(self.request.views)


class PeerQueue:
    """The unanswered requests of one peer, oldest first."""

    __slots__ = ("unanswered", "lost", "forgotten_to", "blocks", "late", "issued", "reorders")

    def __init__(self) -> None:
        self.unanswered: Dict[int, OpenRequest] = {}
        self.lost: Dict[int, OpenRequest] = {}
        """Late requests that nobody waits for any more, the newest ``MAX_LOST``."""
        self.forgotten_to = 0
        """Requests up to this id that are in neither of the two may have been forgotten."""
        self.reorders = False
        """Whether the peer was seen to answer a later request before an earlier one."""
        self.blocks = 0.0
        """Blocks that those that are not late will likely bring."""
        self.issued = 0
        """How many it was sent in all."""
        self.late = 0
        """How many of them are late."""

    @property
    def front(self) -> OpenRequest:
        """The oldest request that is not late; there has to be one."""
        return next(entry for entry in self.unanswered.values() if not entry.is_late)


class Load:
    """Open requests of one owner, and the blocks that they will likely bring."""

    __slots__ = ("requests", "blocks")

    def __init__(self) -> None:
        self.requests = 0
        self.blocks = 0.0


class RequestTracker:
    """All unanswered requests. Request ids ascend over all peers and are never used again."""

    def __init__(self) -> None:
        self._queues: Dict[PeerID, PeerQueue] = {}
        self._open: Dict[int, OpenRequest] = {}
        self._loads: Dict[Hashable, Load] = {}
        self._next_id = 1
        self._deadlines: List[Tuple[float, int]] = []
        self.copies = 0
        """Open requests that share views with another one: while 0, none overlap."""
        self.excused = 0
        """Open requests whose deadline has passed and was put off."""
        self.blocks = 0.0
        """Blocks that all open requests will likely bring."""

    def join(self, peer: PeerID) -> None:
        """Begin to track a peer."""
        self._queues[peer] = PeerQueue()

    def leave(self, peer: PeerID) -> Tuple[OpenRequest, ...]:
        """Forget a peer; what was still open of it is returned."""
        queue = self._queues[peer]
        still_open = tuple(entry for entry in queue.unanswered.values() if not entry.is_late)
        for entry in still_open:
            self._forget_open(entry)
        del self._queues[peer]
        return still_open

    def blocks_of(self, owner: Hashable) -> float:
        """Blocks that the open requests of ``owner`` will likely bring."""
        load = self._loads.get(owner)
        return load.blocks if load is not None else 0.0

    def queue(self, peer: PeerID) -> PeerQueue:
        """The unanswered requests of a known peer."""
        return self._queues[peer]

    @property
    def queues(self) -> Mapping[PeerID, PeerQueue]:
        """The unanswered requests of all peers, in the order in which they joined."""
        return self._queues

    def issue(
        self,
        peer: PeerID,
        views: ViewRange,
        max_blocks: int,
        blocks: float,
        is_copy: bool,
        now: float,
        deadline: float,
        owner: Hashable = None,
    ) -> OpenRequest:
        """Record a request of ``owner`` to ``peer`` that will likely bring ``blocks`` blocks."""
        request = Request(self._next_id, peer, views, max_blocks, now, deadline)
        self._next_id += 1
        queue = self._queues[peer]
        entry = OpenRequest(request, blocks, is_copy, bool(queue.unanswered), owner)
        queue.unanswered[request.request_id] = entry
        queue.blocks += blocks
        queue.issued += 1
        self._open[request.request_id] = entry
        self.blocks += blocks
        load = self._loads.setdefault(owner, Load())
        load.requests += 1
        load.blocks += blocks
        heappush(self._deadlines, (deadline, request.request_id))
        if is_copy:
            self.copies += 1
        return entry

    def get(self, peer: PeerID, request_id: int) -> Optional[OpenRequest]:
        """
        The unanswered request that ``peer`` was sent under this id; None: it is long forgotten.

        :raise Offence: where there is none
        """
        entry = self.find(peer, request_id)
        if entry is None and request_id > self._queues[peer].forgotten_to:
            raise Offence(f"answer to request {request_id}, which is not open")
        return entry

    def find(self, peer: PeerID, request_id: int) -> Optional[OpenRequest]:
        """The unanswered request that ``peer`` was sent under this id; None where there is none."""
        queue = self._queues.get(peer)
        if queue is None:
            return None
        return queue.unanswered.get(request_id) or queue.lost.get(request_id)

    def close(self, entry: OpenRequest) -> None:
        """The request is answered, or will never be."""
        queue, request_id = self._queues[entry.request.peer], entry.request.request_id
        if queue.lost.pop(request_id, None) is not None:
            return
        del queue.unanswered[request_id]
        if entry.is_late:
            queue.late -= 1
        else:
            self._forget_open(entry)

    def mark_late(self, entry: OpenRequest) -> None:
        """The request timed out. Its answer is still waited for, but no longer counted on."""
        self._forget_open(entry)
        entry.is_late = True
        queue = self._queues[entry.request.peer]
        queue.late += 1
        if queue.late >= MAX_UNANSWERED:
            # Room for more: nobody is so late that he is never asked again.
            self.mark_lost(next(late for late in queue.unanswered.values() if late.is_late))

    def mark_lost(self, entry: OpenRequest) -> None:
        """The answer to a late request is not waited for any more; should it come, it is used."""
        queue, request_id = self._queues[entry.request.peer], entry.request.request_id
        del queue.unanswered[request_id]
        queue.late -= 1
        queue.lost[request_id] = entry
        if len(queue.lost) > MAX_LOST:
            oldest = next(iter(queue.lost))
            queue.forgotten_to = max(queue.forgotten_to, oldest)
            del queue.lost[oldest]

    def note_order(self, entry: OpenRequest) -> Tuple[OpenRequest, ...]:
        """
        ``entry`` is being answered, not declined. A peer that answers in order will not answer what
        it was asked before any more: that is lost. Returns what of it was not late yet.
        """
        queue, request_id = self._queues[entry.request.peer], entry.request.request_id
        if request_id in queue.lost:
            # What comes now was passed over: the order tells nothing of this peer.
            queue.reorders = True
        passed = []
        for earlier in queue.unanswered.values():
            if earlier is entry or queue.reorders:
                break
            passed.append(earlier)
        lost = tuple(earlier for earlier in passed if not earlier.is_late)
        for earlier in passed:
            if not earlier.is_late:
                self.mark_late(earlier)
            if earlier.request.request_id in queue.unanswered:
                self.mark_lost(earlier)
        return lost

    def _forget_open(self, entry: OpenRequest) -> None:
        del self._open[entry.request.request_id]
        self.blocks = self.blocks - entry.blocks if self._open else 0.0
        load = self._loads[entry.owner]
        load.requests -= 1
        load.blocks -= entry.blocks
        if not load.requests:
            del self._loads[entry.owner]
        queue = self._queues[entry.request.peer]
        queue.blocks -= entry.blocks
        if len(queue.unanswered) <= queue.late:
            queue.blocks = 0.0
        if entry.is_copy:
            self.copies -= 1
        if entry.is_excused:
            self.excused -= 1
        original = entry.copy_of
        if original is not None and entry.is_probe:
            original.probes -= 1
        elif original is not None:
            # What it did not bring may be asked of one more peer.
            original.copied.remove(entry.request.views)

    def extend(self, entry: OpenRequest, deadline: float) -> None:
        """Wait longer for an open request."""
        if not entry.is_excused:
            entry.is_excused = True
            self.excused += 1
        entry.deadline = deadline
        heappush(self._deadlines, (deadline, entry.request.request_id))

    def next_deadline(self) -> Optional[float]:
        """The earliest deadline of an open request (s), or None."""
        while self._deadlines:
            deadline, request_id = self._deadlines[0]
            entry = self._open.get(request_id)
            if entry is not None and entry.deadline == deadline:
                return deadline
            heappop(self._deadlines)
        return None

    def overdue(self, now: float) -> List[OpenRequest]:
        """The open requests whose deadline has come."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return []
        return [entry for entry in self._open.values() if entry.deadline <= now]

    def open_requests(self) -> Iterator[OpenRequest]:
        """All that are open, oldest first."""
        return iter(self._open.values())

    def overlapping(self, views: ViewRange) -> List[OpenRequest]:
        """The open requests, probes apart, that share a view with ``views``."""
        start, stop = views
        return [
            entry
            for entry in self._open.values()
            if entry.request.views.start < stop
            and start < entry.request.views.stop
            and not entry.is_probe
        ]

    def __len__(self) -> int:
        return len(self._open)
