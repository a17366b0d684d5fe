import asyncio
import random
from typing import List, Sequence, Tuple

from async_service import background_asyncio_service
import pytest

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import (
    AdvertReceived,
    AnswerReceived,
    HeadAnnounced,
    PeerID,
    PeerJoined,
    PeerLeft,
    RequestReceived,
    RequestVoided,
)
from blockio_plugin.services.advertiser import Advertiser
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.collector import AvailabilityCollector
from blockio_plugin.services.event_queue import EventQueue
from blockio_plugin.services.peer_requests import PeerRequests
from blockio_plugin.services.receiver import Receiver
from blockio_plugin.services.scheduler import Scheduler
from blockio_plugin.services.server import Server
from blockio_plugin.tools.encoded_chain import SLOT, encode_chain
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.recording_wire import RecordingWire


class Node:
    """The services around one fetch, with a test in the place of the network."""

    def __init__(self) -> None:
        clock = asyncio.get_event_loop().time
        self.wire, self.inbox, self.peers = RecordingWire(), EventQueue(), PeerBook()
        self.fetch = Fetch(
            front=Front(1, bytes(32)), limits=Limits(), random=random.Random(1), peers=self.peers
        )
        self.scheduler = Scheduler(self.fetch, self.inbox, self.wire, clock)
        self.server = Server(ChainThread(MemoryChain.of_views([0])), self.wire)
        self.receiver = self.make_receiver()

    def make_receiver(self) -> Receiver:
        clock, branches = asyncio.get_event_loop().time, Branches()
        return Receiver(
            self.inbox,
            self.fetch,
            self.peers,
            branches,
            PeerRequests(self.wire),
            SLOT,
            self.wire,
            Advertiser(self.wire, random.Random(1)),
            AvailabilityCollector(
                self.fetch,
                branches,
                Heads(BELIEF_TIME),
                SLOT.name,
                True,
                self.scheduler.wake,
                clock,
            ),
            self.server,
            self.scheduler.wake,
            clock,
        )

    def arrive(self, peer: PeerID, answer: BlocksByView) -> None:
        """An answer comes, now."""
        now = asyncio.get_event_loop().time()
        self.inbox.put(AnswerReceived(peer, answer, now))

    def arrive_all(self, chain: Sequence[Block]) -> None:
        """What is open of each peer is answered, now."""
        for entry in tuple(self.peers.tracker.open_requests()):
            request_id, peer, (start, stop), max_blocks = entry.request[:4]
            request = GetBlocksByView(request_id, start, stop - start, max_blocks)
            self.arrive(peer, answer(request, chain))

    def requests(self) -> List[Tuple[PeerID, GetBlocksByView]]:
        return [
            (sent.peer, sent.payload)
            for sent in self.wire.sent
            if isinstance(sent.payload, GetBlocksByView)
        ]

    def drops(self) -> List[Tuple[object, str]]:
        return [
            (sent.peer, sent.payload) for sent in self.wire.sent if isinstance(sent.payload, str)
        ]


def advert(head: int, scheme: str = SLOT.name) -> Availability:
    return Availability(scheme, head, (ViewRange(0, head + 1),))


def answer(request: GetBlocksByView, blocks: Sequence[Block]) -> BlocksByView:
    given = [block for block in blocks if block.view in request.views][: request.max_blocks]
    return BlocksByView(
        request.request_id,
        request.start_view,
        request.length,
        0,
        tuple(block.rlp for block in given),
    )


async def settle() -> None:
    await asyncio.sleep(0.01)


async def test_blocks_come_through_in_order() -> None:
    node, chain = Node(), encode_chain([1, 3, 4, 8])
    async with background_asyncio_service(node.receiver):
        async with background_asyncio_service(node.scheduler):
            node.inbox.put(PeerJoined("alice"), AdvertReceived("alice", advert(8)))
            await settle()
            for peer, request in node.requests():
                node.arrive(peer, answer(request, chain))
            await settle()
    assert node.fetch.ready(10, 10 ** 6) == tuple(chain)
    assert node.drops() == []


async def test_an_announced_block_is_asked_for_at_once() -> None:
    node, chain = Node(), encode_chain([1, 3, 4, 8])
    async with background_asyncio_service(node.receiver):
        async with background_asyncio_service(node.scheduler):
            # Before its first advert nothing is known of what it covers.
            node.inbox.put(PeerJoined("alice"), HeadAnnounced("alice", 8))
            await settle()
            assert node.requests() == []
            node.inbox.put(AdvertReceived("alice", advert(4)))
            await settle()
            for peer, request in node.requests():
                node.arrive(peer, answer(request, chain))
            await settle()
            asked = len(node.requests())
            node.inbox.put(HeadAnnounced("alice", 3), HeadAnnounced("alice", 8))
            await settle()
            assert [request.views for _, request in node.requests()[asked:]] == [ViewRange(5, 9)]


