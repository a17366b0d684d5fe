"""Requests to one particular peer, beside those that the planner spreads over all of them."""
import asyncio
from itertools import count
from typing import Dict, NamedTuple, Optional, Sequence, Set, Tuple

from blockio_plugin.rules.answers import check_answer
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.lateness import UNKNOWN_LATE_TIME
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import PeerID, WireAPI

FIRST_REQUEST_ID = 2 ** 63
"""The identifiers of these requests start here, the planner's at 1; both stay below 2**64."""

ANSWER_TIMEOUT = UNKNOWN_LATE_TIME
"""Seconds that a peer has to answer: as many as one that was never measured."""


class PeerAnswer(NamedTuple):
    """What a peer answered: the views that it covers, and its blocks in them."""

    covered: ViewRange
    blocks: Tuple[Block, ...]


class _Waiting(NamedTuple):
    peer: PeerID
    request: GetBlocksByView
    answer: "asyncio.Future[Optional[PeerAnswer]]"


class PeerRequests:
    """Asks a peer and waits for what it answers."""

    def __init__(self, wire: WireAPI) -> None:
        self._wire = wire
        self._ids = count(FIRST_REQUEST_ID)
        self._peers: Set[PeerID] = set()
        self._waiting: Dict[int, _Waiting] = {}

    def join(self, peer: PeerID) -> None:
        """A peer is there."""
        self._peers.add(peer)

    async def fetch(self, peer: PeerID, views: ViewRange, max_blocks: int) -> Optional[PeerAnswer]:
        """The peer's answer; None where it declines, is silent for too long, or is not there."""
        if peer not in self._peers:
            return None
        request = GetBlocksByView(next(self._ids), views.start, views.length, max_blocks)
        answer: "asyncio.Future[Optional[PeerAnswer]]" = asyncio.get_event_loop().create_future()
        self._waiting[request.request_id] = _Waiting(peer, request, answer)
        self._wire.send_request(peer, request)
        try:
            done, _ = await asyncio.wait({answer}, timeout=ANSWER_TIMEOUT)
            return answer.result() if done else None
        finally:
            del self._waiting[request.request_id]

    def is_own(self, answer: BlocksByView) -> bool:
        """Whether it answers a request made here, even one that is not waited for any more."""
        return answer.request_id >= FIRST_REQUEST_ID

    def take(self, peer: PeerID, answer: BlocksByView, blocks: Sequence[Block]) -> None:
        """
        Hand an answer to who waits for it.

        :param blocks: the blocks of the answer, decoded
        :raise Offence: the answer does not fit the request
        """
        waiting = self._waiting.get(answer.request_id)
        if waiting is None or waiting.peer != peer or waiting.answer.done():
            return
        check_answer(waiting.request, answer, blocks)
        declined = answer.length == 0
        waiting.answer.set_result(
            None if declined else PeerAnswer(answer.covered, tuple(blocks))
        )

    def void(self, peer: PeerID, request_id: int) -> None:
        """A request will bring nothing; one that was not made here is no error."""
        waiting = self._waiting.get(request_id)
        if waiting is not None and waiting.peer == peer and not waiting.answer.done():
            waiting.answer.set_result(None)

    def leave(self, peer: PeerID) -> None:
        """A peer is gone: nothing that it was asked will be answered."""
        self._peers.discard(peer)
        for waiting in self._waiting.values():
            if waiting.peer == peer and not waiting.answer.done():
                waiting.answer.set_result(None)
