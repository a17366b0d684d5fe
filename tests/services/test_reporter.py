import asyncio
import logging
import random
from typing import List

from async_service import background_asyncio_service
import pytest

from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.neglect import MAX_NEGLECT_TIME
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead
from blockio_plugin.services.reporter import NEGLECT_INTERVAL, Reporter, describe

HASH = bytes.fromhex("08b44ea0") + bytes(28)


def make_fetch(front: int = 10) -> Fetch:
    return Fetch(front=Front(front, HASH), limits=Limits(), random=random.Random(1))


class TestDescribe:
    def test_alone(self) -> None:
        line = describe(make_fetch().status(0.0), ChainHead(9, 7, HASH), False, 0)
        assert line == "At view 9, block 7 0x08b44ea0; no peers that enable block I/O"

    def test_synced(self) -> None:
        fetch = make_fetch()
        fetch.join("alice", 0.0)
        line = describe(fetch.status(0.0), ChainHead(9, 7, HASH), True, 0)
        assert line == "Synced to view 9, block 7 0x08b44ea0"

    def test_a_head_that_nobody_gives(self) -> None:
        fetch = make_fetch()
        fetch.join("liar", 0.0)
        fetch.set_target(100)
        line = describe(fetch.status(0.0), ChainHead(9, 7, HASH), True, 0)
        assert line.startswith("Synced to view 9, ")
        assert line.endswith("; a peer claims blocks up to view 99, but gives none")

    def test_before_the_first_advert(self) -> None:
        fetch = make_fetch()
        fetch.join("alice", 0.0)
        line = describe(fetch.status(0.0), ChainHead(9, 7, HASH), False, 0)
        assert line.endswith("; no peer has said yet which views it covers")

    def test_nothing_moves_and_it_says_why(self) -> None:
        fetch = make_fetch()
        fetch.join("alice", 0.0)
        fetch.advertise("alice", 99, (ViewRange(20, 100),), 0.0)
        fetch.set_target(100)
        line = describe(fetch.status(0.0), ChainHead(9, 7, HASH), False, 0)
        assert line.startswith("Syncing: view 9 of 99, block 7, 0 blocks/s, 1 peer,")
        assert line.endswith("; no peer covers view 10")

    def test_while_it_moves_no_reason_is_given(self) -> None:
        fetch = make_fetch()
        fetch.join("alice", 0.0)
        fetch.advertise("alice", 99, (ViewRange(20, 100),), 0.0)
        fetch.set_target(100)
        line = describe(fetch.status(0.0), ChainHead(9, 7, HASH), False, 31.4)
        assert "31 blocks/s" in line and "no peer" not in line


async def lines_of(
    fetch: Fetch, heads: Heads, seconds: float, caplog: pytest.LogCaptureFixture
) -> List[str]:
    caplog.clear()
    caplog.set_level(logging.INFO)
    clock = asyncio.get_event_loop().time
    reporter = Reporter(fetch, heads, lambda: ChainHead(9, 7, HASH), clock)
    async with background_asyncio_service(reporter):
        await asyncio.sleep(seconds)
    return [record.getMessage() for record in caplog.records if "Reporter" in record.name]


async def test_a_line_every_five_seconds_while_syncing(caplog: pytest.LogCaptureFixture) -> None:
    fetch, heads = make_fetch(), Heads(BELIEF_TIME)
    fetch.join("alice", 0.0)
    fetch.set_target(100)
    heads.advertise("alice", 99, 0.0)
    assert len(await lines_of(fetch, heads, 31, caplog)) == 6


async def test_one_line_when_synced(caplog: pytest.LogCaptureFixture) -> None:
    fetch, heads = make_fetch(), Heads(BELIEF_TIME)
    fetch.join("alice", 0.0)
    heads.advertise("alice", 9, 0.0)
    assert len(await lines_of(fetch, heads, 301, caplog)) == 1


async def test_a_head_that_nobody_gives_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    fetch, heads = make_fetch(), Heads(BELIEF_TIME)
    for peer, view in (("alice", 9), ("liar", 99)):
        fetch.join(peer, 0.0)
        heads.advertise(peer, view, 0.0)
    fetch.set_target(100)
    lines = await lines_of(fetch, heads, 301, caplog)
    assert "gives none" in lines[-1]
    assert [line.startswith("Synced") for line in lines].count(True) == 1
    assert len(lines) <= BELIEF_TIME / 5 + 1


async def test_now_and_then_when_alone(caplog: pytest.LogCaptureFixture) -> None:
    assert len(await lines_of(make_fetch(), Heads(BELIEF_TIME), 301, caplog)) == 5


async def test_that_somebody_is_neglected_is_told_once_a_minute(
    caplog: pytest.LogCaptureFixture, blamed_on_us: List[str]
) -> None:
    fetch, heads = make_fetch(), Heads(BELIEF_TIME)
    fetch.join("alice", 0.0)
    fetch.advertise("alice", 99, (ViewRange(0, 100),), 0.0)
    fetch.set_target(100)

    async def look() -> None:
        # As a scheduler does, but for the asking.
        while True:
            fetch.expire(asyncio.get_event_loop().time())
            await asyncio.sleep(1.0)

    looking = asyncio.ensure_future(look())
    await lines_of(fetch, heads, MAX_NEGLECT_TIME, caplog)
    assert blamed_on_us == []
    lines = await lines_of(fetch, heads, 3 * NEGLECT_INTERVAL + 1, caplog)
    looking.cancel()
    assert [line for line in lines if "fault of ours" in line] == blamed_on_us
    assert 3 <= len(blamed_on_us) <= 4
    assert "though alice could be asked" in blamed_on_us[0]
    blamed_on_us.clear()
