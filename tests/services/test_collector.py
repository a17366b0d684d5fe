import asyncio
import random
import time
from typing import List, Tuple

from async_service import background_asyncio_service
import pytest

from blockio_plugin.rules.advert_queue import WAITING_TIME
from blockio_plugin.rules.branches import Branches, Position
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.messages import Availability
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.collector import AvailabilityCollector

LONGEST = 20.0
"""Seconds after which the last word of a peer is known, most."""


class Rig:
    """A collector and what it feeds, with one peer."""

    def __init__(self) -> None:
        clock = asyncio.get_event_loop().time
        self.fetch = Fetch(front=Front(1, bytes(32)), limits=Limits(), random=random.Random(1))
        self.branches, self.heads = Branches(), Heads(BELIEF_TIME)
        self.progress: List[float] = []
        self.collector = AvailabilityCollector(
            self.fetch,
            self.branches,
            self.heads,
            "number",
            True,
            lambda: self.progress.append(clock()),
            clock,
        )
        self.collector.join("alice")

    @property
    def availability(self) -> Tuple[int, ViewRange, ViewRange]:
        """Head and first range of what is known of the peer, and the range that holds its head."""
        table = self.fetch.peers.availability
        head = table.head_view("alice")
        first, top = table.covering("alice", 0), table.covering("alice", head)
        assert first is not None and top is not None
        return head, first, top


def make_advert(head: int, ranges: int, first: int = 1) -> Availability:
    """The range of the head reaches down to 10,000."""
    pieces = [ViewRange(0, first)]
    pieces += [ViewRange(5 * n, 5 * n + 1) for n in range(1, ranges - 1)]
    return Availability("number", head, (*pieces, ViewRange(10_000, head + 1)))


async def test_an_advert_is_taken_in_at_once() -> None:
    rig = Rig()
    assert rig.collector.collect("alice", make_advert(20_000, 1000))
    assert rig.availability == (20_000, ViewRange(0, 1), ViewRange(10_000, 20_001))
    assert rig.fetch.ledger.target == rig.heads.target == 20_001
    assert rig.collector.get_head_view("alice") == 20_000


async def test_where_there_is_too_much_the_head_is_known_at_once_and_the_rest_later() -> None:
    rig = Rig()
    async with background_asyncio_service(rig.collector):
        for second in range(100):
            # The number of its first views says which advert it is.
            advert = make_advert(20_000 + second, 1000, 1 + second % 4)
            is_news = rig.collector.collect("alice", advert)
            assert is_news == (second < 2)
            assert rig.collector.get_head_view("alice") == 20_000 + second
            assert rig.heads.target == 20_001 + second
            assert rig.branches.to_look(10 ** 6, asyncio.get_event_loop().time()) == ["alice"]
            await asyncio.sleep(WAITING_TIME + 0.1)
            # It can be asked for its highest block.
            head, _, top = rig.availability
            assert head == 20_000 + second and head in top
        await asyncio.sleep(LONGEST)
        assert rig.availability == (20_099, ViewRange(0, 4), ViewRange(10_000, 20_100))
        assert rig.progress
        told = len(rig.progress)
        await asyncio.sleep(100)
        assert len(rig.progress) == told


async def test_announcements_without_end_are_taken_in_together() -> None:
    rig = Rig()
    rig.collector.collect("alice", make_advert(20_000, 1000))
    async with background_asyncio_service(rig.collector):
        news = 0
        for number in range(1, 1001):
            news += rig.collector.announce("alice", 20_000 + number)
            await asyncio.sleep(0.001)
        assert news <= 1
        await asyncio.sleep(WAITING_TIME)
        assert rig.availability == (21_000, ViewRange(0, 1), ViewRange(10_000, 21_001))
        assert len(rig.progress) <= 2


async def test_a_peer_that_left_is_not_taken_in_later() -> None:
    rig = Rig()
    async with background_asyncio_service(rig.collector):
        for head in range(4):
            rig.collector.collect("alice", make_advert(20_000 + head, 1000))
        rig.collector.leave("alice")
        await asyncio.sleep(LONGEST)
        assert "alice" not in rig.fetch.peers
        assert rig.heads.target == 0


async def test_of_a_peer_on_another_branch_only_what_is_below_the_fork_counts() -> None:
    rig = Rig()
    rig.collector.collect("alice", make_advert(20_000, 3))
    rig.branches.settle("alice", Position(12_000, 12_000, bytes(32)))
    rig.collector.refresh("alice")
    assert rig.fetch.peers.availability.head_view("alice") == 12_000
    assert rig.fetch.peers.availability.covering("alice", 12_001) is None
    assert rig.heads.target == 0
    rig.branches.settle("alice", None)
    rig.collector.refresh("alice")
    assert rig.availability[0] == 20_000
    assert rig.heads.target == 20_001


async def test_another_scheme_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    for _ in range(3):
        assert not rig.collector.collect("alice", Availability("slot:7", 1, (ViewRange(0, 2),)))
    assert rig.collector.is_foreign("alice")
    assert caplog.text.count("view scheme") == 1


async def test_thirty_peers_with_a_thousand_new_ranges_each_second() -> None:
    rig = Rig()
    peers = [f"peer {number}" for number in range(30)]
    for peer in peers:
        rig.collector.join(peer)
    adverts = [make_advert(20_000 + n, 1000, 1 + n % 4) for n in range(60)]
    async with background_asyncio_service(rig.collector):
        began_at = time.thread_time()
        for advert in adverts:
            for peer in peers:
                rig.collector.collect(peer, advert)
            await asyncio.sleep(1.0)
        took = time.thread_time() - began_at
    # The rest of a tenth of a core is for the planning that follows, once a second.
    assert took / 60 < 0.03
    assert len(rig.progress) <= 60
