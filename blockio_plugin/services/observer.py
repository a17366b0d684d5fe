"""Puts together what the services know, for those who look: the log, and who asks over the bus."""
from typing import Callable, Optional, Tuple

from typing_extensions import Protocol

from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.head_number import HeadNumber, Sounding
from blockio_plugin.rules.heads import Heads
from blockio_plugin.rules.outlook import ALONE_TIME, Outlook
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.rules.status import FetchStatus, PeerState, PeerStatus
from blockio_plugin.rules.traffic import Traffic
from blockio_plugin.services.abc import ChainHead, PeerID

STILL_TIME = 1.0
"""Seconds without an imported block after which it is told why nothing moves."""


class StatusSource(Protocol):
    """What knows how fetching goes: the importer, which knows why importing does not."""

    def status(self, now: float) -> FetchStatus:
        """What is going on, and why nothing is."""


class SchemeSource(Protocol):
    """What knows which view schemes peers use: the collector of adverts."""

    def get_scheme(self, peer: PeerID) -> Optional[str]:
        """The scheme of the peer; None before its first advert."""


class Observer:
    """
    Looks at the sync.

    :param scheme_name: our view scheme
    """

    def __init__(
        self,
        source: StatusSource,
        schemes: SchemeSource,
        branches: Branches,
        heads: Heads,
        numbers: HeadNumber,
        traffic: Traffic,
        log: PeerLog,
        get_head: Callable[[], ChainHead],
        get_head_timestamp: Callable[[], Optional[int]],
        scheme_name: str,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._schemes = schemes
        self._branches = branches
        self._heads = heads
        self._numbers = numbers
        self._traffic = traffic
        self._log = log
        self._get_head = get_head
        self._get_head_timestamp = get_head_timestamp
        self._scheme_name = scheme_name
        self._clock = clock

    def look(self) -> Outlook:
        """How it stands now."""
        now, head = self._clock(), self._get_head()
        status = self._source.status(now)
        status = status._replace(peers=tuple(map(self._place, status.peers)))
        target_view = max(head.view, status.target - 1)
        is_synced = self._heads.is_reached(head.view, now)
        if self._scheme_name == NumberScheme.name:
            number: Optional[int] = target_view
        else:
            number = self._numbers.estimate(target_view, Sounding(head.view, head.number))
        if is_synced:
            # What is claimed above it is not believed.
            number = head.number
        return Outlook(
            status,
            head.view,
            head.number,
            head.hash,
            self._get_head_timestamp(),
            target_view,
            number,
            is_synced,
            not is_synced and not self._log.is_alone(ALONE_TIME, now),
            self._traffic.imported.rate(now),
            None if is_synced else self._tell_reason(status, target_view > head.view, now),
        )

    def _tell_reason(self, status: FetchStatus, has_target: bool, now: float) -> Optional[str]:
        if not status.peers:
            return self._log.tell_absence(now)
        if has_target:
            moves = now < self._traffic.imported.last_at + STILL_TIME
            return None if moves else status.idle_reason
        foreign = self._foreign_schemes(status.peers)
        if len(foreign) < len(status.peers):
            return "no peer has said yet which views it covers"
        peers = "the only peer uses" if len(foreign) == 1 else f"all {len(foreign)} peers use"
        schemes = ", ".join(sorted(set(foreign)))
        return f"{peers} another view scheme ({schemes}) than we do ({self._scheme_name})"

    def _foreign_schemes(self, peers: Tuple[PeerStatus, ...]) -> Tuple[str, ...]:
        schemes = [self._schemes.get_scheme(peer.peer) for peer in peers]
        return tuple(scheme for scheme in schemes if scheme and scheme != self._scheme_name)

    def _place(self, peer: PeerStatus) -> PeerStatus:
        """The peer, with what fetching does not know of it."""
        scheme = self._schemes.get_scheme(peer.peer)
        if scheme and scheme != self._scheme_name:
            reason = f"uses view scheme {scheme}, we use {self._scheme_name}"
            return peer._replace(state=PeerState.FOREIGN, reason=reason)
        fork = self._branches.fork(peer.peer)
        if fork is not None:
            reason = f"on another branch from block {fork.number + 1} on"
            return peer._replace(state=PeerState.FORKED, reason=reason)
        return peer
