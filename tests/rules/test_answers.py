"""What the receiver refuses."""
from typing import List, Tuple

import pytest

from blockio_plugin.rules.answers import check_answer
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView, Offence

ASKED = GetBlocksByView(request_id=7, start_view=10, length=10, max_blocks=3)


def check(covered: Tuple[int, int], views: List[int]) -> None:
    blocks = [Block(view, view, b"h%d" % view, b"p", b"rlp") for view in views]
    raw = tuple(block.rlp for block in blocks)
    check_answer(ASKED, BlocksByView(7, covered[0], covered[1] - covered[0], 0, raw), blocks)


@pytest.mark.parametrize(
    "covered, views",
    [((10, 20), [10, 15, 19]), ((10, 12), []), ((10, 10), []), ((10, 11), [10])],
)
def test_a_covered_prefix_with_its_blocks_passes(
    covered: Tuple[int, int], views: List[int]
) -> None:
    check(covered, views)


@pytest.mark.parametrize(
    "covered, views, problem",
    [
        ((11, 20), [], "no prefix"),
        ((10, 21), [], "no prefix"),
        ((10, 20), [10, 11, 12, 13], "4 blocks"),
        ((10, 20), [9], "below the covered"),
        ((10, 15), [15], "past the covered"),
        ((10, 20), [12, 11], "does not ascend"),
        ((10, 20), [12, 12], "does not ascend"),
        ((10, 10), [10], "past the covered"),
    ],
)
def test_anything_else_is_an_offence(
    covered: Tuple[int, int], views: List[int], problem: str
) -> None:
    with pytest.raises(Offence, match=problem):
        check(covered, views)
