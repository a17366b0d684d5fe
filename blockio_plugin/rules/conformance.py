"""
Whether a peer keeps to the protocol: what it is asked to find out, and what its answers show.

What ends a connection is judged where answers are received; this is about the rest of what the page
of the wire protocol promises, and what a receiver does not look at.
"""
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from blockio_plugin.rules.answers import check_answer
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import (
    MAX_ANSWER_BLOCKS,
    MAX_ANSWER_BYTES,
    Availability,
    BlocksByView,
    GetBlocksByView,
    Offence,
)
from blockio_plugin.rules.views import ViewRange, ViewRanges, clip, range_at

PROBE_BLOCKS = 64
"""Blocks that most requests ask for."""

SPREAD = 6
"""Requests at even distances over what is advertised."""

FAR_VIEWS = 1000
"""Views past the head at which a request asks for what nobody has."""

VIEW_LIMIT = 2 ** 63
"""Views are below this (wire protocol)."""


class Outcome(NamedTuple):
    """One request and what came of it."""

    request: GetBlocksByView
    answer: Optional[BlocksByView]
    """None where none came."""
    blocks: Tuple[Block, ...]
    """Those of the answer, decoded."""

    @property
    def is_declined(self) -> bool:
        """Whether it was answered that there is no answer."""
        return self.answer is not None and self.answer.length == 0


def plan_requests(
    advert: Availability, first_id: int, within: Optional[ViewRange] = None
) -> Tuple[GetBlocksByView, ...]:
    """
    What to ask of a peer: small and large requests all over its advert, and one past its head.

    :param within: asks for nothing outside of these views
    """
    ranges = advert.ranges if within is None else clip(advert.ranges, within)
    asks = [ViewRange(start, stop) for start, stop in _spread(ranges)]
    wanted = [(views, PROBE_BLOCKS) for views in asks]
    # A server that looks at its bounds after it has added a block is caught by the least of them.
    wanted += [(views, blocks) for views in asks[:1] for blocks in (1, 2, MAX_ANSWER_BLOCKS + 1)]
    past = advert.head_view + FAR_VIEWS
    if within is None and past + 1 < VIEW_LIMIT:
        wanted.append((ViewRange(past, past + 1), 1))
    return tuple(
        GetBlocksByView(request_id, views.start, views.length, blocks)
        for request_id, (views, blocks) in enumerate(wanted, first_id)
    )


def _spread(ranges: ViewRanges) -> List[ViewRange]:
    total = sum(stop - start for start, stop in ranges)
    asks = []
    for index in range(min(SPREAD, total)):
        offset = total * index // min(SPREAD, total)
        for start, stop in ranges:
            if offset < stop - start:
                asks.append(ViewRange(start + offset, stop))
                break
            offset -= stop - start
    return asks


def follow_hint(outcome: Outcome, request_id: int) -> Optional[GetBlocksByView]:
    """A request for the block at the view that an answer names as its next; None: it names none."""
    if outcome.answer is None or not outcome.answer.next_view:
        return None
    return GetBlocksByView(request_id, outcome.answer.next_view, 1, 1)


def judge_answers(outcomes: Sequence[Outcome], advert: Availability) -> Tuple[str, ...]:
    """What is wrong with a peer's answers, in plain words; empty where nothing is."""
    findings: List[str] = []
    for outcome in outcomes:
        findings += _judge(outcome, advert)
    covered = [outcome for outcome in outcomes if outcome.blocks]
    if not covered and not findings:
        findings.append("it gave no block, so nothing else could be checked")
    known: Dict[int, bytes] = {}
    for block in (block for outcome in covered for block in outcome.blocks):
        if known.setdefault(block.view, block.hash) != block.hash:
            findings.append(f"it gave two different blocks at view {block.view}")
    return tuple(dict.fromkeys(findings))


def _judge(outcome: Outcome, advert: Availability) -> List[str]:
    request, answer = outcome.request, outcome.answer
    views = request.views
    if answer is None:
        return [f"no answer to a request for views {views}"]
    try:
        check_answer(request, answer, outcome.blocks)
    except Offence as offence:
        return [str(offence)]
    if outcome.is_declined:
        return []
    findings = []
    covered, blocks = answer.covered, outcome.blocks
    size = sum(len(block.rlp) for block in blocks)
    if size > MAX_ANSWER_BYTES and len(blocks) > 1:
        findings.append(f"{len(blocks)} blocks of {size} bytes together for views {views}")
    held = range_at(advert.ranges, covered.start)
    is_cut = held is not None and covered.stop < min(views.stop, held.stop)
    is_full = len(blocks) >= min(request.max_blocks, MAX_ANSWER_BLOCKS)
    if is_cut and not is_full and size * 2 < MAX_ANSWER_BYTES:
        findings.append(
            f"an answer for views {views} was cut at view {covered.stop} with {len(blocks)} "
            f"blocks, though {request.max_blocks} were asked for"
        )
    if 0 < answer.next_view < covered.stop:
        findings.append(
            f"next_view is {answer.next_view}, which is not past the covered views {covered}"
        )
    if not answer.next_view and covered.stop <= advert.head_view:
        findings.append(f"no next_view after {covered}, though its head is at {advert.head_view}")
    last = blocks[-1].view if blocks else None
    if advert.head_view in covered and last != advert.head_view:
        findings.append(f"no block at view {advert.head_view}, which it says is its head")
    for parent, child in zip(blocks, blocks[1:]):
        if child.parent_hash != parent.hash:
            findings.append(
                f"the block at view {child.view} does not follow the one at view {parent.view}, "
                "and nothing lies between them"
            )
    return findings


def judge_hint(hinted: Outcome) -> Tuple[str, ...]:
    """What is wrong with the answer to :func:`follow_hint`."""
    if hinted.answer is None or hinted.is_declined or hinted.blocks:
        return ()
    return (f"next_view was {hinted.request.start_view}, and no block is there",)
