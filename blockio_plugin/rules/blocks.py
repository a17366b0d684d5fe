"""A block as fetching sees it: where it sits, what it links to, and its bytes."""
from typing import NamedTuple

BLOCK_OVERHEAD = 400
"""
Bytes of memory of a block beside its encoding, rounded up: its fields and their places in the books
of a fetch (CPython 3.8, by tracemalloc). The smallest blocks of Ethereum take some 540 bytes, so it
cannot be left out.
"""


class Block(NamedTuple):
    """
    One block of the chain, decoded as far as fetching needs it.

    ``rlp`` is the encoding of ``[header, transactions, uncles]`` as it came off the wire. ``hash``
    and ``parent_hash`` link it to its neighbours. ``view`` follows from the header by the scheme.
    """

    view: int
    number: int
    hash: bytes
    parent_hash: bytes
    rlp: bytes

    @property
    def memory(self) -> int:
        """Bytes of memory that it takes."""
        return len(self.rlp) + BLOCK_OVERHEAD
