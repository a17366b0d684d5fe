"""Real services and real execution among peers that keep to the protocol, and keep us waiting."""
import asyncio
from contextlib import AsyncExitStack
from typing import FrozenSet, Iterator, Sequence, Type

from eth.abc import BlockHeaderAPI
import pytest

from blockio_plugin.rules.block_rlp import decode_block
from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView
from blockio_plugin.rules.schemes import parse_scheme
from blockio_plugin.services.abc import PeerID
from blockio_plugin.services.peer_requests import ANSWER_TIMEOUT, FIRST_REQUEST_ID
from blockio_plugin.tools.branching import Branches, Grow, branch_grower, import_branches
from blockio_plugin.tools.chain_builder import Recipe
from blockio_plugin.tools.encoded_chain import encode_chain
from blockio_plugin.tools.memory_chain import MemoryChain
from blockio_plugin.tools.memory_network import MemoryNetwork, Stranger
from blockio_plugin.tools.virtual_time import VirtualTimePolicy

SCHEME = "slot:1"

MOST = 8.0
"""Seconds that a better branch may take to win, most, however many keep us waiting."""

LATE = ANSWER_TIMEOUT - 0.1
"""Seconds after which an answer is still taken."""


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTimePolicy()


@pytest.fixture(scope="module")
def grow(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grow]:
    yield branch_grower(recipe, tmp_path_factory.mktemp("branches"))
    import_branches.cache_clear()


def read_genesis(branches: Branches) -> BlockHeaderAPI:
    chain = branches.config.full_chain_class(branches.import_all())
    return chain.get_canonical_block_header_by_number(0)


def make_chain(blocks: Sequence[Block]) -> MemoryChain:
    return MemoryChain(MemoryChain.of_views([0]).blocks + list(blocks), SCHEME)


def read_chain(branches: Branches, index: int) -> MemoryChain:
    scheme = parse_scheme(SCHEME).bind(read_genesis(branches))
    return make_chain([decode_block(block, scheme) for block in branches.blocks(index)])


class Silent(Stranger):
    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        pass


class Late(Stranger):
    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        asyncio.get_event_loop().call_later(LATE, super().answer, peer, request)


class Declining(Stranger):
    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        self.send_answer(peer, BlocksByView(request.request_id, request.start_view, 0, 0, ()))


class Leaving(Stranger):
    """Leaves when it is asked, and comes back."""

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        (node,) = self.peers
        self.disconnect(peer)
        asyncio.get_event_loop().call_later(0.1, self.connect, node)


class SilentLater(Stranger):
    """Can be compared, but gives none of its branch."""

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        if request.max_blocks <= 2:
            super().answer(peer, request)


class LateLater(Stranger):
    """The same, and comes with it late."""

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        delay = 0.0 if request.max_blocks <= 2 else LATE
        asyncio.get_event_loop().call_later(delay, super().answer, peer, request)


class Dripping(Stranger):
    """Can be compared, and has nothing in the next view, and nothing in the one after it."""

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        if request.max_blocks <= 2:
            super().answer(peer, request)
        else:
            empty = BlocksByView(request.request_id, request.start_view, 1, 0, ())
            asyncio.get_event_loop().call_later(0.05, self.send_answer, peer, empty)


class OneByOne(Stranger):
    """Gives its branch a block at a time, and takes its time."""

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        one = request._replace(max_blocks=1)
        asyncio.get_event_loop().call_later(0.45, super().answer, peer, one)


KINDS = [Silent, Late, Declining, Leaving, SilentLater, LateLater, Dripping, OneByOne]


@pytest.mark.parametrize("after", [0.0, 20.0], ids=["with them", "after them"])
@pytest.mark.parametrize("number", [10, 100])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_better_branch_wins_soon_whoever_else_is_there(
    grow: Grow, kind: Type[Stranger], number: int, after: float
) -> None:
    # The better branch is of more difficulty, but ends at a lower view. The strangers are on a
    # third one, which loses, as far as they let themselves be compared.
    branches = grow(5, (22, 8), (24, 4), (12, 13))
    best = branches.head(1)
    assert branches.head(0, 2) == branches.head(0) and branches.head(0, 1) == best
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, SCHEME)
        ours = await network.add("ours", branches.import_all(0))
        for index in range(number):
            stranger = kind(f"stranger {index}", read_chain(branches, 2))
            await stack.enter_async_context(stranger.run())
            ours.connect(stranger)
        better = await network.add("better", branches.import_all(1))
        await asyncio.sleep(after)
        ours.connect(better)
        await ours.wait_for(best, MOST)
        assert ours.dropped == []


class Luring(Stranger):
    """
    Gives blocks above our head that do not follow it, in every view, so that they hide the true
    ones. They were made without work. It does not let itself be compared.
    """

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        if request.request_id < FIRST_REQUEST_ID:
            super().answer(peer, request)


class LuringOpenly(Stranger):
    """The same, but it answers: it has our head."""


class LuringInSecret(Stranger):
    """The same, but where it is compared it gives nothing above our head."""

    def answer(self, peer: PeerID, request: GetBlocksByView) -> None:
        if request.request_id < FIRST_REQUEST_ID:
            super().answer(peer, request)
        else:
            blocks = [block for block in self.chain.blocks if block.rlp in self.true]
            self.send_answer(peer, MemoryChain(blocks, SCHEME).fetch_blocks(request))

    true: FrozenSet[bytes] = frozenset()


@pytest.mark.parametrize("after", [0.0, 20.0], ids=["with them", "after them"])
@pytest.mark.parametrize("number", [1, 10, 30])
@pytest.mark.parametrize("other", ["our chain goes on", "another is better"])
@pytest.mark.parametrize("kind", [Luring, LuringOpenly, LuringInSecret])
async def test_who_gives_blocks_that_do_not_follow_does_not_hide_those_that_do(
    grow: Grow, kind: Type[Stranger], other: str, number: int, after: float
) -> None:
    branches = grow(5, (22, 8), (24, 4))
    true = read_chain(branches, 0).blocks
    source, index = (grow(5, (40, 8)), 0) if other == "our chain goes on" else (branches, 1)
    best = source.head(index)
    async with AsyncExitStack() as stack:
        network = MemoryNetwork(stack, branches.config, SCHEME)
        ours = await network.add("ours", branches.import_all(0))
        for place in range(number):
            views = range(true[-1].view + 1 + place, true[-1].view + 100)
            lure = encode_chain(views, bytes([place]) * 32, read_genesis(branches).timestamp)
            stranger = kind(f"stranger {place}", MemoryChain(true + lure, SCHEME))
            stranger.latency = 0.02
            if isinstance(stranger, LuringInSecret):
                stranger.true = frozenset(block.rlp for block in true)
            await stack.enter_async_context(stranger.run())
            ours.connect(stranger)
        node = await network.add("other", source.import_all(index))
        await asyncio.sleep(after)
        ours.connect(node)
        await ours.wait_for(best, MOST)
        assert ours.dropped == []
