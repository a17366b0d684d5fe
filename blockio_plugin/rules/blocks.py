"""A block as fetching sees it: where it sits, what it links to, and its bytes."""
from typing import NamedTuple


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
