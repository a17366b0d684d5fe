import asyncio
from typing import Any, Iterator

from async_service import background_asyncio_service
from lahja import AsyncioEndpoint, BroadcastConfig
import pytest
from trinity.protocol.common.peer_pool_event_bus import BaseProxyPeer, BaseProxyPeerPool

from blockio_plugin.node.private import mend_proxy_peers


class ProxyPeerPool(BaseProxyPeerPool[Any]):
    def convert_session_to_proxy_peer(
        self, session: Any, event_bus: Any, broadcast_config: Any
    ) -> BaseProxyPeer:
        return BaseProxyPeer(session, event_bus)


@pytest.fixture
def mended() -> Iterator[None]:
    stock = BaseProxyPeerPool.ensure_proxy_peer
    mend_proxy_peers()
    yield
    BaseProxyPeerPool.ensure_proxy_peer = stock


async def test_a_peer_may_leave_while_it_joins(mended: None) -> None:
    async with AsyncioEndpoint("test").run() as bus:
        pool = ProxyPeerPool(bus, BroadcastConfig())
        async with background_asyncio_service(pool):
            joining = asyncio.ensure_future(pool.ensure_proxy_peer("session"))
            await asyncio.sleep(0)
            left = pool.connected_peers.pop("session")
            assert await asyncio.wait_for(joining, 5) is left
            first = await pool.ensure_proxy_peer("another")
            assert await pool.ensure_proxy_peer("another") is first
