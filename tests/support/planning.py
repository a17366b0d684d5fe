"""Peers and a demand, to see single decisions of the planner."""
from typing import List, Optional, Tuple

from blockio_plugin.rules.draft import Demand, Proposal
from blockio_plugin.rules.peer_book import PeerBook
from blockio_plugin.rules.planner import Plan, plan
from blockio_plugin.rules.ranking import rank_segments
from blockio_plugin.rules.requests import OpenRequest
from blockio_plugin.rules.scoring import FIRST_REQUESTS
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange


def make_peers(*names: str, stop: int = 10_000) -> PeerBook:
    peers = PeerBook()
    for name in names:
        peers.join(name)
        peers.availability.advertise(name, stop, (ViewRange(0, stop),))
    return peers


def measure(peers: PeerBook, name: str, rate: float, rtt: float = 0.1) -> None:
    """As if the peer had answered some requests at this rate up to now, second 10."""
    done = 5.0
    for blocks in (8, 32, 40, 40, 40, 40):
        done += blocks / rate
        peers.scores[name].supplied(5.0 - rtt, True, blocks, 0.0, done)
    peers.scores[name].paused_until = 0.0
    # So that none of the next is a probe.
    peers.tracker.queue(name).issued = 6


def decide(
    peers: PeerBook,
    wanted: ViewSet,
    clock_index: int = 0,
    now: float = 10.0,
    stop: int = 10_000,
    density: float = 1.0,
    room: float = 1e9,
    link_time: float = 0.0,
    may_copy: bool = True,
    answered: Optional[ViewSet] = None,
    in_flight: Optional[ViewSet] = None,
) -> Plan:
    partition = peers.availability.partition(ViewRange(0, 10_000))
    ranking = rank_segments(
        partition, wanted, peers.scores, peers.availability, density, now
    )
    demand = Demand(
        front=0,
        wanted=wanted,
        in_flight=ViewSet(0) if in_flight is None else in_flight,
        answered=ViewSet(0) if answered is None else answered,
        partition=partition,
        ranking=ranking,
        stop=stop,
        density=density,
        room=room,
        link_time=link_time,
        may_copy=may_copy,
    )
    return plan(demand, peers.availability, peers.tracker, peers.scores, clock_index, now)


def asked(planned: Plan) -> List[Tuple[object, int, int]]:
    return [(item.peer, item.views.start, item.views.stop) for item in planned.proposals]


def burden(peers: PeerBook, name: str, rate: float, answers: int = 24) -> None:
    """As if each request cost the peer 3 s, and it had answered some up to second 10."""
    score, way, now = peers.scores[name], 0.1, 10.0
    sizes = ([*FIRST_REQUESTS, 100, 300] * answers)[:answers]
    issued = done = now - way - sum(3.0 + blocks / rate for blocks in sizes)
    for number, blocks in enumerate(sizes):
        done += 3.0 + blocks / rate
        score.supplied(issued, number > 0, blocks, 0.0, done + way)
    score.paused_until = 0.0


def owe(peers: PeerBook, name: str, start: int, stop: int, issued_at: float = 9.9) -> OpenRequest:
    views = ViewRange(start, stop)
    blocks = views.length
    return peers.tracker.issue(name, views, blocks, float(blocks), False, issued_at, 99.0)


def make_late(peers: PeerBook, name: str) -> None:
    """It was measured, and has let a request go by; it does not pause any more."""
    measure(peers, name, 500.0)
    peers.tracker.mark_late(owe(peers, name, 9000, 9001))


def of(planned: Plan, peer: str) -> List[Proposal]:
    return [item for item in planned.proposals if item.peer == peer]


ALL = ViewSet(0, [(0, 10_000)])
