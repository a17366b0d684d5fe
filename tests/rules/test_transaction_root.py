from typing import List

from eth.db.trie import _make_trie_root_and_nodes
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from blockio_plugin.rules.transaction_root import compute_transaction_root


def reference(transactions: List[bytes]) -> bytes:
    root, _ = _make_trie_root_and_nodes(tuple(transactions))
    return bytes(root)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=40))
@settings(max_examples=100)
def test_same_as_py_evm(transactions: List[bytes]) -> None:
    assert compute_transaction_root(transactions) == reference(transactions)


# Where the keys get one byte longer, and where branches of the trie fill up.
@pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 255, 256, 257, 300])
@pytest.mark.parametrize("size", [1, 200])
def test_same_as_py_evm_at_the_edges(count: int, size: int) -> None:
    transactions = [index.to_bytes(2, "big") + bytes(size) for index in range(count)]
    assert compute_transaction_root(transactions) == reference(transactions)


def test_order_matters() -> None:
    assert compute_transaction_root([b"a", b"b"]) != compute_transaction_root([b"b", b"a"])
