"""A node whose disk fills up while it syncs, and one whose database is read-only. Mounts disks."""
import asyncio
import contextlib
import os
from pathlib import Path
import shutil
import subprocess
from typing import Any, Iterator

import pytest

from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeFailed, NodeProcess
from blockio_plugin.tools.shaped_link import ShapedLink

pytestmark = pytest.mark.integration

DISK_SIZE = "64m"

SYNC_TIMEOUT = 60.0
"""Seconds for a sync of some hundred blocks, most."""

END_TIMEOUT = 30.0
"""Seconds for a node to end once its disk is full, most."""


@contextlib.contextmanager
def mounted(path: Path) -> Iterator[None]:
    """A small disk of its own, in memory, at ``path``."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, stderr=subprocess.PIPE)
    except (OSError, subprocess.CalledProcessError) as err:
        pytest.skip(f"cannot mount: {err}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(path: Path) -> None:
    """Write to ``path`` until nothing is left of the disk."""
    with path.open("wb") as ballast, contextlib.suppress(OSError):
        while True:
            os.write(ballast.fileno(), bytes(4096))


async def test_a_full_disk_stops_the_node_and_costs_nothing(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        async with ShapedLink.open(archive.port, rate=20_000.0) as link:
            config = mined.configure(directory / "f", False, archive.enode(link.port))
            with mounted(config.data_dir):
                async with NodeProcess.run(config) as node:
                    probe = HeadProbe(config.data_dir)
                    await probe.wait_for(20, SYNC_TIMEOUT)
                    seen = probe.fetch()
                    fill(config.data_dir / "ballast")
                    await asyncio.wait_for(node.wait(), END_TIMEOUT)
                    assert "Cannot import, so the node stops" in node.log()
                    assert f"no space is left on the disk of {config.data_dir}" in node.log()

                    (config.data_dir / "ballast").unlink()
                    await node.start()
                    assert probe.fetch().number >= seen.number
                    link.rate = None
                    head = await probe.wait_for(mined.recipe.blocks, SYNC_TIMEOUT)
                    assert head.hash == mined.head_hash


async def test_a_read_only_database_is_refused(mined: Any, directory: Path) -> None:
    config = mined.configure(directory / "f", True)
    (database,) = config.data_dir.glob("chain-*/full")
    database.rename(directory / "database")
    with mounted(database):
        for file in (directory / "database").iterdir():
            shutil.copy(str(file), str(database))
        subprocess.run(["mount", "-o", "remount,ro", str(database)], check=True)
        with pytest.raises(NodeFailed) as failure:
            async with NodeProcess.run(config):
                pass
    assert f"cannot open the chain in {database}" in str(failure.value)
    assert "Read-only file system" in str(failure.value)
    assert "Traceback" not in str(failure.value)
