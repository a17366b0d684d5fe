"""Flags of Trinity's that a user adds to a command that fails, on a node with the plugin."""
from pathlib import Path
from typing import Any, Sequence

import pytest

from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import NodeProcess

pytestmark = pytest.mark.integration

INFLUX = ("--metrics-influx-server", "127.0.0.1", "--metrics-influx-password", "none")
"""A server that is not there."""


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
        ("--enable-metrics", "--metrics-host", "here", *INFLUX),
    ],
    ids=lambda flags: flags[0],
)
@pytest.mark.timeout(400)
async def test_a_node_runs_with(
    mined: Any, directory: Path, monkeypatch: pytest.MonkeyPatch, flags: Sequence[str]
) -> None:
    # Profiles are written to where the node runs.
    monkeypatch.chdir(directory)
    config = mined.configure(directory / "a", True)
    async with NodeProcess.run(config._replace(flags=(*config.flags, *flags))) as node:
        async for status in node.watch():
            if status.head_number == mined.recipe.blocks:
                break
        await node.stop()
        assert await node.wait() == 0
        assert find_failures(node.log()) == ""
