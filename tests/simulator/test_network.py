"""What the modelled network brings when, against cases worked out by hand; no jitter anywhere."""
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

from blockio_plugin.rules.messages import MAX_ANSWER_BYTES
from blockio_plugin.rules.requests import Request
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.network import (
    TICK,
    Advertised,
    Arrived,
    Event,
    Grown,
    Joined,
    Left,
    Network,
    Restarted,
    to_tick,
)
from blockio_plugin.simulator.scenario import read_scenario

NEAR = 3 * TICK
"""Seconds: each thing that happens on the way to another is put off to the next tick."""


def network(*peers: Dict[str, Any], seed: int = 1, **tables: Dict[str, Any]) -> Network:
    tables.setdefault("chain", {"views": 1000})
    tables["simulation"] = {"jitter": 0.0, **tables.get("simulation", {})}
    models = [{"rtt": 0.0, "overhead": 0.0, **peer} for peer in peers]
    return Network(read_scenario({"peers": models, **tables}, "test"), seed)


class Got(NamedTuple):
    """An answer: who gave it when, and what."""

    peer: str
    time: Any
    """Seconds, or about so many."""

    covered: Tuple[int, ...]
    blocks: List[int]
    next_view: int


def ask(
    tested: Network, peer: str, start: int, stop: int, now: float, most: int = 512
) -> None:
    tested.send(Request(1, peer, ViewRange(start, stop), most, now, now + 1.0), now)


def take(tested: Network, until: float) -> List[Tuple[float, Event]]:
    """What comes up to ``until``."""
    events: List[Tuple[float, Event]] = []
    while True:
        event = tested.advance(until)
        if event is None:
            return events
        events.append(event)


def got(tested: Network, until: float = 100.0) -> List[Got]:
    """The answers that come up to ``until``, in order."""
    return [
        Got(
            event.peer,
            pytest.approx(time, abs=NEAR),
            tuple(event.answer.message.covered),
            [block.view for block in event.answer.blocks],
            event.answer.message.next_view,
        )
        for time, event in take(tested, until)
        if isinstance(event, Arrived)
    ]


def joined(*peers: Dict[str, Any], **options: Any) -> Network:
    """A network whose peers are connected."""
    tested = network(*peers, **options)
    assert all(isinstance(event, Joined) for _, event in take(tested, 0.0))
    return tested


def test_an_answer_takes_the_way_there_the_work_and_the_way_back() -> None:
    # 0.2 s there, 0.05 s of overhead, 10 blocks at 100 blocks/s, 0.2 s back: 0.55 s after 1.0.
    tested = joined({"rtt": 0.4, "overhead": 0.05})
    ask(tested, "1", 0, 10, 1.0)
    assert got(tested) == [Got("1", 1.55, (0, 10), list(range(10)), 10)]


def test_our_link_is_taken_by_what_reaches_it_first_not_by_what_was_asked_first() -> None:
    # The far peer is asked first, and its 10 blocks reach our link at 10.1 s; those of the near one
    # at 0.1 s. At 20 blocks/s each takes 0.5 s of it: 0.6 s and 10.6 s. 10 more of the near one, at
    # the peer's own pace, reach the link at 0.2 s and wait until it is free at 0.6 s: 1.1 s.
    tested = joined({"rtt": 10.0}, {}, client={"download": 20.0})
    ask(tested, "1", 0, 10, 0.0)
    ask(tested, "2", 10, 20, 0.0)
    ask(tested, "2", 20, 30, 0.0)
    times = [(item.peer, item.time) for item in got(tested)]
    assert times == [("2", 0.6), ("2", 1.1), ("1", 10.6)]


def test_our_link_brings_an_answer_without_blocks_in_its_turn() -> None:
    # 10 blocks reach the link at 0.1 s and are through at 0.6 s. The declined request of the other
    # peer reaches it at 0.2 s, and waits.
    tested = joined({}, {"rtt": 0.2, "holds": [[5, 6]]}, client={"download": 20.0})
    ask(tested, "1", 0, 10, 0.0)
    ask(tested, "2", 0, 5, 0.0)
    assert [(item.peer, item.time) for item in got(tested)] == [("1", 0.6), ("2", 0.6)]


def test_what_was_under_way_is_lost_with_the_connection_and_takes_nothing_of_our_link() -> None:
    # The first peer's answer would reach our link at 0.5 s, but it leaves at 0.3 s. So the second
    # one's finds it free at 0.55 s, and is through 10 / 20 s later.
    tested = joined({"rate": 20.0, "leaves": 0.3}, {"rtt": 0.9}, client={"download": 20.0})
    ask(tested, "1", 0, 10, 0.0)
    ask(tested, "2", 10, 20, 0.0)
    events = take(tested, 10.0)
    assert [type(event) for _, event in events] == [Left, Arrived]
    assert [time for time, _ in events] == pytest.approx([0.3, 1.5], abs=NEAR)


