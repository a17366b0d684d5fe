"""What the importer makes of seals, uncles and a disk that is full, over chains made for it."""
from contextlib import contextmanager
import errno
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, cast

from eth.abc import BlockAPI, BlockHeaderAPI
from eth.chains.base import Chain
from eth.consensus.clique._utils import sign_block_header
from eth.db.atomic import AtomicDB
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey
from eth_utils import ValidationError
import pytest
import rlp
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.node.lean_chain import make_lean
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.tools.chain_builder import Recipe
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config

LENGTH = 8

SIGNER, STRANGER = PrivateKey(b"\1" * 32), PrivateKey(b"\2" * 32)

UNSEALED = bytes(32 + 65)
"""Extra data of a Clique header: 32 bytes of the signer's own, and place for a signature."""


def new_database(config: Eth1ChainConfig) -> AtomicDB:
    db = AtomicDB()
    initialize_chain(db, config)
    return db


def seal(header: BlockHeaderAPI, key: PrivateKey) -> BlockHeaderAPI:
    return sign_block_header(header.copy(extra_data=UNSEALED), key)


def mine(chain: Chain, header: BlockHeaderAPI, uncles: Sequence[BlockHeaderAPI] = ()) -> BlockAPI:
    """A block without transactions, not stored."""
    vm = chain.get_vm(header)
    filled, receipts, _ = vm.apply_all_transactions((), header)
    block = vm.set_block_transactions(vm.get_block(), filled, (), receipts)
    if uncles:
        uncles_hash = chain.chaindb.persist_uncles(cast(Any, tuple(uncles)))
        block = block.copy(
            uncles=tuple(uncles), header=block.header.copy(uncles_hash=uncles_hash)
        )
    return vm.finalize_block(block).block


def follow(chain: Chain, parent: BlockHeaderAPI, seconds: int, **fields: Any) -> BlockHeaderAPI:
    return chain.create_header_from_parent(
        parent, timestamp=parent.timestamp + seconds, gas_limit=parent.gas_limit, **fields
    )


@pytest.fixture
def clique(recipe: Recipe, tmp_path: Path) -> Eth1ChainConfig:
    genesis = json.loads(recipe.genesis.read_text())
    genesis["params"]["miningMethod"] = "Clique"
    signer = SIGNER.public_key.to_canonical_address()
    genesis["genesis"].update(
        difficulty="0x1",
        extraData="0x" + (bytes(32) + signer + bytes(65)).hex(),
        nonce="0x0000000000000000",
    )
    path = tmp_path / "genesis.json"
    path.write_text(json.dumps(genesis))
    return read_chain_config(path)


def mine_clique(config: Eth1ChainConfig) -> List[BlockAPI]:
    chain = config.full_chain_class(new_database(config))
    parent, blocks = chain.get_canonical_head(), []
    for _ in range(LENGTH):
        header = follow(chain, parent, 15, difficulty=2, extra_data=UNSEALED, nonce=bytes(8))
        block = mine(chain, seal(header, SIGNER))
        block = block.copy(header=seal(block.header, SIGNER))
        chain.import_block(block)
        blocks.append(block)
        parent = block.header
    return blocks


@pytest.mark.parametrize("position", range(LENGTH))
def test_a_seal_of_a_stranger_is_refused(clique: Eth1ChainConfig, position: int) -> None:
    blocks = mine_clique(clique)
    good = [rlp.encode(block) for block in blocks]
    forged = blocks[position].copy(header=seal(blocks[position].header, STRANGER))
    db = new_database(clique)
    importer = BlockImporter(db, clique.full_chain_class, NumberScheme())
    result = importer.import_blocks(
        [*good[:position], rlp.encode(forged), *good[position + 1:]]
    ).result
    assert result.failure is not None
    assert (result.imported, result.failure.block_hash) == (position, forged.hash)
    # What it had looked at of the forged block does not stand in the way of the right one.
    result = importer.import_blocks(good).result
    assert (result.imported, result.failure) == (LENGTH - position, None)
    assert result.head.hash == blocks[-1].hash


def test_uncles(config: Eth1ChainConfig) -> None:
    chain = config.full_chain_class(new_database(config))
    genesis = chain.get_canonical_head()
    first, sibling = (mine(chain, follow(chain, genesis, seconds)) for seconds in (10, 20))
    chain.import_block(first)
    nephew = mine(chain, follow(chain, first.header, 10), [sibling.header])
    own = mine(chain, follow(chain, first.header, 10), [first.header])
    early = mine(chain, follow(chain, first.header, 10), [genesis])
    unknown = sibling.header.copy(parent_hash=b"\1" * 32)
    orphan = mine(chain, follow(chain, first.header, 10), [unknown])
    twice = mine(chain, follow(chain, first.header, 10), [sibling.header, sibling.header])
    importer = BlockImporter(new_database(config), config.full_chain_class, NumberScheme())
    assert importer.import_blocks([rlp.encode(first)]).result.failure is None
    for wrong in (own, early, orphan, twice):
        failure = importer.import_blocks([rlp.encode(wrong)]).result.failure
        assert failure is not None and failure.block_hash == wrong.hash
    result = importer.import_blocks([rlp.encode(nephew)]).result
    assert result.failure is None
    assert result.head.hash == nephew.hash
    # The uncle is no block of ours; as a branch it may still come.
    assert importer.import_blocks([rlp.encode(sibling)]).result.head.hash == nephew.hash


