"""Nodes, and single processes of theirs, killed while they sync."""
from pathlib import Path
from typing import Any, Optional

import pytest

from blockio_plugin.tools.crash import crash
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.shaped_link import ShapedLink

pytestmark = pytest.mark.integration

SYNC_TIMEOUT = 60.0
"""Seconds for a sync of some hundred blocks, most."""


async def test_what_was_imported_survives_kills(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        async with ShapedLink.open(archive.port, rate=20_000.0) as link:
            config = mined.configure(directory / "f", False, archive.enode(link.port))
            async with NodeProcess.run(config) as node:
                probe = HeadProbe(config.data_dir)
                reached = 20
                endpoint: Optional[str]
                for endpoint in (None, "blockio-import", "blockio", "db"):
                    await probe.wait_for(reached, SYNC_TIMEOUT)
                    seen = await crash(node, endpoint)
                    await node.start()
                    head = probe.fetch()
                    assert head.number >= seen.number
                    reached = head.number + 20
                link.rate = None
                head = await probe.wait_for(mined.recipe.blocks, SYNC_TIMEOUT)
                assert head.hash == mined.head_hash