def test_an_answer_waits_for_tokens() -> None:
    # 100 tokens at first, spent on 100 blocks at 1.0 s. 40 blocks would be sent at 1.4 s, when 4
    # tokens are there anew; the other 36 take 3.6 s more.
    tested = joined({"bucket": [100, 10]})
    ask(tested, "1", 0, 100, 0.0)
    ask(tested, "1", 100, 140, 0.0)
    assert [item.time for item in got(tested)] == [1.0, 5.0]


def test_steps_of_the_rate_are_followed_within_an_answer() -> None:
    # 0.5 s at 100 blocks/s are 50 blocks; the other 50 take 5 s at 10 blocks/s.
    tested = joined({"rate": [[0.0, 100.0], [1.0, 10.0]]})
    ask(tested, "1", 0, 100, 0.5)
    assert [item.time for item in got(tested)] == [6.0]


def test_a_silent_peer_gives_what_it_has_done_and_takes_the_rest_without_a_word() -> None:
    # Done at 0.5 s, at 0.9 s and, too late, at 1.1 s.
    tested = joined({"silent_after": 1.0, "rtt": 0.2, "rate": 100.0})
    ask(tested, "1", 0, 40, 0.0)
    ask(tested, "1", 40, 80, 0.0)
    ask(tested, "1", 80, 100, 0.0)
    assert [item.time for item in got(tested)] == [0.6, 1.0]


def test_an_answer_is_cut_after_its_last_block() -> None:
    # Blocks in views 0 and 990 to 999 alone. Three of them fit; the cut is right behind the third.
    chain = {"views": 1000, "filled": [[990, 1000, 1.0]]}
    tested = joined({"max_blocks": 3}, {"max_blocks": 5, "hints": False}, chain=chain)
    ask(tested, "1", 0, 995, 0.0)
    ask(tested, "2", 0, 995, 0.0, most=2)
    assert got(tested) == [
        Got("2", 0.02, (0, 991), [0, 990], 0),
        Got("1", 0.03, (0, 992), [0, 990, 991], 992),
    ]


def sizes(tested: Network, start: int, stop: int) -> int:
    """Bytes of the blocks in some views, all of which are filled."""
    return sum(len(block.rlp) for block in tested.chain.blocks[start:stop])


def test_in_bytes_an_answer_takes_as_long_as_it_is_large() -> None:
    # 10 blocks of 600 bytes and then 10 of 60,000, times U(0.5, 1.5): at 1 MB/s for the first
    # 0.5 s, and 0.1 MB/s after that. A bucket of 0.2 MB gives 0.01 MB/s more.
    chain = {"views": 20, "bytes": [[0, 10, 600], [10, 20, 60_000]]}
    slows = {"bytes_rate": [[0.0, 1e6], [0.5, 1e5]]}
    limited = {"bytes_rate": 1e6, "bucket": [2e5, 1e4]}
    tested = joined(slows, limited, chain=chain)
    small, large = sizes(tested, 0, 10), sizes(tested, 10, 20)
    assert 4500 < small < 7500 and 500_000 < large < 750_000
    for peer in "12":
        ask(tested, peer, 0, 10, 0.0)
        ask(tested, peer, 10, 20, 0.0)
    times = {(item.peer, item.covered[0]): item.time for item in got(tested)}
    assert times == {
        ("1", 0): small / 1e6,
        ("1", 10): 0.5 + (small + large - 5e5) / 1e5,
        ("2", 0): small / 1e6,
        # The bucket is full again by the time at which the second answer is made.
        ("2", 10): (small + large) / 1e6 + (large - 2e5) / 1e4,
    }


def test_in_bytes_our_link_takes_as_long_as_answers_are_large() -> None:
    # The small answer reaches the link first, and keeps the large one waiting.
    chain = {"views": 20, "bytes": [[10, 20, 60_000]]}
    peers = ({"bytes_rate": 1e9}, {"bytes_rate": 1e8})
    tested = joined(*peers, chain=chain, client={"download_bytes": 1e5})
    ask(tested, "2", 10, 20, 0.0)
    ask(tested, "1", 0, 10, 0.0)
    small, large = sizes(tested, 0, 10), sizes(tested, 10, 20)
    assert [(item.peer, item.time) for item in got(tested)] == [
        ("1", small / 1e5),
        ("2", max(small / 1e5, large / 1e8) + large / 1e5),
    ]


