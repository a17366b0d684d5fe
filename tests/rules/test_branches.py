from blockio_plugin.rules.branches import LOOK_INTERVAL, MAX_STORED_TIPS, Branches, Position


def position(number: int, branch: int = 0) -> Position:
    return Position(number, number, bytes([branch]) + number.to_bytes(31, "big"))


def test_who_advertised_is_looked_at_once() -> None:
    branches = Branches()
    branches.advertise("alice", 10)
    branches.advertise("bob", 11)
    assert branches.next_to_look(10, 0.0) == "alice"
    branches.look("alice", 0.0)
    # Bob is ahead: the blocks that he sends show what he is.
    assert branches.next_to_look(10, 0.0) is None
    assert branches.next_to_look(11, 0.0) == "bob"
    branches.advertise("alice", 10)
    assert branches.next_to_look(10, LOOK_INTERVAL / 2) is None
    assert branches.next_to_look(10, LOOK_INTERVAL) == "alice"


def test_the_one_not_looked_at_for_longest_comes_first() -> None:
    branches = Branches()
    for at, peer in enumerate(("alice", "bob")):
        branches.advertise(peer, 1)
        branches.look(peer, float(at))
    for peer in ("bob", "alice"):
        branches.advertise(peer, 1)
    assert branches.next_to_look(1, 10.0) == "alice"


def test_a_branch_is_tried_once_each_time_it_is_found() -> None:
    branches = Branches()
    branches.advertise("alice", 20)
    branches.settle("alice", position(5))
    assert branches.fork("alice") == position(5)
    assert branches.next_to_try() == "alice"
    branches.tried("alice")
    assert branches.next_to_try() is None
    # On another branch she is looked at though she is ahead.
    assert branches.next_to_look(10, 0.0) == "alice"
    branches.settle("alice", None)
    assert branches.fork("alice") is None
    assert branches.next_to_try() is None


def test_after_a_change_of_ours_everybody_is_looked_at_anew() -> None:
    branches = Branches()
    branches.advertise("alice", 5)
    branches.look("alice", 0.0)
    branches.settle("alice", position(3))
    branches.restart()
    assert branches.fork("alice") is None
    assert branches.next_to_try() is None
    assert branches.next_to_look(5, 0.0) == "alice"


def test_tips_are_remembered_by_fork_newest_first_and_bounded() -> None:
    branches = Branches()
    for number in range(6, 9):
        branches.remember(position(5), position(number, 1))
    branches.remember(position(4), position(7, 2))
    branches.remember(position(5), position(6, 1))
    assert [tip.number for tip in branches.tips_above(position(5))] == [6, 8, 7]
    for number in range(100, 100 + MAX_STORED_TIPS):
        branches.remember(position(5), position(number, 3))
    assert list(branches.tips_above(position(4))) == []
    assert len(list(branches.tips_above(position(5)))) == MAX_STORED_TIPS


def test_who_left_is_forgotten() -> None:
    branches = Branches()
    branches.advertise("alice", 5)
    branches.settle("alice", position(3))
    branches.leave("alice")
    branches.settle("alice", position(3))
    branches.tried("alice")
    assert "alice" not in branches
    assert branches.fork("alice") is None
    assert branches.head_view("alice") is None
    assert not branches.may_look("alice", 10.0)
    assert list(branches) == []
