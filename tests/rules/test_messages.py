from blockio_plugin.rules.messages import (
    MAX_ANSWER_BLOCKS,
    MAX_ANSWER_BYTES,
    MAX_RANGES,
    BlocksByView,
    GetBlocksByView,
)
from blockio_plugin.rules.views import ViewRange


def test_views_of_a_request() -> None:
    request = GetBlocksByView(request_id=1, start_view=5, length=10, max_blocks=3)
    assert request.views == ViewRange(5, 15)


def test_covered_prefix_of_an_answer() -> None:
    answer = BlocksByView(request_id=1, start_view=5, length=2, next_view=9, blocks=(b"a",))
    assert answer.covered == ViewRange(5, 7)
    assert answer._replace(length=0, blocks=()).covered.length == 0


def test_bounds_are_those_of_the_wire_protocol() -> None:
    assert (MAX_RANGES, MAX_ANSWER_BLOCKS, MAX_ANSWER_BYTES) == (1024, 512, 2097152)
