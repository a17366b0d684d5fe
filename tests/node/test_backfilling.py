"""Nodes with a gap among others that have the whole chain: all is real but the connections."""
import asyncio
import logging
from typing import Any, Callable

from eth.db.chain import ChainDB
from eth.db.schema import SchemaV1
from eth.rlp.sedes import chain_gaps
import pytest
import rlp
from trinity.config import Eth1ChainConfig

from blockio_plugin.node import blockio_process
from blockio_plugin.rules.messages import Availability
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import PeerID
from blockio_plugin.tools.chain_builder import Recipe, build_chain, iterate_blocks
from blockio_plugin.tools.checkpoint import copy_from_checkpoint
from blockio_plugin.tools.memory_network import POLL_INTERVAL, MemoryNode

# Fixtures and their types are in conftest.py.

CHECKPOINT, HEAD = 40, 60

TIMEOUT = 30.0
"""Seconds for anything here, most."""


class Boaster(MemoryNode):
    """Claims a head far above its own, and declines to give what lies between."""

    def send_availability(self, peer: PeerID, advert: Availability) -> None:
        head_view = 10 ** 6
        ranges = (ViewRange(0, head_view + 1),)
        super().send_availability(peer, advert._replace(head_view=head_view, ranges=ranges))


class Network:
    """A node with a gap, and full ones."""

    def __init__(
        self, built: Any, recipe: Recipe, config: Eth1ChainConfig, open_db: Callable[..., Any]
    ) -> None:
        self._built, self._recipe, self._config, self._open_db = built, recipe, config, open_db

    def make_full(self, name: str) -> MemoryNode:
        return MemoryNode(name, self._built.db, self._config, self._built.scheme)

    def make_boaster(self, name: str) -> MemoryNode:
        return Boaster(name, self._built.db, self._config, self._built.scheme)

    def make_gapped(self, name: str, last: int = HEAD) -> MemoryNode:
        db = self._open_db(name)
        copy_from_checkpoint(self._built.db, db, self._config, CHECKPOINT, last)
        self.chaindb = ChainDB(db)
        return MemoryNode(name, db, self._config, self._built.scheme)

    def make_liar(self, name: str, seed: int) -> MemoryNode:
        """It has the chain's head, and below the checkpoint blocks of a chain of its own."""
        db = self._open_db(name)
        copy_from_checkpoint(self._built.db, db, self._config, CHECKPOINT, HEAD)
        build_chain(self._recipe._replace(seed=seed), lies := self._open_db(f"{name}-lies"), 40)
        for key, value in lies.db.iterator():
            if key not in db or key.startswith(b"block-number-to-hash"):
                db[key] = value
        whole = rlp.encode(((), HEAD + 1), sedes=chain_gaps)
        db[SchemaV1.make_chain_gaps_lookup_key()] = whole
        db[SchemaV1.make_header_chain_gaps_lookup_key()] = whole
        return MemoryNode(name, db, self._config, self._built.scheme)

    async def wait_filled(self) -> None:
        async def poll() -> None:
            while self.chaindb.get_chain_gaps()[0]:
                await asyncio.sleep(POLL_INTERVAL)

        await asyncio.wait_for(poll(), TIMEOUT)


@pytest.fixture
def network(
    built: Any, recipe: Recipe, config: Eth1ChainConfig, open_db: Callable[..., Any]
) -> Network:
    return Network(built, recipe, config, open_db)


async def test_fills_the_gap_after_the_head_is_reached(
    built: Any, network: Network, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "blockio_plugin.services.Backfiller")
    node, peer = network.make_gapped("gapped", last=50), network.make_full("full")
    async with node.run(backfills=True), peer.run():
        node.connect(peer)
        await network.wait_filled()
        assert node.given >= HEAD - 50
        assert tuple(iterate_blocks(network.chaindb.db, 0, HEAD)) == built.blocks
        # It serves what it filled to the next one.
        last = network.chaindb
        third = network.make_gapped("third")
        async with third.run(backfills=True):
            peer.disconnect("gapped")
            node.connect(third)
            await network.wait_filled()
        assert last is not network.chaindb
    assert "Backfilling: down to block " in caplog.text


async def test_a_gap_is_left_alone_unless_asked_to_fill_it(built: Any, network: Network) -> None:
    node, peer = network.make_gapped("gapped", last=50), network.make_full("full")
    async with node.run(), peer.run():
        node.connect(peer)
        await node.wait_for(built.chain.get_canonical_head().hash, TIMEOUT)
    assert network.chaindb.get_chain_gaps()[0] == ((1, CHECKPOINT),)


async def test_nobody_has_what_is_missing(network: Network, caplog: Any) -> None:
    node, other = network.make_gapped("gapped"), network.make_gapped("other")
    async with node.run(backfills=True), other.run():
        node.connect(other)
        warned = "Backfill waits: no peer gives block 40"
        while warned not in caplog.text:
            await asyncio.sleep(POLL_INTERVAL)
        assert not node.dropped


async def test_lies_below_what_we_hold_do_not_keep_it_from_the_truth(
    built: Any, network: Network
) -> None:
    liars = [network.make_liar(f"liar-{seed}", seed) for seed in (1, 2)]
    node, peer = network.make_gapped("gapped"), network.make_full("full")
    async with node.run(backfills=True), peer.run(), liars[0].run(), liars[1].run():
        for other in (*liars, peer):
            node.connect(other)
        await network.wait_filled()
        assert tuple(iterate_blocks(network.chaindb.db, 0, HEAD)) == built.blocks
        assert "full" not in [dropped for dropped, _ in node.dropped]


async def test_a_head_that_nobody_gives_does_not_keep_gaps_open(
    built: Any, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockio_process, "BELIEF_TIME", 0.5)
    node, peer = network.make_gapped("gapped"), network.make_full("full")
    boaster = network.make_boaster("boaster")
    async with node.run(backfills=True), peer.run(), boaster.run():
        for other in (peer, boaster):
            node.connect(other)
        await network.wait_filled()
        assert tuple(iterate_blocks(network.chaindb.db, 0, HEAD)) == built.blocks
