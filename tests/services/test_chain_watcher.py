import asyncio
from typing import List

from async_service import background_asyncio_service

from blockio_plugin.rules.messages import Availability
from blockio_plugin.services.abc import ChainHead
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.chain_watcher import CHAIN_POLL_INTERVAL, ChainWatcher
from blockio_plugin.tools.memory_chain import MemoryChain


class Watched(MemoryChain):
    """A watcher of a chain that grows, and what it told."""

    def __init__(self) -> None:
        blocks = MemoryChain.of_views(range(10)).blocks
        super().__init__(blocks[:3])
        self.rest = blocks[3:]
        self.heads: List[int] = []
        self.adverts: List[int] = []
        self.watcher = ChainWatcher(ChainThread(self), self.note_advert, self.note_head)
        self.meanwhile = False

    def fetch_head(self) -> ChainHead:
        head = super().fetch_head()
        if self.meanwhile:
            # Somebody imports, and says so, between the read and its return.
            self.meanwhile = False
            self.grow()
            self.watcher.nudge()
        return head

    def grow(self) -> None:
        self.blocks.append(self.rest.pop(0))

    def note_head(self, head: ChainHead) -> None:
        self.heads.append(head.number)

    def note_advert(self, advert: Availability) -> None:
        self.adverts.append(advert.head_view)


async def look(watched: Watched, heads: int) -> None:
    while len(watched.heads) < heads:
        await asyncio.sleep(CHAIN_POLL_INTERVAL / 100)


async def test_tells_of_each_head_once() -> None:
    watched = Watched()
    async with background_asyncio_service(watched.watcher):
        await look(watched, 1)
        watched.grow()
        watched.watcher.nudge()
        await look(watched, 2)
        watched.grow()
        await look(watched, 3)
    assert watched.heads == [2, 3, 4]
    assert list(dict.fromkeys(watched.adverts)) == [2, 3, 4]


async def test_a_head_that_is_out_of_date_when_it_was_read_is_not_told() -> None:
    watched = Watched()
    watched.meanwhile = True
    async with background_asyncio_service(watched.watcher):
        await look(watched, 1)
    assert watched.heads == [3]
