"""A peer that does as the protocol says is found right, and each way to be wrong is found."""
from typing import Any, Callable, List, Sequence

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.conformance import (
    FAR_VIEWS,
    Outcome,
    follow_hint,
    judge_answers,
    judge_hint,
    plan_requests,
)
from blockio_plugin.rules.messages import (
    MAX_ANSWER_BLOCKS,
    Availability,
    BlocksByView,
    GetBlocksByView,
)
from blockio_plugin.rules.views import ViewRange, normalise
from blockio_plugin.simulator.chain import make_chain

VIEWS = list(range(0, 3000, 3))

CHAIN = make_chain(VIEWS)

ADVERT = Availability("number", VIEWS[-1], (ViewRange(0, VIEWS[-1] + 1),))


def answer(request: GetBlocksByView, chain: Sequence[Block] = CHAIN) -> Outcome:
    """As a peer does that holds ``chain`` and keeps to the protocol."""
    head = chain[-1].view
    if request.start_view > head:
        return Outcome(request, BlocksByView(request.request_id, request.start_view, 0, 0, ()), ())
    stop = min(request.views.stop, head + 1)
    inside = [block for block in chain if request.start_view <= block.view < stop]
    given_blocks = inside[: min(request.max_blocks, MAX_ANSWER_BLOCKS)]
    if len(given_blocks) < len(inside):
        stop = given_blocks[-1].view + 1
    following = next((block.view for block in chain if block.view >= stop), 0)
    return make_outcome(request, stop, following, given_blocks)


def make_outcome(
    request: GetBlocksByView, stop: int, next_view: int, blocks: Sequence[Block]
) -> Outcome:
    length = stop - request.start_view
    rlps = tuple(block.rlp for block in blocks)
    answer = BlocksByView(request.request_id, request.start_view, length, next_view, rlps)
    return Outcome(request, answer, tuple(blocks))


@given(st.lists(st.tuples(st.integers(0, 2990), st.integers(1, 900)), max_size=8))
def test_who_keeps_to_it_is_found_right(ranges: List[Any]) -> None:
    covered = normalise(
        ViewRange(start, min(start + length, VIEWS[-1] + 1)) for start, length in ranges
    )
    advert = Availability("number", VIEWS[-1], covered)
    outcomes = [answer(request) for request in plan_requests(advert, 1)]
    findings = judge_answers(outcomes, advert)
    if any(outcome.blocks for outcome in outcomes):
        assert findings == ()
    else:
        assert findings == ("it gave no block, so nothing else could be checked",)
    for outcome in outcomes:
        hint = follow_hint(outcome, 99)
        assert hint is None or judge_hint(answer(hint)) == ()


def test_what_is_asked_for() -> None:
    requests = plan_requests(ADVERT, 7)
    assert [request.request_id for request in requests] == list(range(7, 7 + len(requests)))
    assert {1, 2, MAX_ANSWER_BLOCKS + 1} < {request.max_blocks for request in requests}
    assert requests[-1].start_view == ADVERT.head_view + FAR_VIEWS
    inside = plan_requests(ADVERT, 1, ViewRange(100, 200))
    assert all(100 <= each.start_view and each.views.stop <= 200 for each in inside)
    assert plan_requests(Availability("number", 0, ()), 1)[0].start_view == FAR_VIEWS


def cut_short(outcome: Outcome) -> Outcome:
    blocks = outcome.blocks[:3]
    stop = blocks[-1].view + 1
    return make_outcome(outcome.request, stop, stop + 2, blocks)


def too_many(outcome: Outcome) -> Outcome:
    start = outcome.request.start_view
    blocks = [block for block in CHAIN if block.view >= start][: outcome.request.max_blocks + 1]
    return make_outcome(outcome.request, blocks[-1].view + 1, 0, blocks)


def hint_back(outcome: Outcome) -> Outcome:
    assert outcome.answer is not None
    return outcome._replace(answer=outcome.answer._replace(next_view=1))


def no_hint(outcome: Outcome) -> Outcome:
    assert outcome.answer is not None
    return outcome._replace(answer=outcome.answer._replace(next_view=0))


def left_out(outcome: Outcome) -> Outcome:
    assert outcome.answer is not None
    blocks = (*outcome.blocks[:5], *outcome.blocks[6:])
    stop = outcome.answer.covered.stop
    again = make_outcome(outcome.request, stop, outcome.answer.next_view, blocks)
    request = outcome.request._replace(max_blocks=len(blocks))
    return again._replace(request=request)


def no_head(outcome: Outcome) -> Outcome:
    return make_outcome(outcome.request, ADVERT.head_view + 1, 0, ())


def reordered(outcome: Outcome) -> Outcome:
    return outcome._replace(blocks=outcome.blocks[::-1])


def silent(outcome: Outcome) -> Outcome:
    return Outcome(outcome.request, None, ())


@pytest.mark.parametrize(
    "fault, finding",
    [
        (cut_short, "an answer for views 0-2997 was cut at view 7 with 3 blocks"),
        (too_many, "65 blocks where 64 were asked for"),
        (hint_back, "next_view is 1, which is not past the covered views 0-189"),
        (no_hint, "no next_view after 0-189, though its head is at 2997"),
        (left_out, "does not follow the one at view 12"),
        (no_head, "no block at view 2997, which it says is its head"),
        (reordered, "does not ascend"),
        (silent, "no answer to a request for views 0-2997"),
    ],
)
def test_each_way_to_be_wrong(fault: Callable[[Outcome], Outcome], finding: str) -> None:
    first, *others = [answer(request) for request in plan_requests(ADVERT, 1)]
    findings = judge_answers([fault(first), *others], ADVERT)
    assert len(findings) == 1 and finding in findings[0]


def test_two_blocks_at_one_view() -> None:
    outcomes = [answer(request) for request in plan_requests(ADVERT, 1)]
    changed = [block._replace(hash=b"x" + block.hash[1:]) for block in CHAIN[:1]]
    index = next(i for i, each in enumerate(outcomes) if each.request.max_blocks == 1)
    outcomes[index] = outcomes[index]._replace(blocks=tuple(changed))
    assert judge_answers(outcomes, ADVERT) == ("it gave two different blocks at view 0",)


def test_a_hint_to_nothing() -> None:
    hint = follow_hint(answer(plan_requests(ADVERT, 1)[0]), 99)
    assert hint is not None and hint.start_view == 192
    assert judge_hint(answer(hint)) == ()
    empty = make_outcome(hint, hint.start_view + 1, 0, ())
    assert judge_hint(empty) == ("next_view was 192, and no block is there",)
