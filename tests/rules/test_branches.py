from blockio_plugin.rules.branches import (
    LOOK_INTERVAL,
    MAX_STORED_BLOCKS,
    MAX_STORED_TIPS,
    SHUN_TIME,
    Branches,
    Position,
)


def position(number: int, branch: int = 0) -> Position:
    return Position(number, number, bytes([branch]) + number.to_bytes(31, "big"))


def test_who_advertised_is_looked_at_once() -> None:
    branches = Branches()
    branches.advertise("alice", 10)
    branches.advertise("bob", 11)
    # At any origin of time.
    assert branches.to_look(10, -1e6) == ["alice"]
    branches.look("alice", 0.0)
    # Bob is ahead: the blocks that he sends show what he is.
    assert branches.to_look(10, 0.0) == []
    assert branches.ahead(10, 0.0) == ["bob"]
    assert branches.to_look(11, 0.0) == ["bob"]
    branches.advertise("alice", 10)
    assert branches.to_look(10, LOOK_INTERVAL / 2) == []
    assert branches.to_look(10, LOOK_INTERVAL) == ["alice"]


def test_the_one_not_looked_at_for_longest_comes_first() -> None:
    branches = Branches()
    for at, peer in enumerate(("alice", "bob")):
        branches.advertise(peer, 1)
        branches.look(peer, float(at))
    for peer in ("bob", "alice"):
        branches.advertise(peer, 1)
    assert branches.to_look(1, 10.0) == ["alice", "bob"]


def test_who_was_silent_comes_after_the_others() -> None:
    branches = Branches()
    for at, peer in enumerate(("silent", "mute", "alice", "bob")):
        branches.advertise(peer, 1)
        branches.look(peer, float(at))
        branches.settle(peer, position(0))
    for peer in ("silent", "silent", "mute", "bob"):
        branches.note_answer(peer, False)
    branches.note_answer("bob", True)
    for peer in ("silent", "mute", "alice", "bob"):
        branches.advertise(peer, 1)
    assert branches.to_look(1, 10.0) == ["alice", "bob", "mute", "silent"]
    assert branches.to_try() == ["alice", "bob", "mute", "silent"]


def test_who_was_not_tried_comes_before_those_who_were() -> None:
    branches = Branches()
    for at, peer in enumerate(("alice", "bob", "carol")):
        branches.advertise(peer, 1)
        branches.settle(peer, position(0))
        if peer != "carol":
            branches.begin(peer, -1e6 + at)
            branches.settle(peer, position(0))
    assert branches.to_try() == ["carol", "alice", "bob"]


def test_whoever_is_let_off_is_let_off_once_for_each_head_of_ours() -> None:
    branches = Branches()
    for peer in ("alice", "bob"):
        branches.advertise(peer, 1)
    assert [branches.absolve(peer, b"head") for peer in ("alice", "bob")] == [True, True]
    assert [branches.absolve(peer, b"head") for peer in ("alice", "bob")] == [False, False]
    assert branches.absolve("alice", b"next")
    branches.settle("alice", position(1))
    assert not branches.absolve("alice", b"another")
    assert not branches.absolve("stranger", b"head")


def test_who_contradicts_itself_is_not_looked_at_for_longer_and_longer() -> None:
    branches, now, times = Branches(), 0.0, []
    branches.shun("stranger", now)
    for _ in range(9):
        branches.advertise("alice", 1)
        branches.shun("alice", now)
        began_at = now
        while not branches.may_look("alice", now):
            assert branches.to_look(1, now) == branches.ahead(0, now) == []
            now += SHUN_TIME / 2
        assert branches.to_look(1, now) == branches.ahead(0, now) == ["alice"]
        times.append(now - began_at)
    assert times == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 640.0, 640.0]


def test_the_log_says_little_of_one_peer() -> None:
    branches = Branches()
    assert not branches.may_tell("stranger", 0.0)
    branches.advertise("alice", 1)
    told = [second for second in range(600) if branches.may_tell("alice", float(second))]
    assert told[:4] == [0, 1, 2, 3]
    assert len(told) <= 4 + 600 / 60


def test_stored_blocks_are_remembered_and_bounded() -> None:
    branches = Branches()
    assert not branches.is_stored(position(0).hash)
    branches.note_stored([position(0).hash])
    branches.note_stored(position(number).hash for number in range(1, MAX_STORED_BLOCKS))
    assert branches.is_stored(position(0).hash)
    branches.note_stored([position(MAX_STORED_BLOCKS).hash])
    assert not branches.is_stored(position(0).hash)
    assert branches.is_stored(position(1).hash)


def test_a_branch_is_tried_once_each_time_it_is_found() -> None:
    branches = Branches()
    branches.advertise("alice", 20)
    branches.settle("alice", position(5))
    assert branches.fork("alice") == position(5)
    assert branches.to_try() == ["alice"]
    branches.begin("alice", 0.0)
    assert branches.to_try() == []
    # On another branch she is looked at though she is ahead.
    assert branches.to_look(10, 0.0) == ["alice"]
    branches.settle("alice", None)
    assert branches.fork("alice") is None
    assert branches.to_try() == []


def test_after_a_change_of_ours_everybody_is_looked_at_anew() -> None:
    branches = Branches()
    branches.advertise("alice", 5)
    branches.look("alice", 0.0)
    branches.settle("alice", position(3))
    branches.restart()
    assert branches.fork("alice") is None
    assert branches.to_try() == []
    assert branches.to_look(5, 0.0) == ["alice"]


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
    branches.begin("alice", 0.0)
    branches.note_answer("alice", False)
    assert "alice" not in branches
    assert branches.asks("alice") is None
    assert branches.looked_at("alice") < -1e9
    assert branches.fork("alice") is None
    assert branches.head_view("alice") is None
    assert not branches.may_look("alice", 10.0)
    assert list(branches) == []
