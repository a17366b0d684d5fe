"""What runs in the process ``blockio``: the services, put together."""
import logging
from math import inf
import random
import time
from typing import Callable, Optional

from async_service import Service, background_asyncio_service
from lahja import EndpointAPI
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.db.manager import DBClient
from trinity.sync.common.events import NewBlockImported

from blockio_plugin.node.chain_reader import ChainReader
from blockio_plugin.node.facts import BusFacts
from blockio_plugin.node.fetch_requests import FetchResponder
from blockio_plugin.node.importer_proxy import ProxyImporter
from blockio_plugin.node.inbox import BusInbox
from blockio_plugin.node.status import StatusResponder, name_peer
from blockio_plugin.protocol.proxy import ProxyBlockIOAPI
from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.fetch_group import FetchGroup
from blockio_plugin.rules.head_number import HeadNumber
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.messages import Availability
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.rules.schemes import NumberScheme, SchemeSpec, ViewScheme
from blockio_plugin.rules.traffic import Traffic
from blockio_plugin.services.abc import ChainHead, GapFillerAPI, ImporterAPI, InboxAPI, WireAPI
from blockio_plugin.services.advertiser import Advertiser
from blockio_plugin.services.backfiller import Backfiller
from blockio_plugin.services.border import CountedInbox, CountedWire
from blockio_plugin.services.branch_follower import BranchFollower
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.services.chain_watcher import ChainWatcher
from blockio_plugin.services.collector import AvailabilityCollector
from blockio_plugin.services.fetcher import Fetcher
from blockio_plugin.services.head_time import HeadTime
from blockio_plugin.services.importer import Importer
from blockio_plugin.services.observer import Observer
from blockio_plugin.services.peer_requests import PeerRequests
from blockio_plugin.services.receiver import Receiver
from blockio_plugin.services.reporter import Reporter
from blockio_plugin.services.scheduler import Scheduler
from blockio_plugin.services.scorer import Scorer
from blockio_plugin.services.server import Server
from blockio_plugin.services.serving_reporter import ServingReporter
from blockio_plugin.services.sounder import Sounder


