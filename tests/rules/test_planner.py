"""Who is asked, in which order."""
from planning import ALL, asked, decide, make_peers, measure


def test_the_clock_index_rotates_among_equals() -> None:
    peers = make_peers("a", "b", "c")
    firsts = [decide(peers, ALL, index).proposals[0].peer for index in range(4)]
    assert firsts == ["a", "b", "c", "a"]


def test_the_lowest_score_comes_first() -> None:
    peers = make_peers("slow", "quick")
    measure(peers, "slow", 20.0)
    measure(peers, "quick", 500.0)
    for index in range(4):
        assert decide(peers, ALL, index).proposals[0].peer == "quick"


def test_nothing_is_proposed_twice_nor_past_the_stop() -> None:
    peers = make_peers("a", "b", "c")
    for name in "abc":
        measure(peers, name, 200.0)
    ranges = sorted((start, stop) for _, start, stop in asked(decide(peers, ALL, stop=150)))
    assert ranges[0][0] == 0 and ranges[-1][1] == 150
    assert all(before[1] == after[0] for before, after in zip(ranges, ranges[1:]))


def test_no_more_is_asked_than_there_is_room_for() -> None:
    peers = make_peers("a", "b")
    for name in "ab":
        measure(peers, name, 1000.0)
    proposals = decide(peers, ALL, room=30.0).proposals
    assert sum(item.blocks for item in proposals) <= 30.0
    assert decide(peers, ALL, room=0.5).proposals == ()
