import asyncio

from async_service import background_asyncio_service

from blockio_plugin.services.abc import ChainHead
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.head_time import LOOK_INTERVAL, HeadTime
from blockio_plugin.tools.memory_chain import MemoryChain


async def test_the_time_of_the_head_is_followed() -> None:
    """In this chain the time of a block is its number."""
    chain = MemoryChain.of_views(range(10))
    heads = [ChainHead(3, 3, bytes(32))]
    head_time = HeadTime(ChainThread(chain), lambda: heads[-1])
    assert head_time.timestamp is None
    async with background_asyncio_service(head_time):
        await asyncio.sleep(LOOK_INTERVAL / 2)
        assert head_time.timestamp == 3
        # One that is not held leaves it as it is.
        heads.append(ChainHead(50, 50, bytes(32)))
        await asyncio.sleep(LOOK_INTERVAL)
        assert head_time.timestamp == 3
        heads.append(ChainHead(7, 7, bytes(32)))
        await asyncio.sleep(LOOK_INTERVAL)
        assert head_time.timestamp == 7
