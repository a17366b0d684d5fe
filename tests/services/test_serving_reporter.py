import asyncio
import logging

from async_service import background_asyncio_service
import pytest

from blockio_plugin.rules.traffic import Served, Traffic
from blockio_plugin.services.serving_reporter import ServingReporter, describe_served


@pytest.mark.parametrize(
    "served, line",
    [
        (Served(1, 500_000, 1), "Served 1 block (0.5 MB) to 1 peer in the last minute"),
        (Served(300, 0, 2), "Served 300 blocks (0.0 MB) to 2 peers in the last minute"),
    ],
)
def test_describe(served: Served, line: str) -> None:
    assert describe_served(served) == line


async def test_one_line_a_minute_while_somebody_is_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = asyncio.get_event_loop().time
    traffic = Traffic(clock())
    async with background_asyncio_service(ServingReporter(traffic)):
        for _ in range(90):
            traffic.note_served("alice", 10, 1000, clock())
            await asyncio.sleep(1.0)
        await asyncio.sleep(300.0)
    lines = [record.getMessage() for record in caplog.records if "Serv" in record.name]
    assert lines[0].startswith("Served 600 blocks (0.1 MB) to 1 peer")
    assert lines[1].startswith("Served 300 blocks")
    assert len(lines) == 2
