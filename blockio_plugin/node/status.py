"""Answers those who ask over the bus how block I/O is doing."""
from typing import Callable, cast

from async_service import Service
from lahja import EndpointAPI
from p2p.abc import SessionAPI

from blockio_plugin.events import (
    BlockIOStatus,
    GetBlockIOStatusRequest,
    GetBlockIOStatusResponse,
    PeerStatus,
)
from blockio_plugin.rules.heads import Heads
from blockio_plugin.services.collector import AvailabilityCollector
from blockio_plugin.services.importer import Importer


class StatusResponder(Service):
    """Puts together what the services know."""

    def __init__(
        self,
        event_bus: EndpointAPI,
        heads: Heads,
        importer: Importer,
        collector: AvailabilityCollector,
        scheme_name: str,
        drives: bool,
        clock: Callable[[], float],
    ) -> None:
        self._event_bus = event_bus
        self._heads = heads
        self._importer = importer
        self._collector = collector
        self._scheme_name = scheme_name
        self._drives = drives
        self._clock = clock
        self._starting_number = importer.head.number

    async def run(self) -> None:
        async for request in self._event_bus.stream(GetBlockIOStatusRequest):
            await self._event_bus.broadcast(
                GetBlockIOStatusResponse(self.status()), request.broadcast_config()
            )

    def status(self) -> BlockIOStatus:
        """How it stands now."""
        now = self._clock()
        fetch = self._importer.status(now)
        head = self._importer.head
        return BlockIOStatus(
            drives=self._drives,
            scheme=self._scheme_name,
            synced=self._heads.is_reached(head.view, now),
            starting_number=self._starting_number,
            head_number=head.number,
            head_view=head.view,
            head_hash=head.hash,
            target_view=max(head.view, fetch.target - 1),
            blocks_in_flight=fetch.blocks_in_flight,
            blocks_cached=fetch.cached_blocks,
            bytes_cached=fetch.cached_bytes,
            idle_reason=fetch.idle_reason,
            peers=tuple(
                PeerStatus(
                    session=cast(SessionAPI, peer.peer),
                    head_view=self._collector.get_head_view(peer.peer),
                    score=peer.score,
                    blocks=peer.blocks,
                    open_requests=peer.open_requests,
                    late_requests=peer.late_requests,
                    disproved_claims=peer.faults,
                )
                for peer in fetch.peers
            ),
        )
