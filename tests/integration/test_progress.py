"""What a node tells of a sync while it goes on: in its log, and to ``eth_syncing``."""
import asyncio
from datetime import datetime, timedelta
import os
from pathlib import Path
import re
from typing import Any, List

from eth_keys.datatypes import PrivateKey
import pytest
from trinity.constants import NETWORKING_EVENTBUS_ENDPOINT, TO_NETWORKING_BROADCAST_CONFIG
from trinity.sync.common.events import SyncingRequest, SyncingResponse

from blockio_plugin.rules.outlook import ALONE_TIME
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeProcess, pick_free_port
from blockio_plugin.tools.shaped_link import ShapedLink

pytestmark = pytest.mark.integration

MAX_LINES = 12
"""Lines at INFO in any minute after the start, fewer than this."""


class Asker:
    """Asks a node what its ``eth_syncing`` would say."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node

    async def ask_until(self, wanted: Any, limit: float) -> List[SyncingResponse]:
        """All responses until ``wanted`` holds of one, at most ``limit`` seconds."""
        responses: List[SyncingResponse] = []
        loop = asyncio.get_event_loop()
        deadline = loop.time() + limit
        async with self._node.event_bus(NETWORKING_EVENTBUS_ENDPOINT, SyncingRequest) as bus:
            while not responses or not wanted(responses[-1]):
                assert loop.time() < deadline, responses[-3:]
                request = bus.request(SyncingRequest(), TO_NETWORKING_BROADCAST_CONFIG)
                responses.append(await asyncio.wait_for(request, 20))
                await asyncio.sleep(0.2)
        return responses


def most_in_a_minute(log: str) -> int:
    """Lines at INFO in any minute after the first line on how the node stands."""
    after = log[log.index(" Reporter ") :]
    found = re.findall(r"^ +INFO +([\d-]+ [\d:]+),\d+ ", after, re.MULTILINE)
    times = [datetime.fromisoformat(time) for time in found]
    minute = timedelta(minutes=1)
    return max(sum(start <= time < start + minute for time in times) for start in times)


async def test_a_slow_sync_tells_how_far_it_is(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        async with ShapedLink.open(archive.port, rate=3_000.0) as link:
            config = mined.configure(directory / "f", False, archive.enode(link.port))
            async with NodeProcess.run(config) as fresh:
                asker = Asker(fresh)
                responses = await asker.ask_until(lambda each: not each.is_syncing, 240.0)
                head = await HeadProbe(fresh.config.data_dir).wait_for(mined.recipe.blocks, 30.0)
                assert head.hash == mined.head_hash
                while "Served " not in archive.log():
                    await asyncio.sleep(1.0)
                log, served = fresh.log(), archive.log()

    # The highest block is one, and does not fall; before a peer was heard it is syncing too.
    assert len(responses) > 100
    progress = [each.progress for each in responses[:-1]]
    highest = [each.highest_block for each in progress]
    assert highest == sorted(highest) and highest[-1] == mined.recipe.blocks
    assert all(each.starting_block == 0 for each in progress)
    current = [each.current_block for each in progress]
    assert current == sorted(current) and current[-1] > mined.recipe.blocks / 2
    # It is known soon.
    known = [each for each in progress if each.highest_block == mined.recipe.blocks]
    assert known[0].current_block < mined.recipe.blocks / 2

    lines = re.findall(r"Syncing: .*", log)
    told = [
        re.match(
            r"Syncing: view \d+ of \d+, block (\d+) of 400 \(([\d.]+) %(?:, \w+ left)?\), "
            r"\d+ blocks/s, [\dydhms]+ behind, 1 peer, ",
            line,
        )
        for line in lines
    ]
    matches = [match for match in told if match is not None]
    assert len(matches) > len(lines) / 2
    for match in matches:
        assert float(match[2]) == pytest.approx(int(match[1]) / 4, abs=0.06)
    assert any(" left)" in line for line in lines)

    (line, *_) = re.findall(r"Served .*", served)
    assert re.match(r"Served \d+ blocks \([\d.]+ MB\) to 1 peer in the last minute", line)
    for each in (log, served):
        assert most_in_a_minute(each) < MAX_LINES


async def test_alone_with_a_node_that_cannot_be_reached(mined: Any, directory: Path) -> None:
    key = PrivateKey(os.urandom(32)).public_key.to_hex()[2:]
    enode = f"enode://{key}@127.0.0.1:{pick_free_port()}"
    async with NodeProcess.run(mined.configure(directory / "a", True, enode)) as node:
        responses = await Asker(node).ask_until(lambda each: not each.is_syncing, 3 * ALONE_TIME)
        # That it is alone takes a while to believe.
        assert responses[0].is_syncing
        assert responses[0].progress.highest_block == mined.recipe.blocks
        log = node.log()
    assert log.count(f"Cannot reach the preferred node {enode}") == 1
    assert re.search(r"INFO .*Cannot reach the preferred node .*: UnreachablePeer: ", log)