def test_an_answer_is_cut_where_2_mib_are_full_and_holds_one_block_in_any_case() -> None:
    # Blocks of 300,000 bytes on the average: some 7 of them fit. One of 3 to 9 MB is sent alone.
    chain = {"views": 40, "bytes": [[0, 20, 300_000], [20, 21, 6e6]]}
    tested = joined({}, chain=chain)
    ask(tested, "1", 0, 20, 0.0)
    ask(tested, "1", 20, 40, 0.0)
    ask(tested, "1", 21, 40, 0.0)
    cut, alone, whole = got(tested)
    stop = cut.covered[1]
    assert 4 <= len(cut.blocks) == stop <= 13 and cut.next_view == stop
    assert sizes(tested, 0, stop) <= MAX_ANSWER_BYTES < sizes(tested, 0, stop + 1)
    assert (alone.covered, alone.blocks, alone.next_view) == ((20, 21), [20], 21)
    assert whole.covered == (21, 40)


def heard(tested: Network, until: float = 100.0) -> List[Tuple[Any, Event]]:
    """What is heard up to ``until``: when, and what."""
    return [(pytest.approx(time, abs=NEAR), event) for time, event in take(tested, until)]


def test_blocks_are_decoded_one_after_another_and_stamped_by_the_wire() -> None:
    # 10 blocks of each peer are on the wire at 0.1 s, and take us 0.5 s of work each: the first is
    # heard of at 0.6 s, the second at 1.1 s. What is declined meanwhile is heard of in its turn.
    tested = joined({}, {}, {"holds": [[5, 6]], "rtt": 0.4}, client={"decode": 0.05})
    ask(tested, "1", 0, 10, 0.0)
    ask(tested, "2", 10, 20, 0.0)
    ask(tested, "3", 0, 1, 0.0)
    found: List[Any] = [
        (event.peer, time, pytest.approx(event.wire_time, abs=NEAR))
        for time, event in heard(tested)
        if isinstance(event, Arrived)
    ]
    assert found == [("1", 0.6, 0.1), ("2", 1.1, 0.1), ("3", 1.1, 0.4)]


def test_whoever_leaves_is_heard_of_after_what_it_sent_before() -> None:
    # Its 10 blocks are there at 0.1 s and decoded at 0.6 s. At 0.3 s it leaves.
    tested = joined({"leaves": 0.3}, client={"decode": 0.05})
    ask(tested, "1", 0, 10, 0.0)
    assert [(time, type(event)) for time, event in heard(tested)] == [(0.6, Arrived), (0.6, Left)]


def test_nothing_is_decoded_while_our_loop_stands_still_and_a_restart_loses_it() -> None:
    # 0.2 s of 0.5 s are done when the loop stops for 1 s.
    simulation: Dict[str, Any] = {"stalls": [[0.3, 1.0]], "restarts": [3.0]}
    tested = joined({}, client={"decode": 0.05}, simulation=simulation)
    ask(tested, "1", 0, 10, 0.0)
    ask(tested, "1", 10, 50, 2.5)
    found = heard(tested)
    assert [(time, type(event)) for time, event in found] == [(1.6, Arrived), (3.0, Restarted)]
    # It begins anew with nothing to do, where 2 s of work were left from 2.9 s on.
    ask(tested, "1", 0, 10, 4.0)
    assert got(tested) == [Got("1", 4.6, (0, 10), list(range(10)), 10)]


def test_a_peer_answers_from_what_it_holds_when_it_turns_to_the_request() -> None:
    # It is busy with 100 blocks until 1.0 s. By then it has dropped what is below view 500: the
    # second request, though it got there before that, is declined, and the third one answered.
    steps = [[0.0, [[0, 1000]]], [0.7, [[500, 1000]]]]
    tested = joined({"holds": steps, "adverts": [[0, 1000]]})
    ask(tested, "1", 0, 100, 0.0)
    ask(tested, "1", 100, 110, 0.0)
    ask(tested, "1", 500, 510, 0.0)
    assert [(item.time, item.covered) for item in got(tested)] == [
        (1.0, (0, 100)),
        (1.0, (100, 100)),
        (1.1, (500, 510)),
    ]


