from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.memory_pool import MemoryPool
from blockio_plugin.rules.outlet import DELIVERY_BYTES, OVERFLOW, Delivery, Outlet

POOL = 10 ** 6
"""Bytes of memory that an outlet here has for itself."""


def make_outlet(window: int, pool: int = POOL) -> Outlet:
    return Outlet(window, MemoryPool(pool, 1).open())


def block(view: int, size: int = 100) -> Block:
    return Block(view, view, bytes(32), bytes(32), bytes(size))


def test_deliveries_leave_in_order() -> None:
    outlet = make_outlet(10)
    outlet.put("alice", [block(3), block(4)])
    outlet.put(None, [block(1)])
    assert not outlet.is_empty
    assert outlet.take() == Delivery("alice", (block(3), block(4)))
    assert outlet.take() == Delivery(None, (block(1),))
    assert outlet.take() is None and outlet.is_empty


def test_what_is_not_settled_takes_room() -> None:
    outlet = make_outlet(10)
    assert outlet.room == 10
    outlet.put("alice", [block(view) for view in range(4)])
    outlet.take()
    assert (outlet.room, outlet.unsettled) == (6, 4)
    outlet.settle(3)
    assert (outlet.room, outlet.unsettled) == (9, 1)
    outlet.settle(1000)
    assert (outlet.room, outlet.unsettled, outlet.unsettled_bytes) == (10, 0, 0)


def test_it_closes_at_some_windows() -> None:
    outlet = make_outlet(10)
    outlet.put("alice", [block(view) for view in range(10)])
    assert outlet.room == 0 and outlet.fit([block(10)], is_own=True)
    outlet.put("alice", [block(view) for view in range(10, 10 * OVERFLOW)])
    assert not outlet.fit([block(99)], is_own=True)


def test_memory_takes_room_too() -> None:
    outlet = make_outlet(1000)
    large = block(1, 600_000)
    outlet.put("alice", [large])
    assert outlet.room < 10 and not outlet.fit([large], is_own=True)
    assert outlet.fit([block(2)], is_own=True)
    outlet.settle(1)
    assert outlet.fit([large], is_own=True) and 1 <= outlet.room < 1000


def test_what_is_expected_takes_room() -> None:
    outlet = make_outlet(10)
    outlet.expect(4)
    assert (outlet.room, outlet.space) == (6, 10)
    outlet.expect(10)
    assert (outlet.room, outlet.space) == (0, 10)


def test_what_others_asked_for_keeps_to_what_one_may_ask_for() -> None:
    """One of two may come to three quarters of what is common by itself, and keeps to it."""
    outlet = Outlet(1000, MemoryPool(POOL, 2).open())
    large = block(1, int(POOL * 0.8))
    assert outlet.fit([large], is_own=True)
    assert not outlet.fit([large], is_own=False)
    assert outlet.fit([block(1, int(POOL * 0.6))], is_own=False)


def test_one_with_nothing_may_ask_for_one_block_as_soon_as_there_is_room() -> None:
    pool = MemoryPool(POOL, 4)
    outlet, other = Outlet(1000, pool.open()), Outlet(1000, pool.open())
    large = block(1, int(POOL * 0.7))
    other.put("alice", [block(1, POOL // 2)])
    assert outlet.fit([large, large], is_own=True) == 0
    other.settle(1)
    assert outlet.room == 1 and outlet.fit([large, large], is_own=True) == 1
    other.put("alice", [large])
    assert outlet.room == 0
    other.settle(1)
    assert outlet.room == 1
    outlet.expect(1)
    assert outlet.room == 0


def test_takes_as_many_as_fit() -> None:
    outlet = make_outlet(10, pool=1000 * 1000)
    assert outlet.fit([block(view, 300_000) for view in range(6)], is_own=True) == 3
    assert outlet.block_bytes == block(1, 300_000).memory
    assert make_outlet(2).fit([block(view) for view in range(9)], is_own=True) == 2 * OVERFLOW


def test_a_large_delivery_is_split() -> None:
    outlet = make_outlet(1000)
    blocks = [block(view, size=DELIVERY_BYTES // 4) for view in range(1, 7)]
    blocks += [block(7, size=3 * DELIVERY_BYTES), block(8)]
    outlet.put("alice", blocks)
    given = []
    while not outlet.is_empty:
        delivery = outlet.take()
        assert delivery is not None and delivery.peer == "alice"
        assert delivery.bytes <= DELIVERY_BYTES or len(delivery.blocks) == 1
        given.append(delivery.blocks)
    assert [len(part) for part in given] == [4, 2, 1, 1]
    assert [view for part in given for view, *_ in part] == list(range(1, 9))


def test_a_closed_one_holds_nothing() -> None:
    pool = MemoryPool(POOL, 1)
    outlet = Outlet(10, pool.open())
    outlet.put("alice", [block(1)])
    outlet.expect(3)
    outlet.close()
    assert (outlet.unsettled, pool.held, pool.free) == (0, 0, POOL)
