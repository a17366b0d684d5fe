"""Trinity's peers with the sub-protocol in addition. ``eth`` and ``wit`` stay as they are."""
import asyncio
from typing import Any, Optional, Tuple

from eth_keys.datatypes import PrivateKey
from lahja import EndpointAPI
from p2p.abc import BehaviorAPI, ConnectionAPI, HandshakerAPI, NodeAPI
from p2p.disconnect import DisconnectReason
from p2p.peer import BasePeer, BasePeerContext
from trinity.protocol.eth.peer import ETHPeer, ETHPeerFactory

from blockio_plugin.protocol.api import BlockIOAPI
from blockio_plugin.protocol.dial_report import DialReport
from blockio_plugin.protocol.handshaker import BlockIOHandshaker
from blockio_plugin.protocol.proto import BlockIOProtocol

CANCEL_INTERVAL = 0.1
"""
Seconds after which the end of a connection that goes on is asked for again. ``asyncio.wait_for`` of
Python 3.8 loses a cancellation that comes together with the data that it waits for (bpo-37658), and
so a peer that is dropped and goes on sending would stay.
"""


class BlockIOPeer(ETHPeer):
    """A connection to a peer that may speak the protocol."""

    def __init__(
        self,
        connection: ConnectionAPI,
        context: BasePeerContext,
        event_bus: Optional[EndpointAPI] = None,
    ) -> None:
        super().__init__(connection, context, event_bus)
        self.blockio_api = BlockIOAPI(self.drop)
        self.dropped_for: Optional[str] = None
        """What the connection is ended for as a breach of protocol."""

    def __str__(self) -> str:
        kind = "BlockIOPeer" if self.speaks_blockio else "ETHPeer"
        return f"{kind} {self.sub_proto} {self.session}"

    @property
    def speaks_blockio(self) -> bool:
        """Whether the protocol was negotiated."""
        return bool(self.connection.has_protocol(BlockIOProtocol))

    @property
    def client_name(self) -> str:
        """What the peer calls itself, 256 characters at most."""
        return str(self.safe_client_version_string)

    def get_behaviors(self) -> Tuple[BehaviorAPI, ...]:
        """Those of Trinity, and ours, which applies where the protocol was negotiated."""
        behaviors: Tuple[BehaviorAPI, ...] = super().get_behaviors()
        return behaviors + (self.blockio_api.as_behavior(),)

    def drop(self, reason: str) -> None:
        """End the connection as a breach of protocol, and keep off the peer for a while."""
        self.dropped_for = reason
        self.logger.warning("Dropping %s: %s", self, reason)
        self.disconnect_nowait(DisconnectReason.BAD_PROTOCOL)
        # The peer runs inside the connection, so the connection is what has to end.
        self.connection.get_manager().cancel()
        asyncio.get_event_loop().call_later(CANCEL_INTERVAL, self._insist)

    def _insist(self) -> None:
        multiplexer = self.connection.get_multiplexer()
        if multiplexer.is_streaming:
            multiplexer.cancel_streaming()
            asyncio.get_event_loop().call_later(CANCEL_INTERVAL, self._insist)


class BlockIOPeerFactory(ETHPeerFactory):
    """
    Announces the protocol beside ``eth`` and ``wit``.

    :param dials: is told of nodes that could not be reached
    """

    peer_class = BlockIOPeer

    def __init__(
        self,
        privkey: PrivateKey,
        context: BasePeerContext,
        event_bus: Optional[EndpointAPI] = None,
        dials: Optional[DialReport] = None,
    ) -> None:
        super().__init__(privkey, context, event_bus)
        self._dials = DialReport(()) if dials is None else dials

    async def handshake(self, remote: NodeAPI) -> BasePeer:
        """Dial ``remote``."""
        with self._dials.watch(remote):
            return await super().handshake(remote)

    async def get_handshakers(self) -> Tuple[HandshakerAPI[Any], ...]:
        """Those of Trinity, and ours."""
        handshakers: Tuple[HandshakerAPI[Any], ...] = await super().get_handshakers()
        return handshakers + (BlockIOHandshaker(),)
