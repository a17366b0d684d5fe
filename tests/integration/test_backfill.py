"""A node that began at a checkpoint fills its chain downward, is killed, goes on, and serves."""
from pathlib import Path
from typing import Any

from eth.db.chain import ChainDB
import pytest

from blockio_plugin.node.cli import BACKFILL_FLAG
from blockio_plugin.tools.chain_builder import iterate_blocks
from blockio_plugin.tools.chain_files import read_chain_config
from blockio_plugin.tools.checkpoint import copy_from_checkpoint
from blockio_plugin.tools.crash import crash
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.shaped_link import ShapedLink

pytestmark = pytest.mark.integration

CHECKPOINT, LAST = 350, 370
"""Blocks 1 to 350 are missing, and those above 370 are new, of 400."""

SYNC_TIMEOUT = 60.0
"""Seconds for a sync of some hundred blocks, most."""


async def test_fills_the_gap_below_a_checkpoint(mined: Any, directory: Path) -> None:
    recipe = mined.recipe
    full = mined.configure(directory / "a", True)
    gapped = mined.configure(directory / "b", False)
    with open_data_dir(mined.data_dir, recipe.genesis, recipe.network_id) as source:
        expected = tuple(iterate_blocks(source, 0, recipe.blocks))
        with open_data_dir(gapped.data_dir, recipe.genesis, recipe.network_id) as target:
            config = read_chain_config(recipe.genesis)
            copy_from_checkpoint(source, target, config, CHECKPOINT, LAST)

    async with NodeProcess.run(full) as archive:
        async with ShapedLink.open(archive.port, rate=40_000.0) as link:
            gapped = gapped._replace(
                preferred_nodes=(archive.enode(link.port),),
                flags=(*gapped.flags, BACKFILL_FLAG),
            )
            async with NodeProcess.run(gapped) as node:
                probe = HeadProbe(gapped.data_dir)
                head = await probe.wait_for(recipe.blocks, SYNC_TIMEOUT)
                assert head.hash == mined.head_hash
                left = await probe.wait_for_missing(CHECKPOINT - 100, SYNC_TIMEOUT)
                assert left > 0, "it was too fast to be killed on the way"
                await crash(node, None)
                await node.start()
                assert probe.fetch_missing() <= left
                link.rate = None
                await probe.wait_for_missing(0, SYNC_TIMEOUT)
                assert "no gap is left" in node.log()
                # To one that has nothing it is an archive now.
                fresh = mined.configure(directory / "c", False, node.enode())
                async with NodeProcess.run(fresh):
                    await HeadProbe(fresh.data_dir).wait_for(recipe.blocks, SYNC_TIMEOUT)
                await node.stop()
    with open_data_dir(gapped.data_dir, recipe.genesis, recipe.network_id) as db:
        assert ChainDB(db).get_chain_gaps() == ((), recipe.blocks + 1)
        assert tuple(iterate_blocks(db, 0, recipe.blocks)) == expected
