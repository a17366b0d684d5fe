"""Blocks that are wrong in ways that a stranger may think of: each is found to be its own fault."""
import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
import rlp
from trinity.config import Eth1ChainConfig

from blockio_plugin.node.block_importer import BlockImporter
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.rules.transaction_root import compute_transaction_root
from blockio_plugin.tools.chain_builder import Recipe, build_chain, iterate_blocks
from blockio_plugin.tools.chain_files import initialize_chain, read_chain_config

LENGTH = 6
"""Blocks of a chain above genesis; the even ones have transactions."""

HEADER_FIELDS, TRANSACTION_FIELDS = 15, 9

PARENT, UNCLES_HASH, TRANSACTION_ROOT = 0, 1, 4
"""Where these are in a header."""


class Part(NamedTuple):
    """A chain, and what its database holds before each of its blocks."""

    config: Eth1ChainConfig
    blocks: Tuple[bytes, ...]
    states: Tuple[Dict[bytes, bytes], ...]


@pytest.fixture(scope="module")
def chains(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Part]:
    """Of rules without and with typed transactions."""
    made = {}
    for rules in ("istanbul", "berlin"):
        genesis = json.loads(recipe.genesis.read_text())
        del genesis["params"]["istanbulForkBlock"]
        genesis["params"][f"{rules}ForkBlock"] = "0x0"
        path: Path = tmp_path_factory.mktemp(rules) / "genesis.json"
        path.write_text(json.dumps(genesis))
        made[rules] = build(recipe._replace(genesis=path, transfer_every=2, transfers=3))
    return made


def build(recipe: Recipe) -> Part:
    config = read_chain_config(recipe.genesis)
    source, db = AtomicDB(), AtomicDB()
    build_chain(recipe, source, LENGTH)
    initialize_chain(db, config)
    importer = BlockImporter(db, config.full_chain_class, NumberScheme())
    blocks = tuple(iterate_blocks(source, 1, LENGTH))
    states = []
    for block in blocks:
        states.append(dict(db.wrapped_db.kv_store))  # type: ignore[attr-defined]
        assert importer.import_blocks([block]).result.failure is None
    return Part(config, blocks, tuple(states))


sizes = st.sampled_from((0, 1, 8, 9, 19, 20, 21, 31, 32, 33, 64, 255, 256, 257, 1000))
fields = (
    sizes.map(bytes)
    | sizes.map(lambda size: b"\xff" * size)
    | sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))
    | st.integers(0, 2 ** 256).map(lambda n: n.to_bytes(33, "big").lstrip(b"\0"))
    | st.sampled_from(([], [b""], [[b"x"]], [bytes(32)] * 3))
)
typed = st.sampled_from((b"\x01", b"\x01\xc0", b"\x01\xf8", b"\x02\xc0", b"\x7f", b"\x80", b"\xff"))
added = typed | st.sampled_from(
    (
        [b""] * 8,
        [b""] * TRANSACTION_FIELDS,
        # It is signed by somebody, who has nothing.
        [b"", b"\1", b"\x52\x08", bytes(20), b"", b"", b"\x1b", b"\1" * 32, b"\2" * 32],
        [b"", b"\1", b"\xff" * 32, b"", b"\xff" * 32, b"\x5b\x56", b"\x1b", b"\1" * 32, b"\2" * 32],
    )
)
changes = st.lists(
    st.tuples(st.just("header"), st.integers(0, HEADER_FIELDS - 1), fields)
    | st.tuples(st.just("transaction"), st.integers(0, TRANSACTION_FIELDS - 1), fields | typed)
    | st.tuples(st.just("add"), st.just(0), added)
    | st.tuples(st.just("uncle"), st.integers(0, HEADER_FIELDS - 1), st.none() | fields),
    min_size=1,
    max_size=3,
)


def change(encoded: bytes, changes: Sequence[Tuple[str, int, Any]], keeps_roots: bool) -> List[Any]:
    header, transactions, uncles = decode(encoded)
    for what, index, value in changes:
        if what == "header":
            header[index] = value
        elif what == "add":
            transactions.append(value)
        elif what == "transaction" and transactions:
            if isinstance(transactions[0], list):
                transactions[0][index] = value
        elif what == "uncle":
            uncle = decode(encoded)[0]
            if value is not None:
                uncle[index] = value
            uncles.append(uncle)
    if not keeps_roots:
        # Who makes such a block makes its header fit.
        header[TRANSACTION_ROOT] = compute_transaction_root(
            [rlp.encode(item) if isinstance(item, list) else item for item in transactions]
        )
        header[UNCLES_HASH] = keccak(rlp.encode(uncles))
    return [header, transactions, uncles]


def decode(encoded: bytes) -> List[Any]:
    return json_like(rlp.decode(encoded))


def json_like(item: Any) -> Any:
    return [json_like(part) for part in item] if isinstance(item, (list, tuple)) else item


@pytest.mark.parametrize("rules", ["istanbul", "berlin"])
def test_what_is_wrong_with_a_block_is_its_fault(chains: Dict[str, Part], rules: str) -> None:
    part = chains[rules]

    @settings(max_examples=5 * settings().max_examples)
    @given(st.integers(0, LENGTH - 1), changes, st.booleans())
    def check(place: int, changes: Sequence[Tuple[str, int, Any]], keeps_roots: bool) -> None:
        block = change(part.blocks[place], changes, keeps_roots)
        db = AtomicDB(MemoryDB(dict(part.states[place])))
        importer = BlockImporter(db, part.config.full_chain_class, NumberScheme())
        parent = decode(part.blocks[place])[0][PARENT]
        result = importer.import_blocks([rlp.encode(block)]).result
        if result.failure is not None and not result.failure.is_invalid:
            # It follows another block than the one that we hold.
            assert block[0][PARENT] != parent
            assert "is not held" in result.failure.reason
        # Nothing of it stands in the way of the right one.
        follows = importer.import_blocks([part.blocks[place]]).result
        assert follows.failure is None

    check()
