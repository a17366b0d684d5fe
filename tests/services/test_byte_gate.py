import asyncio
from typing import List, Tuple

from hypothesis import given
from hypothesis import strategies as st

from blockio_plugin.services.byte_gate import ByteGate
from blockio_plugin.tools.virtual_time import VirtualTimePolicy

SIZE = 100


def carry_all(loads: List[Tuple[int, float]]) -> List[int]:
    """Carry loads of so many bytes for so many seconds each; in which order they set out."""
    under_way: List[int] = []
    began: List[int] = []

    async def carry(gate: ByteGate, index: int, size: int, seconds: float) -> None:
        async with gate.carry(size):
            began.append(index)
            under_way.append(size)
            assert gate.bytes == sum(under_way)
            assert sum(under_way) <= SIZE or len(under_way) == 1
            await asyncio.sleep(seconds)
            under_way.remove(size)

    async def run() -> None:
        gate = ByteGate(SIZE)
        await asyncio.gather(*[carry(gate, index, *load) for index, load in enumerate(loads)])
        assert gate.bytes == 0

    loop = VirtualTimePolicy().new_event_loop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
    return began


@given(st.lists(st.tuples(st.integers(0, 2 * SIZE), st.sampled_from([0.0, 1.0, 5.0]))))
def test_no_more_than_its_size_is_under_way_and_all_set_out_in_order(
    loads: List[Tuple[int, float]]
) -> None:
    assert carry_all(loads) == list(range(len(loads)))


async def test_who_gives_up_gives_its_place_up() -> None:
    gate = ByteGate(SIZE)

    async def carry(size: int, seconds: float) -> None:
        async with gate.carry(size):
            await asyncio.sleep(seconds)

    first = asyncio.ensure_future(carry(SIZE, 100.0))
    second = asyncio.ensure_future(carry(1, 1.0))
    third = asyncio.ensure_future(carry(1, 1.0))
    await asyncio.sleep(0.1)
    assert gate.bytes == SIZE
    second.cancel()
    first.cancel()
    await third
    assert gate.bytes == 0
    await asyncio.wait({first, second})
