"""What a node says and answers of itself, in each of its roles."""
import asyncio
from pathlib import Path
from typing import Any, AsyncIterator, List

import pytest
from trinity.constants import NETWORKING_EVENTBUS_ENDPOINT, TO_NETWORKING_BROADCAST_CONFIG
from trinity.protocol.common.events import (
    GetProtocolCapabilitiesRequest,
    ProtocolCapabilitiesResponse,
)
from trinity.sync.common.events import SyncingRequest, SyncingResponse
from trinity.tools.async_process_runner import AsyncProcessRunner

from blockio_plugin.tools.node_process import NodeProcess, pick_free_port

pytestmark = pytest.mark.integration

BOOT_LIMIT = 150
"""Seconds for a node to say its role, most."""


async def read_until(lines: AsyncIterator[str], wanted: str) -> List[str]:
    read = []
    async for line in lines:
        read.append(line)
        if wanted in line:
            return read
    raise AssertionError("".join(read))


@pytest.mark.parametrize(
    "sync_mode, role",
    [
        ("none", "Block I/O drives the chain (--sync-mode none), view scheme slot:12"),
        ("full", "Block I/O assists --sync-mode full: advertises and serves, view scheme slot:12"),
    ],
)
async def test_the_role_is_said_at_start(
    mined: Any, directory: Path, monkeypatch: pytest.MonkeyPatch, sync_mode: str, role: str
) -> None:
    monkeypatch.setenv("TRINITY_SINGLE_PROCESS_GROUP", "1")
    node = NodeProcess(mined.configure(directory / "n", True)._replace(sync_mode=sync_mode))
    node.port = pick_free_port()
    async with AsyncProcessRunner.run(tuple(node.command), timeout_sec=BOOT_LIMIT) as runner:
        read = await read_until(runner.stderr, "Block I/O")
        assert role in read[-1]
        return
    raise AssertionError("the node said nothing of its role")


async def ask_networking(node: NodeProcess, request: Any) -> Any:
    async with node.event_bus(NETWORKING_EVENTBUS_ENDPOINT, type(request)) as bus:
        return await asyncio.wait_for(bus.request(request, TO_NETWORKING_BROADCAST_CONFIG), 20)


async def test_a_driving_node_answers_eth_syncing_and_announces_the_protocol(
    mined: Any, directory: Path
) -> None:
    async with NodeProcess.run(mined.configure(directory / "n", True)) as node:
        syncing = await ask_networking(node, SyncingRequest())
        assert isinstance(syncing, SyncingResponse)
        capabilities = await ask_networking(node, GetProtocolCapabilitiesRequest())
        assert isinstance(capabilities, ProtocolCapabilitiesResponse)
        assert ("bio", 1) in capabilities.capabilities


async def test_without_the_flag_nothing_of_ours_runs(mined: Any, directory: Path) -> None:
    config = mined.configure(directory / "n", True)._replace(view_scheme=None)
    async with NodeProcess.run(config) as node:
        capabilities = await ask_networking(node, GetProtocolCapabilitiesRequest())
        assert {name for name, _ in capabilities.capabilities} == {"eth", "wit"}
        endpoints = {path.stem for path in (config.data_dir / "ipcs-eth1").glob("*.ipc")}
        assert not {name for name in endpoints if "blockio" in name}
        assert "lock I/O" not in node.log()
