"""Whether what a fetch says about itself is true, against the modelled network."""
import re
from typing import Callable, List, Match, Pattern, Tuple

from blockio_plugin.rules.status import FetchStatus
from blockio_plugin.rules.views import ViewRange, range_at
from blockio_plugin.simulator.models import PeerModel
from blockio_plugin.simulator.run import Run

SURE_TIME = 30.0
"""Seconds for which an honest peer must have been connected before nobody may speak of everybody
without having heard it."""


class Untrue(AssertionError):
    """A fetch gave a reason for its idleness that does not hold. The message has both."""


def check_idle_reason(run: Run) -> None:
    """
    Hold the reason why nothing moves against what the network knows.

    :raise Untrue: it does not hold
    """
    status = run.fetch.status(run.now)
    if status.front_view >= status.target:
        _require(status, status.idle_reason is None, "all is there")
        return
    _require(status, bool(run.adverts) or _says_nobody(status), "nobody is connected")
    if status.idle_reason is None:
        _require(status, status.open_requests > 0, "nothing is in flight")
        return
    for pattern, check in REASONS:
        match = pattern.fullmatch(status.idle_reason)
        if match is not None:
            check(run, status, match)
            return
    _require(status, False, "there is no check of this reason")


def _require(status: FetchStatus, condition: bool, truth: str) -> None:
    if not condition:
        raise Untrue(f"{status.idle_reason!r}, but {truth}")


def _says_nobody(status: FetchStatus) -> bool:
    return status.idle_reason == "no peers"


def _check_no_peers(run: Run, status: FetchStatus, match: Match[str]) -> None:
    _require(status, not run.adverts, f"{len(run.adverts)} are connected")


def _check_no_cover(run: Run, status: FetchStatus, match: Match[str]) -> None:
    covering = _covering(run, int(match["view"]))
    _require(status, not covering, f"{covering} do")


def _check_waiting(run: Run, status: FetchStatus, match: Match[str]) -> None:
    start = int(match["start"])
    # What is lost is waited for too: nobody can know. What was answered or given up is not.
    waits = [
        run.now - entry.request.issued_at
        for entry in run.fetch.peers.tracker.open_requests()
        if start in entry.request.views and entry.request.request_id not in run.answered
    ]
    _require(status, len(waits) == int(match["peers"]), f"{len(waits)} requests for it are open")
    _require(
        status, abs(max(waits) - float(match["seconds"])) < 0.1, f"it is {max(waits):.1f} s"
    )


def _check_wrong(run: Run, status: FetchStatus, match: Match[str]) -> None:
    view = int(match["view"])
    _require(status, bool(_covering(run, view)), "nobody covers it")
    truthful = [name for name in _covering(run, view) if _is_truthful(run.models[name])]
    # Where there is no block, a lie about the views beside it puts all in doubt who say so.
    is_filled = any(block.view == view for block in run.network.chain.blocks)
    _require(status, not (truthful and is_filled), f"{truthful} never said a wrong word")


def _check_slow(run: Run, status: FetchStatus, match: Match[str]) -> None:
    view = int(match["view"])
    _require(status, bool(_covering(run, view)), "nobody covers it")
    asked = [request for request in run.open.values() if view in request.views]
    _require(status, not asked, f"it was asked of {[request.peer for request in asked]}")


def _check_unproven(run: Run, status: FetchStatus, match: Match[str]) -> None:
    views = ViewRange(int(match["start"]), int(match["stop"] or match["start"]) + 1)
    asked = [request for request in run.open.values() if _overlap(request.views, views)]
    _require(status, not asked, f"{len(asked)} requests for them are open")
    liars = [model for model in run.scenario.peers if not model.is_honest]
    _require(status, bool(liars), "all peers are honest, and there is a block")


def _check_branch(run: Run, status: FetchStatus, match: Match[str]) -> None:
    view = int(match["view"])
    others = [name for name in _covering(run, status.front_view) if _is_plain(run, name)]
    _require(status, not others, f"{others} have what lies below view {view}")


REASONS: List[Tuple[Pattern[str], Callable[[Run, FetchStatus, Match[str]], None]]] = [
    (re.compile(r"no peers"), _check_no_peers),
    (re.compile(r"no peer covers view (?P<view>\d+)"), _check_no_cover),
    (
        re.compile(
            r"waiting for views (?P<start>\d+)(-\d+)? from (?P<peers>\d+) peers? "
            r"for (?P<seconds>[\d.]+) s"
        ),
        _check_waiting,
    ),
    (
        re.compile(r"every peer that covers view (?P<view>\d+) was asked, and what .*"),
        _check_wrong,
    ),
    (
        re.compile(r"every peer that covers view (?P<view>\d+) is slow or declines.*"),
        _check_slow,
    ),
    (
        re.compile(r"views (?P<start>\d+)(-(?P<stop>\d+))? were answered empty, unproven"),
        _check_unproven,
    ),
    (re.compile(r"the block at view (?P<view>\d+) does not follow ours.*"), _check_branch),
]
"""Each reason that there is, and what must be so where it is given."""


def _overlap(one: ViewRange, other: ViewRange) -> bool:
    return one.start < other.stop and other.start < one.stop


def _covering(run: Run, view: int) -> List[str]:
    """Who says that it covers ``view``."""
    return [name for name, ranges in run.adverts.items() if range_at(ranges, view) is not None]


def _is_truthful(model: PeerModel) -> bool:
    """Whether nothing that a peer says is wrong; it may be silent, or decline."""
    return model.is_honest and model.holds == model.adverts


def _is_plain(run: Run, name: str) -> bool:
    """Whether a peer is beyond doubt: it was always there, answered all and truly."""
    model: PeerModel = run.models[name]
    faults = (model.loses, model.declines, model.omits, model.lies)
    return (
        _is_truthful(model)
        and model.is_answering
        and model.quota is None
        and len(model.holds) == 1
        and not any(fault.share for fault in faults)
        and run.time > model.joins + SURE_TIME
    )
