"""The handshake of ``bio/1``, which is none: a shared capability is enough."""
from p2p.abc import MultiplexerAPI
from p2p.handshake import Handshaker
from p2p.receipt import HandshakeReceipt

from blockio_plugin.protocol.proto import BlockIOProtocol


class BlockIOHandshakeReceipt(HandshakeReceipt):
    """Says that the protocol was negotiated."""


class BlockIOHandshaker(Handshaker[BlockIOProtocol]):
    """Announces the capability. No message is exchanged: ``eth`` checks network and genesis."""

    protocol_class = BlockIOProtocol

    async def do_handshake(
        self, multiplexer: MultiplexerAPI, protocol: BlockIOProtocol
    ) -> BlockIOHandshakeReceipt:
        """Nothing is left to do once the capability is shared."""
        return BlockIOHandshakeReceipt(protocol)
