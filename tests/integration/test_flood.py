"""Peers that send all they can of what is of no use: a node's memory stays within its bound."""
import asyncio
import contextlib
from itertools import count, islice
import os
from pathlib import Path
from typing import Any

from eth.db.atomic import AtomicDB
from eth.db.trie import make_trie_root_and_nodes
from eth.rlp.headers import BlockHeader
from eth.vm.forks.istanbul.transactions import IstanbulTransaction
import pytest
import rlp

from blockio_plugin.node.stored_blocks import EMPTY_LIST, encode_list
from blockio_plugin.rules.messages import (
    MAX_ANSWER_BLOCKS,
    MAX_ANSWER_BYTES,
    MAX_RANGES,
    Availability,
    BlocksByView,
    GetBlocksByView,
)
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.tools.chain_builder import iterate_blocks
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.process_stats import read_memory
from blockio_plugin.tools.scripted_peer import ScriptedPeer

pytestmark = pytest.mark.integration

PEERS = 2
"""So many, since Trinity takes no more in the first moments of a busy node: its tracker of bad
peers does not answer in time."""

FLOOD_TIME = 60.0
"""Seconds that they go on. The node asks them for ever less: it gets 4 MB a second of both."""

LEAST_FLOOD = 64 * 1024 * 1024
"""Bytes of blocks that they send in all, least: more than a node keeps of what it cannot import."""

MEMORY_LIMIT = 256 * 1024 * 1024
"""Bytes over what the node took before, all of its processes together."""

BLOCK_BYTES = 400_000

BLOCKS = 4000
"""Blocks of their chain: far more than are sent."""

SAMPLE_INTERVAL = 0.5
"""Seconds between two looks at the memory."""


class HugeBlocks:
    """Blocks that link to each other, with a transaction of ``BLOCK_BYTES`` each; all invalid."""

    def __init__(self, genesis: bytes) -> None:
        self._genesis = genesis
        transaction = IstanbulTransaction(
            0, 1, 8_000_000, bytes(20), 0, os.urandom(BLOCK_BYTES), v=27, r=1, s=1
        )
        root, _ = make_trie_root_and_nodes((transaction,))
        self._body = rlp.encode([transaction])
        self._headers = [b""]
        parent = bytes(32)
        for number in range(1, BLOCKS):
            header = BlockHeader(
                difficulty=1,
                block_number=number,
                gas_limit=8_000_000,
                parent_hash=parent,
                transaction_root=root,
                timestamp=number,
            )
            self._headers.append(rlp.encode(header))
            parent = header.hash

    def encode(self, number: int) -> bytes:
        if number == 0:
            return self._genesis
        return encode_list(self._headers[number] + self._body + EMPTY_LIST)


class Flooder:
    """Answers with genesis and huge blocks, but for block 1; asks and advertises without end."""

    def __init__(self, peer: ScriptedPeer, blocks: HugeBlocks) -> None:
        self._peer, self._blocks = peer, blocks
        self.sent = 0

    def advertise(self, request_id: int) -> None:
        others = (ViewRange(view, view + 1) for view in range(10 ** 6, 10 ** 7, 2))
        ranges = (ViewRange(0, BLOCKS), *islice(others, MAX_RANGES - 1))
        self._peer.api.send_availability(Availability("number", ranges[-1].stop - 1, ranges))
        self._peer.api.send_request(GetBlocksByView(request_id, 0, 2 ** 62, MAX_ANSWER_BLOCKS))

    async def answer(self) -> None:
        while True:
            asked = await self._peer.inbox.get()
            if isinstance(asked, GetBlocksByView):
                self._send(asked)

    def _send(self, asked: GetBlocksByView) -> None:
        within = range(asked.start_view, min(asked.views.stop, BLOCKS))
        views = [view for view in within if view != 1]
        most = min(asked.max_blocks, MAX_ANSWER_BYTES // BLOCK_BYTES - 1)
        blocks = tuple(self._blocks.encode(view) for view in views[:most])
        stop = views[most] if most < len(views) else asked.views.stop
        length = stop - asked.start_view
        self._peer.api.send_answer(
            BlocksByView(asked.request_id, asked.start_view, length, 0, blocks)
        )
        self.sent += sum(map(len, blocks))


async def test_memory_stays_within_its_bound(mined: Any, directory: Path) -> None:
    recipe = mined.recipe
    db = AtomicDB()
    config = read_chain_config(recipe.genesis)
    initialize_chain(db, config)
    chain = config.full_chain_class(db)
    node_config = mined.configure(directory / "a", False)._replace(view_scheme="number")
    blocks = HugeBlocks(next(iterate_blocks(db, 0, 0)))
    async with NodeProcess.run(node_config) as node, contextlib.AsyncExitStack() as stack:
        idle = read_memory(node.processes())
        flooders = [
            Flooder(
                await stack.enter_async_context(
                    ScriptedPeer.connect(node.enode(), chain, db, recipe.network_id)
                ),
                blocks,
            )
            for _ in range(PEERS)
        ]
        tasks = [asyncio.ensure_future(flooder.answer()) for flooder in flooders]
        peak = 0
        try:
            began_at = asyncio.get_event_loop().time()
            for request_id in count(1):
                for flooder in flooders:
                    flooder.advertise(request_id)
                peak = max(peak, read_memory(node.processes()))
                if asyncio.get_event_loop().time() > began_at + FLOOD_TIME:
                    break
                await asyncio.sleep(SAMPLE_INTERVAL)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert node.is_running
        assert sum(flooder.sent for flooder in flooders) >= LEAST_FLOOD
        assert peak - idle <= MEMORY_LIMIT
