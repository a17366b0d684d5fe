"""Flags of Trinity's that a user adds to a command that fails, on a node with the plugin."""
import asyncio
import contextlib
from pathlib import Path
import re
from typing import Any, AsyncIterator, Sequence

import pytest

from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import NodeProcess

pytestmark = pytest.mark.integration


@pytest.fixture
async def influx() -> AsyncIterator[Sequence[str]]:
    """Flags for a server of InfluxDB that takes everything. Without one Trinity ends the node."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                await reader.readexactly(int(length.group(1)) if length else 0)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield (
        *("--metrics-influx-server", "127.0.0.1", "--metrics-influx-port", str(port)),
        *("--metrics-influx-password", "none"),
    )
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "flags",
    [
        ("--log-level", "DEBUG", "--max-peers", "3"),
        ("-l", "10", "-l", "eth=DEBUG", "--trinity-tmp-root-dir"),
        ("--stderr-log-level", "DEBUG", "--file-log-level", "WARNING", "--profile"),
        (
            *("--disable-networkdb-component", "--disable-blacklistdb"),
            *("--disable-eth1-peer-db", "--disable-request-server"),
        ),
        ("--enable-metrics", "--metrics-host", "here"),
    ],
    ids=lambda flags: flags[0],
)
@pytest.mark.timeout(400)
async def test_a_node_runs_with(
    mined: Any,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: Sequence[str],
    influx: Sequence[str],
) -> None:
    # Profiles are written to where the node runs.
    monkeypatch.chdir(directory)
    config = mined.configure(directory / "a", True)
    flags = (*config.flags, *flags, *influx)
    async with NodeProcess.run(config._replace(flags=flags)) as node:
        async for status in node.watch():
            if status.head_number == mined.recipe.blocks:
                break
        await node.stop()
        assert await node.wait() == 0
        assert find_failures(node.log()) == ""
