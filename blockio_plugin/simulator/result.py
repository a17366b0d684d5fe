"""What a run came to."""
from statistics import median
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from blockio_plugin.rules.views import ViewRanges
from blockio_plugin.simulator.chain import Chain


class PeerResult(NamedTuple):
    """
    One peer at the end. ``blocks``, ``bytes``: what it brought that we lacked; ``score`` in seconds
    per block, 0 where it was never measured.
    """

    name: str
    requests: int
    blocks: int
    bytes: int
    score: float
    banned: bool


class Delays(NamedTuple):
    """Seconds from the birth of a block to its arrival, over all by which the chain grew."""

    median: float
    worst: float

    @classmethod
    def of(cls, delays: Sequence[float]) -> Optional["Delays"]:
        """Of these delays; None where there are none."""
        return cls(median(delays), max(delays)) if delays else None


class Result(NamedTuple):
    """One run. Times in virtual seconds but for ``cpu_seconds``, spent in the production rules."""

    finished: bool
    seconds: float
    lower_bound: float
    ratio: float
    blocks: int
    bytes: int
    duplicates: int
    requests: int
    timeouts: int
    max_in_flight: int
    max_held: int
    honest_banned: int
    unavailable: ViewRanges
    cpu_seconds: float
    delays: Optional[Delays]
    peers: Tuple[PeerResult, ...]

    def to_json(self) -> Dict[str, Any]:
        """Plain values for a JSON object."""
        return {
            **self._asdict(),
            "delays": None if self.delays is None else self.delays._asdict(),
            "peers": [peer._asdict() for peer in self.peers],
        }


class Delivery(NamedTuple):
    """An answer that arrived: its covered views, and whether it brought a block that we lacked."""

    peer: str
    start: int
    stop: int
    blocks: int
    issued: float
    arrived: float
    was_used: bool


class ScoreSample(NamedTuple):
    """A peer's score (s per block) at a moment."""

    peer: str
    time: float
    score: float


class Trace(NamedTuple):
    """What happened in a run, in order, and the chain that came."""

    deliveries: Tuple[Delivery, ...]
    scores: Tuple[ScoreSample, ...]
    chain: Chain