def test_an_advert_follows_a_change_of_what_is_held_half_a_round_trip_later() -> None:
    steps = [[0.0, [[0, 100]]], [5.0, [[0, 300]]], [9.0, []]]
    tested = network({"holds": steps, "rtt": 0.5, "leaves": 8.0}, {"holds": steps, "joins": 6.0})
    joins, change, later = take(tested, 7.0)
    assert joins == (0.0, Joined("1", (ViewRange(0, 100),)))
    assert change[0] == pytest.approx(5.25, abs=NEAR)
    assert change[1] == Advertised("1", (ViewRange(0, 300),))
    assert later == (6.0, Joined("2", (ViewRange(0, 300),)))
    # The first is gone by the second change.
    assert [event for _, event in take(tested, 20.0)] == [Left("1"), Advertised("2", ())]


def test_what_is_advertised_may_change_alone() -> None:
    tested = joined({"adverts": [[0.0, [[0, 10]]], [2.0, [[0, 500]]]]})
    ask(tested, "1", 400, 410, 0.0)
    events = take(tested, 5.0)
    assert [type(event) for _, event in events] == [Arrived, Advertised]
    assert events[1] == (2.0, Advertised("1", (ViewRange(0, 500),)))


def test_adverts_come_anew_at_intervals_of_the_mean_that_is_asked_for() -> None:
    tested = joined({"advert_every": 4.0, "leaves": 4000.0}, seed=3)
    times = [time for time, event in take(tested, 5000.0) if isinstance(event, Advertised)]
    intervals = [after - before for before, after in zip([0.0, *times], times)]
    # U(2, 6) s each. The mean of 1,000 is within 0.15 s of 4 s with a chance of 1 - 10**-4.
    assert times[-1] > 3990.0 and len(set(intervals)) > 900
    assert min(intervals) >= 2.0 and max(intervals) <= 6.0 + NEAR
    assert sum(intervals) / len(intervals) == pytest.approx(4.0, abs=0.15)


def test_the_chain_grows_where_its_last_view_is_held() -> None:
    # One block every 2 s, 2 of them. Who has view 99 has each at once, and says so; who does not,
    # has none of them. Before it is born nobody has a block, though the first peer is asked.
    tested = joined(
        {"holds": [[50, 100]], "rtt": 1.0},
        {"holds": [[0, 99]]},
        chain={"views": 100, "grows": [2.0, 2]},
    )
    ask(tested, "1", 90, 102, 0.0)
    events = take(tested, 3.0)
    (_, answered), grown = events[:2]
    assert isinstance(answered, Arrived) and answered.answer.message.covered == (90, 100)
    assert grown == (2.0, Grown(101))
    assert events[2] == (2.5, Advertised("1", (ViewRange(50, 101),)))
    ask(tested, "1", 99, 102, 3.0)
    ask(tested, "2", 99, 102, 3.0)
    assert got(tested, 3.99) == [Got("2", 3.0, (99, 99), [], 0)]
    # What reaches it at 3.5 s, before the second birth: view 99 and the first one.
    events = take(tested, 20.0)
    assert [event for _, event in events if isinstance(event, Grown)] == [Grown(102)]
    answers = [event.answer for _, event in events if isinstance(event, Arrived)]
    assert [block.view for block in answers[0].blocks] == [99, 100]
    assert answers[0].message.next_view == 0
    ask(tested, "1", 99, 102, 20.0)
    assert got(tested) == [Got("1", 21.03, (99, 102), [99, 100, 101], 0)]


def test_nobody_gives_or_hints_at_a_block_before_it_is_born() -> None:
    # It holds views far past the chain, and has seen all that comes of them. Of the three that are
    # born at 2, 4 and 6 s the first is there at 3 s.
    tested = joined({"holds": [[0, 999]]}, chain={"views": 100, "grows": [2.0, 3]})
    ask(tested, "1", 98, 200, 3.0)
    ask(tested, "1", 98, 101, 3.0)
    assert got(tested) == [
        Got("1", 3.03, (98, 200), [98, 99, 100], 0),
        Got("1", 3.06, (98, 101), [98, 99, 100], 0),
    ]


def test_a_request_that_is_lost_is_never_heard_of_again_and_costs_its_peer_nothing() -> None:
    # All that is sent from 1 s until 2 s is lost: of three, 50 blocks each, the second. The third
    # finds the peer idle.
    tested = joined({"loses": [1.0, 2.0]})
    for start, now in ((0, 0.9), (50, 1.0), (100, 2.0)):
        ask(tested, "1", start, start + 50, now)
    assert [(item.time, item.covered) for item in got(tested)] == [
        (1.4, (0, 50)),
        (2.5, (100, 150)),
    ]


