"""Trinity's full node, with the sub-protocol on its connections and our event server beside."""
from functools import partial
import os
from typing import Any, Dict, Type

from eth.abc import BlockHeaderAPI
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.nodes.base import Node
from trinity.nodes.full import FullNode
from trinity.server import FullServer

from blockio_plugin.events import BLOCKIO_ENDPOINT
from blockio_plugin.node.cli import SYNC_NONE
from blockio_plugin.node.private import (
    get_unsent_bytes,
    guard_connections,
    guard_messages,
    mend_proxy_peers,
)
from blockio_plugin.node.process_watchdog import follow_parent
from blockio_plugin.node.stop_signals import hand_stop_signals_up
from blockio_plugin.node.syncer_stand_in import SyncerStandIn
from blockio_plugin.protocol import armour
from blockio_plugin.protocol.dial_report import DialReport
from blockio_plugin.protocol.peer import BlockIOPeerFactory
from blockio_plugin.protocol.servers import BlockIOEventServer


class BlockIOFullNode(FullNode):
    """Runs in the networking process, in the place of ``FullNode``."""

    def get_p2p_server(self) -> FullServer:
        server = super().get_p2p_server()
        dials = DialReport(self.trinity_config.preferred_nodes or ())
        server.peer_pool.peer_factory_class = partial(BlockIOPeerFactory, dials=dials)
        return server

    async def run(self) -> None:
        guard_messages(armour.guard_stream, armour.decode)
        guard_connections(self.get_peer_pool(), armour.LoneConnection)
        # The base class waits until the node ends, so what is ours starts before.
        self.manager.run_daemon_child_service(
            BlockIOEventServer(
                self.event_bus, self.get_peer_pool(), BLOCKIO_ENDPOINT, get_unsent_bytes
            )
        )
        if self.trinity_config.get_app_config(Eth1AppConfig).sync_mode == SYNC_NONE:
            self.manager.run_daemon_child_service(
                SyncerStandIn(self.event_bus, self._fetch_head_number)
            )
        await super().run()

    async def _fetch_head_number(self) -> int:
        head: BlockHeaderAPI = await self.headerdb.coro_get_canonical_head()
        return head.block_number


class BlockIOAppConfig(Eth1AppConfig):
    """
    The stock configuration but for the class of the node. Trinity hands it to each of the node's
    processes as the first thing that they get, so each comes under our care with it.
    """

    def __init__(self, trinity_config: TrinityConfig, sync_mode: str) -> None:
        super().__init__(trinity_config, sync_mode)
        self._main_process = os.getpid()

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._main_process != os.getpid():
            hand_stop_signals_up()
            follow_parent()
            mend_proxy_peers()

    @property
    def node_class(self) -> Type[Node[Any]]:
        return BlockIOFullNode
