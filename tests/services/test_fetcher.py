import asyncio
import random
from typing import List

from async_service import background_asyncio_service
import pytest

from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.fetch_group import FetchGroup
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.fetcher import Fetcher, OpenFetch
from blockio_plugin.tools.encoded_chain import SLOT, encode_chain
from blockio_plugin.tools.memory_chain import MemoryChain

TIMEOUT = 10.0
"""Seconds for anything here, most."""


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Real time: the chain is read in a real thread, which virtual time would not wait for."""
    return asyncio.DefaultEventLoopPolicy()


CHAIN = encode_chain(range(2, 3000, 2))


def make_fetcher() -> Fetcher:
    peers = PeerBook()
    chain = Fetch(
        front=Front(1, bytes(32)), limits=Limits(), random=random.Random(1), peers=peers
    )
    return Fetcher(
        FetchGroup(chain, peers, random.Random(2)),
        ChainThread(MemoryChain(CHAIN, SLOT.name)),
        SLOT,
        lambda: None,
        asyncio.get_event_loop().time,
    )


async def take(fetch: OpenFetch, settles: bool = True, least: int = 0) -> List[int]:
    """The views of all deliveries, or of the first ``least``."""
    views: List[int] = []
    async for delivery in fetch.deliveries():
        if delivery is not None:
            assert delivery.peer is None
            views.extend(block.view for block in delivery.blocks)
            if settles:
                fetch.settle(len(delivery.blocks))
        if least and len(views) >= least:
            break
    return views


async def test_our_own_chain_supplies_what_it_covers() -> None:
    fetcher = make_fetcher()
    fetcher.note_own_ranges((ViewRange(0, 2999),))
    async with background_asyncio_service(fetcher):
        fetch = fetcher.begin((ViewRange(100, 2000),), 4096)
        views = await asyncio.wait_for(take(fetch), TIMEOUT)
        assert views == list(range(100, 2000, 2))
        completion = fetch.complete()
        assert (completion.unproven, completion.missing) == ((), ())
        assert len(completion.empty) == 950


async def test_views_that_become_ours_are_supplied_then() -> None:
    fetcher = make_fetcher()
    async with background_asyncio_service(fetcher):
        fetch = fetcher.begin((ViewRange(100, 200),), 4096)
        taking = asyncio.ensure_future(take(fetch))
        await asyncio.sleep(0)
        fetcher.note_own_ranges((ViewRange(0, 2999),))
        assert await asyncio.wait_for(taking, TIMEOUT) == list(range(100, 200, 2))


async def test_no_more_is_read_than_the_window_lets_through() -> None:
    fetcher = make_fetcher()
    fetcher.note_own_ranges((ViewRange(0, 2999),))
    async with background_asyncio_service(fetcher):
        fetch = fetcher.begin((ViewRange(0, 2999),), 100)
        views = await asyncio.wait_for(take(fetch, settles=False, least=100), TIMEOUT)
        await asyncio.sleep(0.2)
        assert len(views) == fetch.views_fetch.outlet.unsettled == 100
        fetch.settle(100)
        rest = await asyncio.wait_for(take(fetch), TIMEOUT)
        assert views + rest == list(range(2, 3000, 2))[: len(views) + len(rest)]
        assert views + rest == [block.view for block in CHAIN]


async def test_an_ended_fetch_delivers_no_more() -> None:
    fetcher = make_fetcher()
    async with background_asyncio_service(fetcher):
        fetch = fetcher.begin((ViewRange(100, 200),), 4096)
        fetcher.end(fetch)
        assert await asyncio.wait_for(take(fetch), TIMEOUT) == []
