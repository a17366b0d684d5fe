"""Answers those who ask over the bus how block I/O is doing."""
from typing import Callable, cast

from async_service import Service
from lahja import EndpointAPI
from p2p.abc import SessionAPI

from blockio_plugin.events import (
    BlockIOStatus,
    GetBlockIOStatusRequest,
    GetBlockIOStatusResponse,
    News,
    PeerStatus,
)
from blockio_plugin.rules import status as rules
from blockio_plugin.rules.fetch import Fetch
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.rules.traffic import Traffic
from blockio_plugin.rules.view_bar import draw_views
from blockio_plugin.rules.views import ViewRanges
from blockio_plugin.services.abc import PeerID
from blockio_plugin.services.collector import AvailabilityCollector
from blockio_plugin.services.observer import Observer


def name_peer(peer: PeerID) -> str:
    """The first digits of its public key, as the tables have it, and where it is."""
    if not isinstance(peer, SessionAPI):
        return str(peer)
    remote = peer.remote
    place = f"@{remote.address.ip}" if remote.address else ""
    return f"{remote.pubkey.to_hex()[2:10]}{place}"


class StatusResponder(Service):
    """
    Puts what is known into a form that goes over the bus.

    :param get_own_ranges: what our own chain covers
    """

    def __init__(
        self,
        event_bus: EndpointAPI,
        observer: Observer,
        fetch: Fetch,
        traffic: Traffic,
        log: PeerLog,
        collector: AvailabilityCollector,
        get_own_ranges: Callable[[], ViewRanges],
        scheme_name: str,
        drives: bool,
        clock: Callable[[], float],
    ) -> None:
        self._event_bus = event_bus
        self._observer = observer
        self._fetch = fetch
        self._traffic = traffic
        self._log = log
        self._collector = collector
        self._get_own_ranges = get_own_ranges
        self._scheme_name = scheme_name
        self._drives = drives
        self._clock = clock
        self._starting_number = observer.look().head_number

    async def run(self) -> None:
        async for request in self._event_bus.stream(GetBlockIOStatusRequest):
            await self._event_bus.broadcast(
                GetBlockIOStatusResponse(self.status()), request.broadcast_config()
            )

    def status(self) -> BlockIOStatus:
        """How it stands now."""
        now, outlook, traffic = self._clock(), self._observer.look(), self._traffic
        fetch = outlook.fetch
        return BlockIOStatus(
            drives=self._drives,
            scheme=self._scheme_name,
            synced=outlook.is_synced,
            starting_number=self._starting_number,
            head_number=outlook.head_number,
            head_view=outlook.head_view,
            head_hash=outlook.head_hash,
            target_view=outlook.target_view,
            blocks_in_flight=fetch.blocks_in_flight,
            blocks_cached=fetch.cached_blocks,
            bytes_cached=fetch.cached_bytes,
            idle_reason=outlook.reason,
            peers=tuple(map(self._describe_peer, fetch.peers)),
            syncing=outlook.is_syncing,
            head_timestamp=outlook.head_timestamp,
            target_number=outlook.target_number,
            percent=outlook.percent,
            eta_seconds=outlook.eta_seconds,
            blocks_per_second=outlook.blocks_per_second,
            bytes_per_second=traffic.received_bytes.rate(now),
            wanted_views=fetch.wanted_views,
            memory_budget=fetch.cache_limit,
            imported_blocks=traffic.imported.total,
            served_blocks=traffic.served.total,
            served_bytes=traffic.served_bytes.total,
            imported_history=traffic.imported.history(now),
            view_bar=draw_views(self._fetch.ledger, self._fetch.peers, self._get_own_ranges()),
            news=tuple(News(now - news.at, news.text) for news in self._log.news()),
        )

    def _describe_peer(self, peer: rules.PeerStatus) -> PeerStatus:
        return PeerStatus(
            session=cast(SessionAPI, peer.peer),
            head_view=self._collector.get_head_view(peer.peer),
            score=peer.score,
            blocks=peer.blocks,
            open_requests=peer.open_requests,
            late_requests=peer.late_requests,
            disproved_claims=peer.faults,
            client=self._log.client(peer.peer),
            scheme=self._collector.get_scheme(peer.peer),
            covered_views=peer.covered_views,
            round_trip=peer.round_trip,
            state=peer.state.value,
            state_reason=peer.reason,
        )
