from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.outlet import OVERFLOW, WINDOW_BYTES, Delivery, Outlet


def block(view: int, size: int = 100) -> Block:
    return Block(view, view, bytes(32), bytes(32), bytes(size))


def test_deliveries_leave_in_order() -> None:
    outlet = Outlet(10)
    outlet.put("alice", [block(3), block(4)])
    outlet.put(None, [block(1)])
    assert not outlet.is_empty
    assert outlet.take() == Delivery("alice", (block(3), block(4)))
    assert outlet.take() == Delivery(None, (block(1),))
    assert outlet.take() is None and outlet.is_empty


def test_what_is_not_settled_takes_room() -> None:
    outlet = Outlet(10)
    assert outlet.room == 10
    outlet.put("alice", [block(view) for view in range(4)])
    outlet.take()
    assert (outlet.room, outlet.unsettled) == (6, 4)
    outlet.settle(3)
    assert (outlet.room, outlet.unsettled) == (9, 1)
    outlet.settle(1000)
    assert (outlet.room, outlet.unsettled, outlet.unsettled_bytes) == (10, 0, 0)


def test_it_closes_at_some_windows() -> None:
    outlet = Outlet(10)
    outlet.put("alice", [block(view) for view in range(10)])
    assert outlet.room == 0 and outlet.is_open
    outlet.put("alice", [block(view) for view in range(10, 10 * OVERFLOW)])
    assert not outlet.is_open


def test_bytes_take_room_too() -> None:
    outlet = Outlet(1000)
    outlet.put("alice", [block(1, WINDOW_BYTES)])
    assert outlet.room == 0
    outlet.settle(1)
    assert 1 <= outlet.room < 1000
