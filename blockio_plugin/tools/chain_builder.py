"""
Mines a chain from a recipe, with py-evm: transfers, skipped slots, every block valid.

The same recipe gives the same blocks on every run and machine; a shorter chain is a prefix.
"""
from pathlib import Path
import random
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Tuple

from eth.abc import AtomicDatabaseAPI, SignedTransactionAPI, VirtualMachineAPI
from eth.chains.base import Chain
from eth_keys.datatypes import PrivateKey
from eth_typing import Address, BlockNumber
import tomli

from blockio_plugin.node.overlay import OverlayDB
from blockio_plugin.node.stored_blocks import StoredBlocks
from blockio_plugin.rules.schemes import parse_scheme
from blockio_plugin.tools.chain_files import Progress, initialize_chain, read_chain_config
from blockio_plugin.tools.data_dir import open_data_dir

TRANSFER_GAS = 21_000
"""Gas of a plain transfer."""

GAS_PRICE = 1
"""Wei per gas. Nobody competes for room in these blocks."""

COMMIT_SIZE = 16 * 1024 * 1024
"""Bytes mined, most, before they are written to the database."""

PROGRESS_INTERVAL = 50
"""Blocks between two calls of the progress callback."""


class Recipe(NamedTuple):
    """What a chain is built from; see ``fixtures/demo/chain.toml`` for what each field does."""

    genesis: Path
    blocks: int
    seed: int
    slot_seconds: int
    skip_probability: float
    transfer_every: int
    transfers: int
    sender_key: PrivateKey

    @property
    def network_id(self) -> int:
        """The network id of its nodes: the chain id of the genesis."""
        chain_id: int = read_chain_config(self.genesis).chain_id
        return chain_id

    @property
    def scheme(self) -> str:
        """The name of the view scheme that the chain keeps to, beside ``number``."""
        return f"slot:{self.slot_seconds}"


def read_recipe(path: Path) -> Recipe:
    """
    Read a recipe in TOML. Its genesis is looked for beside it.

    :raise KeyError: a field is missing
    :raise ValueError: a field makes no sense
    """
    with path.open("rb") as file:
        fields: Mapping[str, Any] = tomli.load(file)
    recipe = Recipe(
        genesis=path.parent / fields["genesis"],
        blocks=fields["blocks"],
        seed=fields["seed"],
        slot_seconds=fields["slot_seconds"],
        skip_probability=fields["skip_probability"],
        transfer_every=fields["transfer_every"],
        transfers=fields["transfers"],
        sender_key=PrivateKey(bytes.fromhex(fields["sender_key"])),
    )
    if not 0 <= recipe.skip_probability < 1:
        raise ValueError("skip_probability has to be at least 0 and below 1")
    if recipe.slot_seconds < 1 or recipe.transfer_every < 1:
        raise ValueError("slot_seconds and transfer_every have to be at least 1")
    return recipe


def build_chain(
    recipe: Recipe,
    db: AtomicDatabaseAPI,
    blocks: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> Chain:
    """
    Mine on the head of the chain in ``db`` until there are as many blocks as the recipe says, and
    give that chain. An empty ``db`` gets the genesis first.

    :param blocks: the number of the last block, in the place of the recipe's
    """
    config = read_chain_config(recipe.genesis)
    initialize_chain(db, config)
    overlay = OverlayDB(db)
    miner = _Miner(recipe, config.full_chain_class(overlay))
    last = recipe.blocks if blocks is None else blocks
    while miner.number < last:
        miner.mine()
        if overlay.size >= COMMIT_SIZE:
            overlay.commit()
        if progress is not None and (miner.number % PROGRESS_INTERVAL == 0 or miner.number == last):
            progress(miner.number, last)
    overlay.commit()
    chain: Chain = config.full_chain_class(db)
    return chain


def build_data_dir(
    recipe: Recipe,
    data_dir: Path,
    blocks: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> bytes:
    """
    Mine into a data directory that a node then starts on; see :func:`build_chain`.

    :return: the hash of the head
    """
    with open_data_dir(data_dir, recipe.genesis, recipe.network_id) as db:
        head_hash: bytes = build_chain(recipe, db, blocks, progress).get_canonical_head().hash
        return head_hash


def iterate_blocks(db: AtomicDatabaseAPI, first: int, last: int) -> Iterator[bytes]:
    """The RLP of the canonical blocks ``first`` to ``last``, both inclusive."""
    stored = StoredBlocks(db)
    for number in range(first, last + 1):
        yield stored.fetch_block(stored.fetch_canonical_header(number))


class _Miner:
    """
    Puts one block after the other on the head of a chain. What is random in a block depends on the
    seed and its number alone, so it does not matter where mining was interrupted.
    """

    def __init__(self, recipe: Recipe, chain: Chain) -> None:
        self._recipe = recipe
        self._chain = chain
        self._parent = chain.get_canonical_head()
        genesis = chain.get_canonical_block_header_by_number(BlockNumber(0))
        self._genesis_timestamp = genesis.timestamp
        self._scheme = parse_scheme(recipe.scheme).bind(genesis)
        self._sender = recipe.sender_key.public_key.to_canonical_address()

    @property
    def number(self) -> int:
        """The number of the head."""
        return self._parent.block_number

    def mine(self) -> None:
        number = self.number + 1
        source = random.Random(f"{self._recipe.seed}:{number}")
        header = self._chain.create_header_from_parent(
            self._parent,
            timestamp=self._draw_timestamp(source),
            gas_limit=self._parent.gas_limit,
        )
        vm = self._chain.get_vm(header)
        transactions: Tuple[SignedTransactionAPI, ...] = ()
        if number % self._recipe.transfer_every == 0:
            transactions = tuple(self._draw_transfers(vm, source))
        filled_header, receipts, _ = vm.apply_all_transactions(transactions, header)
        block = vm.set_block_transactions(vm.get_block(), filled_header, transactions, receipts)
        mined = vm.mine_block(block).block
        # Chain.persist_block would validate once more what mining has validated, and read it back.
        self._chain.chaindb.persist_block(mined)
        self._parent = mined.header

    def _draw_timestamp(self, source: random.Random) -> int:
        view = self._scheme.view_of(self._parent) + 1
        while source.random() < self._recipe.skip_probability:
            view += 1
        seconds = self._recipe.slot_seconds
        return self._genesis_timestamp + view * seconds + source.randrange(seconds)

    def _draw_transfers(
        self, vm: VirtualMachineAPI, source: random.Random
    ) -> Iterator[SignedTransactionAPI]:
        first_nonce = vm.state.get_nonce(self._sender)
        for nonce in range(first_nonce, first_nonce + self._recipe.transfers):
            transaction = vm.create_unsigned_transaction(
                nonce=nonce,
                gas_price=GAS_PRICE,
                gas=TRANSFER_GAS,
                to=Address(source.getrandbits(160).to_bytes(20, "big")),
                value=source.randrange(1, 10 ** 15),
                data=b"",
            )
            # py-evm's interface lacks chain_id, which transactions of all recent forks have.
            yield transaction.as_signed_transaction(  # type: ignore[call-arg]
                self._recipe.sender_key, chain_id=self._chain.chain_id
            )
