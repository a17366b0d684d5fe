"""
The memory for blocks: one budget, and how it is divided. And what a fetch is given and gives back.

Each place between the wire and the database that holds blocks has one share. No place holds more
than its share, so all of them together never hold more than the budget.
"""
from typing import NamedTuple, Tuple

from blockio_plugin.rules.blocks import Block

MIB = 1024 * 1024
"""Bytes in a MiB."""

DEFAULT_MEMORY = 256 * MIB
"""Bytes of memory for blocks in all, by default."""

LARGEST_ANSWER = 16 * MIB
"""Bytes of an answer, most (wire protocol). Each place has to have room for one such answer, or
what it holds would never come through."""

DEFAULT_OPEN_REQUESTS = 1024
"""Open requests of all peers together, by default."""


class TooLittleMemory(ValueError):
    """A budget does not suffice for the largest answer in each place. The message says how much
    does."""


class MemoryBudget(NamedTuple):
    """The shares, in bytes. ``divide`` makes them."""

    outbox: int
    """Networking: answers of peers until block I/O takes them off the bus."""

    serving: int
    """Networking: our answers until peers take them off the connections, all of them together."""

    inbox: int
    """Block I/O: answers until they are decoded, the one that is being decoded included."""

    cache: int
    """Block I/O: decoded blocks until they are imported."""

    fetches: int
    """Block I/O: blocks of fetches for others, what is remembered of their links, and their copies
    on the bus."""

    branches: int
    """Block I/O: blocks of other branches until they are imported."""

    backfill: int
    """Block I/O: fetched blocks until what lies above them links to them."""

    importing: int
    """The importing process: batches that it was handed."""

    writes: int
    """The importing process: what blocks have written until it goes to the database."""

    @property
    def total(self) -> int:
        """The sum of all shares."""
        return sum(self)

    @classmethod
    def divide(cls, total: int = DEFAULT_MEMORY) -> "MemoryBudget":
        """
        Shares that add up to ``total`` bytes. Each place gets the least that works. What is left
        goes to those that are faster with more, by ``_PORTIONS``.

        :raise TooLittleMemory: where ``total`` is below ``LEAST_MEMORY``
        """
        if total < LEAST_MEMORY:
            raise TooLittleMemory(
                f"{LEAST_MEMORY // MIB} MiB are the least: each place that holds blocks must have "
                f"room for the largest answer of a peer, {LARGEST_ANSWER // MIB} MiB"
            )
        rest = total - LEAST_MEMORY
        shares = [
            least + rest * portion // sum(_PORTIONS) for least, portion in zip(_LEAST, _PORTIONS)
        ]
        budget = cls(*shares)
        return budget._replace(cache=budget.cache + total - budget.total)


_LEAST = MemoryBudget(*[LARGEST_ANSWER] * len(MemoryBudget._fields))._replace(
    # Two thirds of it are for blocks.
    fetches=2 * LARGEST_ANSWER
)

_PORTIONS = MemoryBudget(
    # A second's worth of decoding small blocks, with the inbox.
    outbox=1,
    # A slow connection leaves others their part.
    serving=2,
    inbox=1,
    # What is fetched ahead of what is next to be imported, and may be far up.
    cache=6,
    # A part for each of 32 fetches.
    fetches=2,
    # These three are as fast with one answer as with many.
    branches=0,
    backfill=0,
    importing=0,
    # More than this saves nothing: writing is under a hundredth of the work of importing.
    writes=0,
)

LEAST_MEMORY = _LEAST.total
"""Bytes of memory for blocks in all, least: the largest answer in each place."""

DEFAULT_CACHE_BYTES = MemoryBudget.divide().cache
"""Bytes that a cache holds, by default."""


class Limits(NamedTuple):
    """
    Bounds of a fetch: bytes of memory for cached blocks; views past the front that may be asked for
    or held (0: no bound); open requests.
    """

    cache_bytes: int = DEFAULT_CACHE_BYTES
    window: int = 0
    open_requests: int = DEFAULT_OPEN_REQUESTS


class Front(NamedTuple):
    """The lowest unresolved view, and the hash of the highest linked block below it."""

    view: int
    hash: bytes


class Receipt(NamedTuple):
    """What an answer brought: new blocks, how many we had, and whether it had timed out."""

    fresh: Tuple[Block, ...]
    duplicates: int
    is_late: bool
