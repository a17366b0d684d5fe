"""Real nodes on loopback, over real RLPx, with real databases."""
import asyncio
import contextlib
from pathlib import Path
import random
from typing import Any

from eth.db.atomic import AtomicDB
from p2p.exceptions import HandshakeFailure, UnreachablePeer
import pytest
from trinity.db.manager import DBClient

from blockio_plugin.rules.limits import LEAST_MEMORY, MIB
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.tools.chain_builder import build_chain
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.shaped_link import ShapedLink

pytestmark = pytest.mark.integration

SYNC_TIMEOUT = 60.0
"""Seconds for a sync of some hundred blocks, most."""

FOLLOW_LIMIT = 3.0
"""Seconds from a block at a peer to the block imported here."""

STOP_LIMIT = 5.0
"""Seconds from Ctrl-C to the end."""


def mine_into(node: NodeProcess, recipe: Any, number: int) -> bytes:
    """Extend the chain of a running node through its database, as its own syncer would."""
    db = DBClient.connect(node.config.data_dir / "ipcs-eth1" / "db.ipc")
    with db:
        head_hash: bytes = build_chain(recipe, db, number).get_canonical_head().hash
        return head_hash


async def test_a_fresh_node_syncs_follows_stops_and_goes_on(mined: Any, directory: Path) -> None:
    recipe = mined.recipe
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        fresh_config = mined.configure(directory / "f", False, archive.enode())
        # The least memory that there may be does as well.
        least = ("--blockio-memory", str(LEAST_MEMORY // MIB))
        fresh_config = fresh_config._replace(flags=fresh_config.flags + least)
        vanilla_config = mined.configure(directory / "v", False, archive.enode())._replace(
            view_scheme=None, sync_mode="full"
        )
        async with NodeProcess.run(fresh_config) as fresh, NodeProcess.run(
            vanilla_config
        ) as vanilla:
            probe = HeadProbe(fresh.config.data_dir)
            head = await probe.wait_for(recipe.blocks, SYNC_TIMEOUT)
            assert head.hash == mined.head_hash

            # A peer without the plugin syncs as ever, and is not used.
            vanilla_head = await HeadProbe(vanilla.config.data_dir).wait_for(
                recipe.blocks, SYNC_TIMEOUT
            )
            assert vanilla_head.hash == mined.head_hash
            async for status in archive.watch():
                assert [peer.session.remote.pubkey for peer in status.peers] == [
                    fresh.key.public_key
                ]
                break

            # A block that the peer gets is here soon after.
            loop = asyncio.get_event_loop()
            for number in range(recipe.blocks + 1, recipe.blocks + 4):
                mined_hash = await loop.run_in_executor(None, mine_into, archive, recipe, number)
                started_at = loop.time()
                head = await probe.wait_for(number, SYNC_TIMEOUT)
                assert loop.time() - started_at < FOLLOW_LIMIT
                assert head.hash == mined_hash

            assert "Block I/O drives the chain" in fresh.log()
            # Trinity's own part of it takes longer on a busy machine.
            limit = max(STOP_LIMIT, 1.5 * await vanilla.stop())
            assert await fresh.stop() < limit
            assert fresh.processes() == ()
            assert find_failures(fresh.log()) == ""

            # It goes on from where it was.
            mined_hash = await loop.run_in_executor(
                None, mine_into, archive, recipe, recipe.blocks + 10
            )
            await fresh.start()
            assert probe.fetch().number >= recipe.blocks + 3
            head = await probe.wait_for(recipe.blocks + 10, SYNC_TIMEOUT)
            assert head.hash == mined_hash
        assert find_failures(archive.log()) == ""


async def test_a_killed_node_goes_on(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as archive:
        async with ShapedLink.open(archive.port, rate=30_000.0) as link:
            config = mined.configure(directory / "f", False, archive.enode(link.port))
            async with NodeProcess.run(config) as fresh:
                probe = HeadProbe(fresh.config.data_dir)
                seen = await probe.wait_for(20, SYNC_TIMEOUT)
                fresh.kill()
                await fresh.wait()
                link.rate = None
                await fresh.start()
                assert probe.fetch().number >= seen.number
                head = await probe.wait_for(mined.recipe.blocks, SYNC_TIMEOUT)
                assert head.hash == mined.head_hash


async def test_a_peer_that_sends_garbage_loses_its_connection(
    mined: Any, directory: Path
) -> None:
    from blockio_plugin.tools.scripted_peer import ScriptedPeer

    db = AtomicDB()
    chain = build_chain(mined.recipe, db, 0)
    async with NodeProcess.run(mined.configure(directory / "a", True)) as node:
        for command_id, body in ((1, b"\xff" * 40), (6, b"\x00"), (2, b"\x02\x04\xc1\x80")):
            async with ScriptedPeer.connect(
                node.enode(), chain, db, mined.recipe.network_id
            ) as peer:
                advert = await asyncio.wait_for(peer.inbox.get(), 20)
                assert isinstance(advert, Availability) and advert.head_view > 0
                peer.send_raw(command_id, body)
                await asyncio.wait_for(peer.wait_dropped(), 10)
        assert node.is_running
        assert find_failures(node.log()) == ""


async def test_peers_that_ask_and_leave_do_not_keep_it_from_serving(
    mined: Any, directory: Path
) -> None:
    from blockio_plugin.tools.scripted_peer import ScriptedPeer

    db = AtomicDB()
    chain = build_chain(mined.recipe, db, 0)
    chance = random.Random(1)

    async def enter(stack: contextlib.AsyncExitStack) -> ScriptedPeer:
        while True:
            # A busy node turns some away.
            with contextlib.suppress(HandshakeFailure, UnreachablePeer):
                return await stack.enter_async_context(
                    ScriptedPeer.connect(node.enode(), chain, db, mined.recipe.network_id)
                )

    async with NodeProcess.run(mined.configure(directory / "a", True)) as node:
        for last in (False,) * 12 + (True,):
            async with contextlib.AsyncExitStack() as stack:
                peer = await asyncio.wait_for(enter(stack), 20)
                advert = await asyncio.wait_for(peer.inbox.get(), 20)
                assert isinstance(advert, Availability) and advert.head_view > 0
                requests = 1 if last else chance.randrange(1, 4)
                for request_id in range(requests):
                    peer.api.send_request(GetBlocksByView(request_id, 1, 100, 64))
                if last:
                    answer = await asyncio.wait_for(peer.inbox.get(), 20)
                    assert isinstance(answer, BlocksByView) and answer.blocks
                else:
                    # It leaves before, between and after the answers.
                    await asyncio.sleep(chance.uniform(0.0, 0.03))
        assert node.is_running
        assert find_failures(node.log()) == ""
