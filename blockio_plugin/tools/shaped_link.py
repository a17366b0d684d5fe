"""A TCP relay that is slow on purpose: a peer behind it is a real peer behind a thin link."""
import asyncio
import contextlib
from typing import AsyncIterator, List, Optional

CHUNK_BYTES = 4096
"""Bytes passed on at once, most."""

CHUNK_TIME = 0.02
"""Seconds that a link takes for what is passed on at once, most: so that the flow is even."""


class ShapedLink:
    """
    Relays connections to ``target_port`` on loopback, what comes back at most ``rate`` bytes/s.

    All connections share the rate, as they would share a link. ``rate`` None passes all at once;
    0 passes nothing. It can be changed while connections are open.
    """

    def __init__(self, target_port: int, rate: Optional[float]) -> None:
        self.rate = rate
        self.port = 0
        self._target_port = target_port
        self._free_at = 0.0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, target_port: int, rate: Optional[float]
    ) -> AsyncIterator["ShapedLink"]:
        """Listen on a free port, ``link.port``, until the context ends."""
        link = cls(target_port, rate)
        pumps: List["asyncio.Task[None]"] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            pumps.append(asyncio.ensure_future(link._relay(reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        link.port = server.sockets[0].getsockname()[1]
        try:
            yield link
        finally:
            server.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _relay(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far, far_out = await asyncio.open_connection("127.0.0.1", self._target_port)
        pumps = {
            asyncio.ensure_future(_pump(near, far_out, None)),
            asyncio.ensure_future(_pump(far, near_out, self)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            near_out.close()
            far_out.close()

    @property
    def chunk_bytes(self) -> int:
        """Bytes to pass on at once, most."""
        if not self.rate:
            return CHUNK_BYTES
        return max(1, min(CHUNK_BYTES, int(self.rate * CHUNK_TIME)))

    async def carry(self, size: int) -> None:
        """Wait until the link has carried ``size`` bytes."""
        while self.rate == 0:
            await asyncio.sleep(0.1)
        if self.rate is not None:
            now = asyncio.get_event_loop().time()
            self._free_at = max(now, self._free_at) + size / self.rate
            await asyncio.sleep(self._free_at - now)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Optional[ShapedLink]
) -> None:
    with contextlib.suppress(ConnectionError):
        # What answers the handshake has to come in one piece: Trinity reads it by one read.
        data = await reader.read(CHUNK_BYTES)
        while data:
            if link is not None:
                await link.carry(len(data))
            if writer.is_closing():
                return
            writer.write(data)
            await writer.drain()
            data = await reader.read(CHUNK_BYTES if link is None else link.chunk_bytes)