async def test_an_answer_counts_from_when_it_arrived() -> None:
    """However long it waited for us: its peer's score, and all deadlines, go by the wire."""
    node, chain = Node(), encode_chain(range(1, 2000))
    async with background_asyncio_service(node.scheduler):
        async with background_asyncio_service(node.receiver):
            node.inbox.put(PeerJoined("alice"), AdvertReceived("alice", advert(1999)))
            await settle()
            for _ in range(2):
                await asyncio.sleep(0.1)
                node.arrive_all(chain)
                await settle()
        # The decoder stands still: what comes now waits for a minute.
        score = node.peers.scores["alice"]
        before = score.value
        assert len(node.peers.tracker)
        await asyncio.sleep(0.1)
        node.arrive_all(chain)
        await asyncio.sleep(60)
        assert not node.peers.tracker.queue("alice").late
        async with background_asyncio_service(node.make_receiver()):
            await settle()
        assert score.value < 1.5 * before and score.trust == 1.0


async def test_a_voided_request_costs_its_peer_nothing() -> None:
    node, chain = Node(), encode_chain(range(1, 100))
    async with background_asyncio_service(node.receiver):
        async with background_asyncio_service(node.scheduler):
            node.inbox.put(PeerJoined("alice"), AdvertReceived("alice", advert(99)))
            await settle()
            first = node.requests()
            value = node.peers.scores["alice"].value
            for peer, request in first:
                node.inbox.put(RequestVoided(peer, request.request_id))
                # A second time, or for what nobody asked, it says nothing.
                node.inbox.put(RequestVoided(peer, request.request_id), RequestVoided(peer, 999))
            node.inbox.put(RequestVoided("nobody", 1))
            await asyncio.sleep(1)
            assert node.peers.scores["alice"].value == value
            assert node.peers.scores["alice"].trust == 1.0
            again = node.requests()[len(first):]
            assert {r.start_view for _, r in again} >= {r.start_view for _, r in first}
            for peer, request in again:
                node.arrive(peer, answer(request, chain))
            await settle()
    assert node.fetch.ready(1, 10 ** 6) == tuple(chain[:1])
    assert node.drops() == []


def lie(request: GetBlocksByView, kind: str, chain: Sequence[Block]) -> BlocksByView:
    honest = answer(request, chain)
    if kind == "no block's RLP":
        return honest._replace(blocks=(b"\xc0",))
    if kind == "outside the covered prefix":
        return honest._replace(length=1)
    if kind == "out of order":
        return honest._replace(blocks=honest.blocks[::-1])
    if kind == "never asked":
        return honest._replace(request_id=honest.request_id + 77)
    if kind == "more views than asked":
        return honest._replace(length=honest.length + 1)
    raise ValueError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "no block's RLP",
        "outside the covered prefix",
        "out of order",
        "never asked",
        "more views than asked",
    ],
)
async def test_a_breach_ends_the_connection(kind: str) -> None:
    node, chain = Node(), encode_chain([1, 3, 4, 8])
    async with background_asyncio_service(node.receiver):
        async with background_asyncio_service(node.scheduler):
            node.inbox.put(PeerJoined("mallory"), AdvertReceived("mallory", advert(8)))
            await settle()
            peer, request = node.requests()[0]
            node.arrive(peer, lie(request, kind, chain))
            await settle()
    assert [peer for peer, _ in node.drops()] == ["mallory"]
    assert node.fetch.ready(10, 10 ** 6) == ()


async def test_a_peer_of_another_scheme_is_neither_used_nor_served() -> None:
    node = Node()
    async with background_asyncio_service(node.receiver):
        async with background_asyncio_service(node.scheduler):
            node.inbox.put(
                PeerJoined("bob"),
                AdvertReceived("bob", advert(8, scheme="number")),
                AdvertReceived("bob", advert(9, scheme="number")),
                RequestReceived("bob", GetBlocksByView(3, 0, 5, 5)),
            )
            await settle()
    assert node.requests() == []
    assert node.drops() == []
    assert [sent.payload for sent in node.wire.sent] == [BlocksByView(3, 0, 0, 0, ())]


async def test_what_a_peer_that_left_was_asked_for_is_asked_of_others() -> None:
    node = Node()
    async with background_asyncio_service(node.receiver):
        async with background_asyncio_service(node.scheduler):
            node.inbox.put(PeerJoined("alice"), AdvertReceived("alice", advert(8)))
            await settle()
            asked = {request.views for _, request in node.requests()}
            node.inbox.put(
                PeerJoined("bob"), AdvertReceived("bob", advert(8)), PeerLeft("alice")
            )
            await settle()
    again = [request.views for peer, request in node.requests() if peer == "bob"]
    assert {view for views in asked for view in range(*views)} <= {
        view for views in again for view in range(*views)
    }
