from blockio_plugin.rules.traffic import Served, Traffic


def test_what_was_served_since_it_was_asked_last() -> None:
    traffic = Traffic(0.0)
    assert traffic.take_served() == Served(0, 0, 0)
    traffic.note_served("alice", 3, 300, 1.0)
    traffic.note_served("alice", 1, 50, 2.0)
    traffic.note_served("bob", 2, 20, 3.0)
    # An answer without a block is nothing that was given.
    traffic.note_served("carol", 0, 0, 3.0)
    assert traffic.take_served() == Served(6, 370, 2)
    traffic.note_served("bob", 1, 5, 70.0)
    assert traffic.take_served() == Served(1, 5, 1)
    assert (traffic.served.total, traffic.served_bytes.total) == (7, 375)