@pytest.mark.parametrize("change", [{"block_number": 10 ** 12}, {"difficulty": 0}], ids=str)
def test_uncles_far_off_cost_nothing(
    config: Eth1ChainConfig, monkeypatch: pytest.MonkeyPatch, change: Dict[str, int]
) -> None:
    """py-evm would look at their seals, which for such a number ends the process."""
    chain = config.full_chain_class(new_database(config))
    genesis = chain.get_canonical_head()
    first, sibling = (mine(chain, follow(chain, genesis, seconds)) for seconds in (10, 20))
    chain.import_block(first)
    nephew = mine(chain, follow(chain, first.header, 10), [sibling.header])
    uncle = sibling.header.copy(**change)
    wrong = nephew.copy(
        uncles=(uncle,), header=nephew.header.copy(uncles_hash=keccak(rlp.encode((uncle,))))
    )
    # Rewards depend on the number, so that such a block is refused before its uncles are looked at.
    importer = BlockImporter(new_database(config), config.full_chain_class, NumberScheme())
    monkeypatch.setattr(Chain, "validate_seal", lambda *_: pytest.fail("looked at a seal"))
    lean = make_lean(config.full_chain_class)(new_database(config))
    with pytest.raises(ValidationError, match="block 2 has an uncle"):
        lean.validate_uncles(wrong)
    failure = importer.import_blocks([rlp.encode(first), rlp.encode(wrong)]).result.failure
    assert failure is not None and failure.is_invalid


def extend(config: Eth1ChainConfig, blocks: Sequence[BlockAPI], **fields: Any) -> BlockAPI:
    """A block on a Clique chain, but for some fields of its header as it has to be."""
    chain = config.full_chain_class(new_database(config))
    for block in blocks:
        chain.import_block(block)
    fields = {"difficulty": 2, "extra_data": UNSEALED, "nonce": bytes(8), **fields}
    seconds = fields.pop("seconds", 15)
    header = seal(follow(chain, blocks[-1].header, seconds, **fields), SIGNER)
    block = mine(chain, header)
    return block.copy(header=seal(block.header, SIGNER))


def test_what_is_wrong_with_a_clique_block_and_what_is_not(clique: Eth1ChainConfig) -> None:
    blocks = mine_clique(clique)
    early = extend(clique, blocks, seconds=10 ** 9)
    right = extend(clique, blocks)
    unsigned = right.copy(header=right.header.copy(extra_data=bytes(32) + b"\xff" * 65))
    # The stock rules of Clique raise a TypeError where an uncle would have to be rewarded.
    uncle = blocks[-2].header
    nephew = right.copy(
        uncles=(uncle,), header=right.header.copy(uncles_hash=keccak(rlp.encode((uncle,))))
    )
    db = new_database(clique)
    importer = BlockImporter(db, clique.full_chain_class, NumberScheme())
    assert importer.import_blocks(map(rlp.encode, blocks)).result.failure is None
    for wrong, is_invalid, reason in (
        (early, False, "future timestamp"),
        (unsigned, True, "BadSignature"),
        (nephew, False, "TypeError"),
        (early, False, "future timestamp"),
    ):
        failure = importer.import_blocks([rlp.encode(wrong)]).result.failure
        assert failure is not None and failure.block_hash == wrong.hash
        assert (reason in failure.reason, failure.is_invalid) == (True, is_invalid)
    assert importer.import_blocks([rlp.encode(right)]).result.head.hash == right.hash


class FullDisk(AtomicDB):
    """Takes nothing any more once ``is_full``."""

    is_full = False

    @contextmanager
    def atomic_batch(self) -> Iterator[Any]:
        with super().atomic_batch() as batch:
            yield batch
            if self.is_full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_loses_nothing_that_was_reported(built: Any, config: Eth1ChainConfig) -> None:
    db = FullDisk()
    initialize_chain(db, config)
    importer = BlockImporter(db, config.full_chain_class, NumberScheme())
    head = importer.import_blocks(built.blocks[1:21]).result.head
    db.is_full = True
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        importer.import_blocks(built.blocks[21:41])
    db.is_full = False
    again = BlockImporter(db, config.full_chain_class, NumberScheme())
    assert again.fetch_head() == head
    assert again.import_blocks(built.blocks[21:41]).result.imported == 20
