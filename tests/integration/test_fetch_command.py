"""``trinity blockio fetch`` through a real node."""
from pathlib import Path
from typing import Any

from eth.db.backends.level import LevelDB
from eth_typing import BlockNumber
import pytest
import rlp
from trinity_command import Outcome, run_trinity

from blockio_plugin.tools.chain_builder import build_chain
from blockio_plugin.tools.chain_files import read_blocks
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.shaped_link import ShapedLink

pytestmark = pytest.mark.integration


async def fetch(data_dir: Path, *flags: str, stop_after: float = 0.0) -> Outcome:
    command = ("--data-dir", str(data_dir), "blockio", "fetch", *flags)
    return await run_trinity(*command, stop_after=stop_after, env={"PYTHONWARNINGS": "ignore"})


def read_chain(mined: Any) -> Any:
    """The RLP of each mined block above genesis."""
    (database,) = mined.data_dir.glob("chain-*/full")
    db = LevelDB(database)
    try:
        chain = build_chain(mined.recipe, db, 0)
        return [
            rlp.encode(chain.get_canonical_block_by_number(BlockNumber(number)))
            for number in range(1, mined.recipe.blocks + 1)
        ]
    finally:
        db.db.close()


async def test_blocks_of_the_node_and_of_its_peer(mined: Any, directory: Path) -> None:
    chain = read_chain(mined)
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        async with ShapedLink.open(archive.port, rate=4_000.0) as link:
            config = mined.configure(directory / "f", False, archive.enode(link.port))
            async with NodeProcess.run(config) as fresh:
                await HeadProbe(config.data_dir).wait_for(10, 60.0)
                # It is stopped half-way: what came is whole, and in order.
                part = directory / "part.rlp"
                outcome = await fetch(
                    config.data_dir, "1..100000", "--out", str(part), stop_after=12.0
                )
                assert outcome.status == 1 and outcome.out == ""
                assert "stopped before the end, all blocks so far are kept" in outcome.err
                kept = list(read_blocks(part))
                assert kept and kept == [block for block in chain if block in set(kept)]

                link.rate = None
                whole = directory / "whole.rlp"
                outcome = await fetch(config.data_dir, "1..300", "--out", str(whole))
                assert outcome.status == 0, outcome.err
                blocks = list(read_blocks(whole))
                assert blocks == chain[: len(blocks)] and len(blocks) > 150
                assert f"{len(blocks)} blocks (" in outcome.err and f"in {whole}" in outcome.err
                assert "views empty: " in outcome.err

                listed = await fetch(config.data_dir, "1..300")
                assert len(listed.out.splitlines()) == len(blocks)

                bad = await fetch(config.data_dir, "1..5", "--out", str(directory / "no" / "x"))
                assert bad.status == 1 and bad.err.startswith("cannot write to ")
                assert len(bad.err.splitlines()) == 1
                for views in ("9..5", "abc"):
                    wrong = await fetch(config.data_dir, views)
                    assert wrong.status == 2 and repr(views) in wrong.err.splitlines()[-1]
                await fresh.stop()
    gone = await fetch(directory / "f", "1..5", "--out", str(directory / "y.rlp"))
    assert gone.status == 1 and "no node runs" in gone.err
