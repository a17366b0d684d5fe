"""
Published consensus tests: chains with branches, uncles and blocks that are wrong in all ways.

They are not part of the repository: BLOCKIO_CONSENSUS_TESTS names a directory of JSON files as in
``BlockchainTests`` of the tests that all clients share. Files of before 2017 do not say which rules
their chains follow; the name of their folder does.
"""
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

from eth.chains.base import Chain
from eth.chains.mainnet import MainnetChain
from eth.db.atomic import AtomicDB
from eth.tools._utils.normalization import normalize_blockchain_fixtures
from eth.tools.fixtures.helpers import genesis_params_from_fixture, new_chain_from_fixture
from eth_typing import BlockNumber
import pytest
import rlp

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.rules.schemes import NumberScheme

VARIABLE = "BLOCKIO_CONSENSUS_TESTS"

FOLDERS = {
    "Homestead": "Homestead",
    "EIP150": "EIP150",
    "TestNetwork": "TestNetwork",
    "bcSimpleTransitionTest.json": "FrontierToHomesteadAt5",
}
"""The rules of old files by the name of their folder or by their own; all others are Frontier's."""

KNOWN_RULES = frozenset(
    {
        "Frontier",
        "Homestead",
        "EIP150",
        "EIP158",
        "Byzantium",
        "ConstantinopleFix",
        "Istanbul",
        "Berlin",
        "FrontierToHomesteadAt5",
        "HomesteadToEIP150At5",
        "EIP158ToByzantiumAt5",
        "ByzantiumToConstantinopleFixAt5",
    }
)
"""Rules that py-evm's tools know. ``TestNetwork`` changes them at blocks 5, 8 and 10."""


# It takes four minutes for those of 2016.
FILES = sorted(Path(os.environ[VARIABLE]).rglob("*.json")) if VARIABLE in os.environ else []


def read_cases(path: Path) -> Iterator[Tuple[str, Dict[str, Any]]]:
    for name, case in json.loads(path.read_text()).items():
        if not isinstance(case, dict) or "blocks" not in case:
            continue
        default = FOLDERS.get(path.name, FOLDERS.get(path.parent.name, "Frontier"))
        if case.setdefault("network", default) in KNOWN_RULES:
            yield name, case


def read_bytes(block: Dict[str, Any]) -> bytes:
    """The block's RLP; some are no hexadecimal digits at all."""
    try:
        return bytes.fromhex(block["rlp"][len("0x"):])
    except ValueError:
        return b""


def import_alone(chain: Chain, encoded: bytes) -> bool:
    """Whether py-evm by itself takes the block."""
    try:
        number = int.from_bytes(rlp.decode(encoded)[0][8], "big")
        block_class = chain.get_vm_class_for_block_number(BlockNumber(number)).get_block_class()
        chain.import_block(rlp.decode(encoded, sedes=block_class))
    except Exception:
        return False
    return True


@pytest.mark.skipif(not FILES, reason=f"{VARIABLE} names no directory of published tests")
@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.stem}" for path in FILES])
def test_every_block_and_the_head(path: Path) -> None:
    for name, raw in read_cases(path):
        case = normalize_blockchain_fixtures(raw)
        alone: Any = new_chain_from_fixture(case, MainnetChain)
        db = AtomicDB()
        type(alone).from_genesis(db, genesis_params_from_fixture(case), case["pre"])
        importer = BlockImporter(db, type(alone), NumberScheme())
        for index, block in enumerate(raw["blocks"]):
            encoded = read_bytes(block)
            is_taken = import_alone(alone, encoded)
            failure = importer.import_blocks([encoded]).result.failure
            assert (failure is None) == is_taken, f"{name}, block {index}: {failure}"
            if "blockHeader" in block:
                assert is_taken, f"{name}, block {index}: {failure}"
            head = alone.get_canonical_head()
            assert importer.fetch_head().hash == head.hash, f"{name} after block {index}"
        assert head.hash == case["lastblockhash"], name