class BlockIO(Service):
    """
    All of block I/O but the importing.

    :param inbox: what comes from peers
    :param wire: what goes to them
    :param importer: verifies and stores blocks
    :param drives: whether we drive the chain; otherwise we advertise and serve
    :param filler: stores blocks in gaps below the head; None: they are left as they are
    :param clock: seconds, monotonic
    :param seed: what is left to chance is drawn from it; None: it differs from run to run
    """

    logger = logging.getLogger("blockio_plugin.node.BlockIO")

    def __init__(
        self,
        event_bus: EndpointAPI,
        inbox: InboxAPI,
        wire: WireAPI,
        importer: ImporterAPI,
        chain: ChainThread,
        scheme: ViewScheme,
        drives: bool,
        filler: Optional[GapFillerAPI] = None,
        clock: Callable[[], float] = time.monotonic,
        seed: Optional[int] = None,
    ) -> None:
        self._event_bus = event_bus
        self._inbox = inbox
        self._wire = wire
        self._importer = importer
        self._chain = chain
        self._scheme = scheme
        self._drives = drives
        self._filler = filler
        self._clock = clock
        self._seed = seed

    async def run(self) -> None:
        clock = self._clock
        traffic, log = Traffic(clock()), PeerLog(clock(), name_peer)
        wire = CountedWire(self._wire, traffic, clock)
        head = await self._chain.fetch_head()
        peers = PeerBook()
        fetch = Fetch(
            front=Front(head.view + 1, head.hash),
            limits=Limits(),
            random=random.Random(self._seed),
            peers=peers,
        )
        facts = BusFacts(self._event_bus)
        group = FetchGroup(fetch, peers, random.Random(self._seed))
        group.note_own_ranges((await self._chain.fetch_availability()).ranges)
        scheduler = Scheduler(group, self._inbox, wire, clock, facts)
        fetcher = Fetcher(group, self._chain, self._scheme, scheduler.wake, clock)
        advertiser = Advertiser(wire, random.Random(self._seed))
        server = Server(self._chain, wire)
        branches = Branches()
        # Where another syncer imports we cannot tell who gave what: heads are believed for good.
        heads = Heads(BELIEF_TIME if self._drives else inf)
        requests = PeerRequests(wire)
        collector = AvailabilityCollector(
            fetch,
            branches,
            heads,
            self._scheme.name,
            self._drives,
            lambda: on_progress(),
            clock,
            facts,
        )

        def on_import(imported: int) -> None:
            traffic.imported.note(imported, clock())
            watcher.nudge()
            scheduler.wake()
            reporter.count(imported)

        importer = Importer(
            fetch,
            self._importer,
            wire,
            head,
            heads,
            on_import,
            clock,
            facts,
        )

        def on_progress() -> None:
            scheduler.wake()
            importer.wake()
            follower.wake()
            fetcher.notice()

        def on_availability(advert: Availability) -> None:
            advertiser.update(advert)
            fetcher.note_own_ranges(advert.ranges)

        def on_head(head: ChainHead) -> None:
            advertiser.repeat()
            if importer.notice_head(head):
                follower.restart()

        def is_synced() -> bool:
            at_head = heads.is_reached(importer.head.view, clock())
            return at_head and importer.is_idle(0.0)

        follower = BranchFollower(
            fetch,
            branches,
            heads,
            collector,
            importer,
            self._chain,
            requests,
            wire,
            on_progress,
            clock,
        )
        numbers = HeadNumber()
        observer = Observer(
            importer,
            collector,
            branches,
            heads,
            numbers,
            traffic,
            log,
            lambda: importer.head,
            lambda: head_time.timestamp,
            self._scheme.name,
            clock,
        )
        head_time = HeadTime(self._chain, lambda: importer.head)
        sounder = Sounder(
            numbers, heads, branches, peers, requests, lambda: importer.head, clock
        )
        reporter = Reporter(observer, log, clock)
        watcher = ChainWatcher(self._chain, on_availability, on_head)
        receiver = Receiver(
            CountedInbox(self._inbox, traffic, log, clock),
            fetch,
            peers,
            branches,
            requests,
            self._scheme,
            wire,
            advertiser,
            collector,
            server,
            on_progress,
            clock,
        )
        status = StatusResponder(
            self._event_bus,
            observer,
            fetch,
            traffic,
            log,
            collector,
            lambda: group.own_ranges,
            self._scheme.name,
            self._drives,
            clock,
        )
        services = [
            facts,
            advertiser,
            server,
            watcher,
            scheduler,
            fetcher,
            Scorer(fetch, clock, facts),
            collector,
            receiver,
            status,
            head_time,
            ServingReporter(traffic),
            FetchResponder(self._event_bus, fetcher),
        ]
        if self._drives:
            services += [importer, reporter, follower]
            if not isinstance(self._scheme, NumberScheme):
                services.append(sounder)
        if self._filler is not None:
            services.append(
                Backfiller(
                    peers, requests, self._chain, self._filler, is_synced, watcher.nudge, clock
                )
            )
        # Trinity's own syncers tell of what they import near the head.
        self._event_bus.subscribe(NewBlockImported, lambda _: watcher.nudge())
        for service in services:
            self.manager.run_daemon_child_service(service)
        await self.manager.wait_finished()


async def run_blockio(
    event_bus: EndpointAPI,
    trinity_config: TrinityConfig,
    spec: SchemeSpec,
    drives: bool,
    backfills: bool,
) -> None:
    """Run block I/O until the node ends."""
    db = DBClient.connect(trinity_config.database_ipc_path)
    with db:
        chain_config = trinity_config.get_app_config(Eth1AppConfig).get_chain_config()
        genesis = chain_config.full_chain_class(db).get_canonical_block_header_by_number(0)
        scheme = spec.bind(genesis)
        chain = ChainThread(ChainReader(db, scheme))
        importer = ProxyImporter(event_bus)
        block_io = BlockIO(
            event_bus,
            BusInbox(event_bus, scheme),
            ProxyBlockIOAPI(event_bus),
            importer,
            chain,
            scheme,
            drives,
            importer if backfills else None,
        )
        async with background_asyncio_service(block_io) as manager:
            await manager.wait_finished()