@pytest.mark.parametrize("key", ["loses", "declines"])
def test_losses_and_declines_come_in_the_share_that_is_asked_for(key: str) -> None:
    # Of 1,000 at a chance of 0.3 between 247 and 353 are hit: 3.7 standard deviations. None at 1 s
    # and after.
    tested = joined({key: [0.3, 0.0, 1.0], "rate": 1e6})
    for number in range(1000):
        ask(tested, "1", number, number + 1, number / 2000)
    for number in range(100):
        ask(tested, "1", number, number + 1, 1.0)
    answers = got(tested)
    answered = [item for item in answers if item.blocks]
    assert 647 + 100 <= len(answered) <= 753 + 100
    assert len(answers) == (1100 if key == "declines" else len(answered))
    assert all(item.covered[0] == item.covered[1] for item in answers if not item.blocks)


def test_a_decline_costs_overhead_and_comes_in_its_turn() -> None:
    # 0.1 s of overhead each, 10 blocks for the one that is not declined: 0.1, then 0.3 s.
    tested = joined({"declines": [1.0, 0.0, 0.05], "overhead": 0.1})
    ask(tested, "1", 0, 10, 0.0)
    ask(tested, "1", 0, 10, 0.0)
    assert [(item.time, len(item.blocks)) for item in got(tested)] == [(0.1, 0), (0.3, 10)]


def test_what_is_over_the_quota_is_declined() -> None:
    # 2 requests/s, 4 at once. Of 6 at 0 s the last two are declined; at 1.2 s there are 2.4 tokens
    # for the three that come.
    tested = joined({"quota": [2.0, 4], "rate": 1e6})
    for now in (0.0,) * 6 + (1.2,) * 3:
        ask(tested, "1", 0, 10, now)
    assert [len(item.blocks) for item in got(tested)] == [10] * 4 + [0, 0] + [10, 10, 0]


def test_a_wrong_hint_points_too_far_and_none_stays_none() -> None:
    tested = joined({"hint_error": 1000})
    ask(tested, "1", 0, 10, 0.0)
    ask(tested, "1", 990, 1000, 0.0)
    assert [item.next_view for item in got(tested)] == [1010, 0]


def test_a_liar_answers_at_once_in_its_time() -> None:
    # It lies from 1 s until 2 s. Before, 10 blocks take 0.1 s; then nothing takes any time.
    tested = joined({"lies": ["empty", 1.0, 2.0], "rtt": 0.2})
    for now in (0.0, 1.0, 1.95):
        ask(tested, "1", 0, 10, now)
    assert [(item.time, item.covered, len(item.blocks)) for item in got(tested)] == [
        (0.3, (0, 10), 10),
        (1.2, (0, 10), 0),
        (2.25, (0, 10), 10),
    ]


def test_an_omitter_leaves_out_the_same_blocks_while_it_does() -> None:
    tested = joined({"omits": [0.5, 1.0, 3.0], "rate": 1e6})
    for now in (0.0, 1.0, 2.0, 3.0):
        ask(tested, "1", 0, 100, now)
    before, first, second, after = got(tested)
    assert before.blocks == after.blocks == list(range(100))
    assert first.blocks == second.blocks and 25 < len(first.blocks) < 75
    assert first.covered == (0, 100)


def test_a_restart_forgets_what_was_asked_and_connects_anew() -> None:
    # 100 blocks are asked for at 0 s. At 0.5 s we restart: they never come, and the peer is free.
    tested = joined({"joins": 0.0}, {"leaves": 0.2}, simulation={"restarts": [0.5]})
    ask(tested, "1", 0, 100, 0.0)
    assert take(tested, 0.6) == [
        (to_tick(0.2), Left("2")),
        (0.5, Restarted((Joined("1", (ViewRange(0, 1000),)),))),
    ]
    ask(tested, "1", 0, 10, 0.6)
    assert [(item.time, len(item.blocks)) for item in got(tested)] == [(0.7, 10)]


def test_a_restart_frees_our_link() -> None:
    # 100 blocks would keep it busy until 10 s. After the restart it carries 10 within a second.
    tested = joined({}, client={"download": 10.0}, simulation={"restarts": [2.0]})
    ask(tested, "1", 0, 100, 0.0)
    assert isinstance(take(tested, 2.0)[-1][1], Restarted)
    ask(tested, "1", 0, 10, 2.0)
    answer, = got(tested)
    # A tenth of a second on the way and at the peer, and a second on our link.
    assert (len(answer.blocks), answer.time) == (10, 3.1)


def test_whom_we_drop_is_not_heard_of_again() -> None:
    tested = joined({"advert_every": 1.0}, simulation={"restarts": [0.5]})
    ask(tested, "1", 0, 10, 0.0)
    tested.drop("1")
    ask(tested, "1", 0, 10, 0.0)
    assert take(tested, 50.0) == [(0.5, Restarted(()))]
