"""What a fetch is given and gives back: its bounds, where it stands, what an answer brought."""
from typing import NamedTuple, Tuple

from blockio_plugin.rules.blocks import Block

DEFAULT_CACHE_BYTES = 64 * 1024 * 1024
"""Bytes of blocks that a cache holds, by default."""

DEFAULT_OPEN_REQUESTS = 1024
"""Open requests of all peers together, by default."""


class Limits(NamedTuple):
    """
    Bounds of a fetch: bytes of cached blocks; views past the front that may be asked for or held
    (0: no bound); open requests.
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
