from math import inf

from blockio_plugin.rules.heads import BELIEF_TIME, Heads


def make_heads() -> Heads:
    return Heads(BELIEF_TIME)


def test_nobody_is_no_head() -> None:
    heads = make_heads()
    assert heads.target == 0
    assert not heads.is_reached(5, 0.0)


def test_the_highest_head_is_wanted_and_reached_at_its_view() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("bob", 9, 0.0)
    assert heads.target == 10
    assert not heads.is_reached(8, 0.0)
    assert heads.is_reached(9, 0.0)
    heads.leave("bob")
    assert heads.target == 8
    assert heads.is_reached(8, 0.0)


def test_genesis_alone_can_be_reached() -> None:
    heads = make_heads()
    heads.advertise("alice", 0, 0.0)
    assert heads.is_reached(0, 0.0)


def test_who_gives_nothing_is_not_believed_for_long() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("liar", 10 ** 9, 0.0)
    assert not heads.is_reached(7, BELIEF_TIME - 1)
    # To say it again does not help.
    heads.advertise("liar", 10 ** 9 + 1, BELIEF_TIME - 1)
    assert heads.is_reached(7, BELIEF_TIME)
    # But it may be true: it is wanted as before.
    assert heads.target == 10 ** 9 + 2


def test_who_gives_blocks_is_believed() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.advertise("bob", 900, 0.0)
    heads.note_import("bob", 100.0)
    assert not heads.is_reached(7, 100.0 + BELIEF_TIME - 1)
    assert heads.is_reached(7, 100.0 + BELIEF_TIME)
    heads.note_import("bob", 200.0)
    assert not heads.is_reached(7, 200.0)


def test_where_nobody_else_is_there_nothing_was_reached() -> None:
    heads = make_heads()
    heads.advertise("silent", 900, 0.0)
    heads.advertise("mute", 901, 0.0)
    assert not heads.is_reached(7, 1000.0)


def test_who_is_on_another_branch_is_not_ahead() -> None:
    heads = make_heads()
    heads.advertise("alice", 900, 0.0)
    heads.advertise("alice", None, 1.0)
    assert heads.target == 0
    assert heads.is_reached(7, 1.0)


def test_believed_for_good_where_we_cannot_tell() -> None:
    heads = Heads(inf)
    heads.advertise("alice", 7, 0.0)
    heads.advertise("bob", 900, 0.0)
    assert not heads.is_reached(7, 10.0 ** 9)


def test_who_left_is_forgotten() -> None:
    heads = make_heads()
    heads.advertise("alice", 7, 0.0)
    heads.leave("alice")
    heads.leave("alice")
    heads.note_import("alice", 1.0)
    assert heads.target == 0
    assert not heads.is_reached(7, 1.0)
