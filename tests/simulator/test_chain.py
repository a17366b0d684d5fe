"""Modelled chains, and what peers give of them."""
from random import Random

from blockio_plugin.rules.answers import check_answer
from blockio_plugin.rules.messages import MAX_ANSWER_BYTES, GetBlocksByView
from blockio_plugin.simulator.chain import (
    Chain,
    Library,
    draw_sizes,
    draw_views,
    make_chain,
    make_shelf,
)
from blockio_plugin.simulator.models import PeerModel
from blockio_plugin.simulator.scenario import read_scenario

CHAIN = Chain(make_chain(list(range(0, 100, 2))), 100)


def library(**values: object) -> Library:
    peer: PeerModel = read_scenario({"chain": {"views": 100}, "peers": [values]}, "x").peers[0]
    return Library(peer, CHAIN, Random(1))


def test_the_first_and_the_last_view_hold_a_block() -> None:
    document = {"chain": {"views": 50, "filled": [[10, 90, 0.5]]}, "peers": [{}]}
    views = draw_views(read_scenario(document, "x"), Random(2))
    assert views[0] == 0 and views[-1] == 49 and views == sorted(set(views))
    assert all(view in (0, 49) or 10 <= view for view in views) and 10 < len(views) < 35


def test_blocks_link() -> None:
    assert all(b.parent_hash == a.hash for a, b in zip(CHAIN.blocks, CHAIN.blocks[1:]))


def test_an_answer_is_cut_at_its_bounds_and_hints_at_what_follows() -> None:
    request = GetBlocksByView(1, 10, 50, 5)
    answer = library().answer(request, 0.0)
    assert [block.view for block in answer.blocks] == [10, 12, 14, 16, 18]
    assert answer.message.covered == (10, 19) and answer.message.next_view == 20
    check_answer(request, answer.message, answer.blocks)
    assert len(library(max_blocks=2).answer(request, 0.0).blocks) == 2
    assert library(hints=False).answer(request, 0.0).message.next_view == 0


def test_sizes_are_drawn_around_the_mean_of_their_view_and_the_later_mean_counts() -> None:
    document = {
        "chain": {"views": 5000, "bytes": [[1000, 4000, 9000], [3000, 9999, 1]]},
        "peers": [{}],
    }
    drawn = draw_sizes(read_scenario(document, "x"), list(range(5000)), Random(1))
    for part, mean in ((drawn[:1000], 600), (drawn[1000:3000], 9000)):
        assert 0.5 * mean <= min(part) < 0.55 * mean and 1.45 * mean < max(part) <= 1.5 * mean
        # U(0.5, 1.5) has a deviation of 0.29: that of the mean of 1,000 is 0.0091.
        assert abs(sum(part) / len(part) / mean - 1) < 0.04
    assert set(drawn[3000:]) <= {1, 2}
    blocks = make_chain(list(range(5000)), drawn)
    assert [len(block.rlp) for block in blocks] == drawn


def test_an_answer_is_cut_by_its_bytes_after_the_last_block_that_fits() -> None:
    half = MAX_ANSWER_BYTES // 2
    shelf = make_shelf(make_chain(list(range(5)), [half, half, 1, 3 * half, 1]))
    assert [shelf.fit(low, 5) for low in range(5)] == [2, 3, 3, 4, 5]
    assert shelf.fit(0, 1) == 1 and shelf.fit(4, 4) == 4


def test_what_is_not_held_is_declined() -> None:
    peer = library(holds=[[0, 30]], adverts=[[0, 100]])
    assert peer.answer(GetBlocksByView(1, 30, 10, 5), 0.0).message.length == 0
    answer = peer.answer(GetBlocksByView(1, 20, 50, 50), 0.0)
    assert answer.message.covered == (20, 30) and answer.message.next_view == 0
    assert [view for view in (28, 29, 30) if peer.gives(view, 0.0)] == [28]


def test_who_overclaims_answers_for_what_it_lacks_up_to_what_it_holds() -> None:
    peer = library(holds=[[40, 60]], adverts=[[0, 80]], overclaims=True)
    for start, length, covered in ((10, 10, (10, 20)), (10, 50, (10, 40)), (60, 40, (60, 80))):
        answer = peer.answer(GetBlocksByView(1, start, length, 50), 0.0)
        assert answer.message.covered == covered and answer.blocks == ()
        assert answer.message.next_view == 0
    assert peer.answer(GetBlocksByView(1, 80, 10, 50), 0.0).message.length == 0
    assert peer.answer(GetBlocksByView(1, 40, 10, 50), 0.0).blocks


def test_liars_and_omitters() -> None:
    request = GetBlocksByView(1, 0, 100, 100)
    lie = library(lies="empty").answer(request, 0.0)
    assert lie.message.covered == (0, 100) and lie.blocks == ()
    omitter = library(omits=0.3)
    first, second = omitter.answer(request, 0.0), omitter.answer(request, 0.0)
    assert first == second and 20 < len(first.blocks) < 45
