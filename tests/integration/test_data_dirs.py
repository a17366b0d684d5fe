"""Data directories that a node must not start on: each is refused with one line."""
import asyncio
import json
import os
from pathlib import Path
from typing import Any, Tuple

import plyvel
import pytest

from blockio_plugin.node.data_dir_check import find_listeners
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import ENVIRONMENT, NodeConfig, NodeProcess

pytestmark = pytest.mark.integration

REFUSAL_TIMEOUT = 60.0
"""Seconds until a start is refused, most."""


async def try_start(config: NodeConfig) -> Tuple[int, str]:
    """Start a node that must end by itself: its exit status and the one line it says."""
    process = await asyncio.create_subprocess_exec(
        *NodeProcess(config).command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **ENVIRONMENT, "PYTHONWARNINGS": "ignore"},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), REFUSAL_TIMEOUT)
    finally:
        if process.returncode is None:
            process.kill()
    lines = output.decode().splitlines()
    assert len(lines) == 1, output.decode()
    assert process.returncode is not None
    return process.returncode, lines[0]


async def test_a_node_runs_on_it(mined: Any, directory: Path) -> None:
    config = mined.configure(directory / "a", True)
    async with NodeProcess.run(config) as node:
        before = find_listeners(directory / "a" / "ipcs-eth1")
        status, line = await try_start(config)
        assert status == 2
        assert f"a node runs on {directory / 'a'} (process {before['main']}): stop it" in line
        # It has lost nothing by that.
        assert find_listeners(directory / "a" / "ipcs-eth1").items() >= before.items()
        await node.stop()
        assert find_failures(node.log()) == ""


async def test_another_program_holds_the_database(mined: Any, directory: Path) -> None:
    config = mined.configure(directory / "a", True)
    (database,) = config.data_dir.glob("chain-*/full")
    held = plyvel.DB(str(database))
    try:
        status, line = await try_start(config)
    finally:
        held.close()
    assert status == 2
    assert f"{directory / 'a'} is in use by process {os.getpid()}, " in line


async def test_another_networks_chain(mined: Any, directory: Path) -> None:
    config = mined.configure(directory / "a", True)
    genesis = json.loads(config.genesis.read_text())
    genesis["genesis"]["extraData"] = "0x01"
    other = directory / "genesis.json"
    other.write_text(json.dumps(genesis))
    status, line = await try_start(config._replace(genesis=other))
    assert status == 2
    assert f"{directory / 'a'}/chain-eth1/full is another network's" in line
    assert line.count("0x") == 2
