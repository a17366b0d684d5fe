"""
What ``trinity blockio status --json`` says. Names and meanings of the keys are a public interface:
none changes without a line in the changelog. The page of the documentation is made from here.
"""
from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Tuple

from blockio_plugin.events import BlockIOStatus, PeerStatus


@dataclass(frozen=True)
class PeerReport:
    """One peer that speaks the protocol."""

    node_id: str
    """Its public key, 128 hexadecimal digits, as in its enode."""
    address: str
    """``host:port`` of the connection's other end."""
    client: str
    """What it calls itself."""
    scheme: Optional[str]
    """Its view scheme; null before its first advert."""
    head_view: Optional[int]
    """The view of its head, as last advertised; null before its first advert."""
    covered_views: int
    """Views that it advertises."""
    score: Optional[float]
    """Seconds per block it supplies, lower is better; null before it supplied one."""
    round_trip: Optional[float]
    """Seconds from a request to an answer that costs it nothing; null where not measured."""
    open_requests: int
    """Requests that it has not answered yet and still has time for."""
    blocks: int
    """Blocks that it supplied."""
    late: int
    """Requests that it has not answered and has no more time for."""
    faults: int
    """How often it called views empty that are not."""
    state: str
    """``asked``, ``idle``, ``paused``, ``late``, ``new``, ``forked`` or ``foreign``; then, where
    there is more to say, a colon and the reason."""


@dataclass(frozen=True)
class StatusReport:
    """One node at one moment."""

    role: str
    """``drives`` the chain, or ``assists`` one of Trinity's own syncers."""
    scheme: str
    """The view scheme."""
    head_view: int
    """The view of the chain's head."""
    head_number: int
    """Its block number."""
    head_hash: str
    """Its hash, ``0x`` and 64 hexadecimal digits."""
    target_view: int
    """The highest view that is wanted; that of the head where nothing is."""
    target_number: Optional[int]
    """The block number at the target, as a peer gave it; null as long as none did."""
    syncing: bool
    """Whether the node is on its way to a head: from the start until it has reached that of a peer,
    or has had no peer for 30 seconds."""
    reason: Optional[str]
    """Why nothing moves, in plain words; null while something does."""
    percent: Optional[float]
    """Blocks held of those up to the target, 0 to 100; null where those are not known."""
    eta_seconds: Optional[float]
    """Seconds to the target at the present pace; null where that cannot be told."""
    blocks_per_second: float
    """Blocks imported a second, in the last half minute."""
    bytes_per_second: float
    """Bytes of blocks that came from peers a second, in the last half minute."""
    wanted_views: int
    """Views up to the target that are still to be asked for."""
    in_flight_blocks: int
    """Blocks asked for and not here yet, by estimate."""
    cached_blocks: int
    """Blocks fetched and not imported yet."""
    cached_bytes: int
    """Bytes of these."""
    memory_budget: int
    """Bytes that these may take."""
    imported_blocks: int
    """Blocks imported since the node started."""
    served_blocks: int
    """Blocks given to peers since the node started."""
    served_bytes: int
    """Bytes of these."""
    peers: Tuple[PeerReport, ...]
    """The peers that speak the protocol, the best score first."""

    def to_json(self) -> Dict[str, Any]:
        """For ``json.dumps``, keys in the order in which they are described."""
        return asdict(self)


def make_report(status: BlockIOStatus) -> StatusReport:
    """What the node said, in the words of the command."""
    return StatusReport(
        role="drives" if status.drives else "assists",
        scheme=status.scheme,
        head_view=status.head_view,
        head_number=status.head_number,
        head_hash="0x" + status.head_hash.hex(),
        target_view=status.target_view,
        target_number=status.target_number,
        syncing=status.syncing,
        reason=status.idle_reason,
        percent=status.percent,
        eta_seconds=status.eta_seconds,
        blocks_per_second=status.blocks_per_second,
        bytes_per_second=status.bytes_per_second,
        wanted_views=status.wanted_views,
        in_flight_blocks=status.blocks_in_flight,
        cached_blocks=status.blocks_cached,
        cached_bytes=status.bytes_cached,
        memory_budget=status.memory_budget,
        imported_blocks=status.imported_blocks,
        served_blocks=status.served_blocks,
        served_bytes=status.served_bytes,
        peers=tuple(sorted(map(_report_peer, status.peers), key=_rank)),
    )


def _report_peer(peer: PeerStatus) -> PeerReport:
    remote = peer.session.remote
    reason = "" if peer.state_reason is None else f": {peer.state_reason}"
    return PeerReport(
        node_id=remote.pubkey.to_hex()[2:],
        address=f"{remote.address.ip}:{remote.address.tcp_port}" if remote.address else "",
        client=peer.client,
        scheme=peer.scheme,
        head_view=peer.head_view,
        covered_views=peer.covered_views,
        score=peer.score,
        round_trip=peer.round_trip,
        open_requests=peer.open_requests,
        blocks=peer.blocks,
        late=peer.late_requests,
        faults=peer.disproved_claims,
        state=peer.state + reason,
    )


def _rank(peer: PeerReport) -> Tuple[float, str]:
    return (float("inf") if peer.score is None else peer.score, peer.node_id)
