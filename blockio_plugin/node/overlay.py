"""
A chain database in memory on top of one that is slow to reach.

In Trinity the chain database belongs to another process: each key costs a round trip, one atomic
batch costs one. So reads go through a cache, writes stay here until ``commit``, and what a block
that turns out invalid has written can be taken back.
"""
from contextlib import contextmanager
from typing import Dict, Iterator, List, Optional

from eth.abc import AtomicDatabaseAPI, AtomicWriteBatchAPI
from eth.db.backends.base import BaseAtomicDB
from typing_extensions import Final

CACHE_SIZE = 16 * 1024 * 1024
"""Bytes of keys and values kept of what was read or committed, most. The trie nodes and headers
that the next blocks touch fit easily; a larger one only repeats LevelDB's own cache."""

ENTRY_OVERHEAD = 150
"""Bytes that CPython 3.8 takes for one entry beside its key and value: two headers and a slot."""

CONTENT_KEY_SIZE: Final = 32
"""Bytes of a key that is the hash of its value: headers, trie nodes, code, uncles."""


class _NotWritten:
    """What stood under a key before: nothing that we wrote."""


_NOT_WRITTEN: Final = _NotWritten()

_Changes = Dict[bytes, Optional[bytes]]
"""New values; None where the key is deleted."""


class OverlayDB(BaseAtomicDB, AtomicWriteBatchAPI):
    """
    Reads through to ``base``; writes to it in ``commit`` alone, all at once.

    Batches nest. What happens inside one is seen at once by every reader, and taken back if it ends
    by an exception; so the import of one block is a batch around py-evm's own.

    Only content-addressed entries stay in the cache after a commit, since they are true whoever
    else writes to the database.
    """

    def __init__(self, base: AtomicDatabaseAPI, cache_size: int = CACHE_SIZE) -> None:
        self._base = base
        self._pending: _Changes = {}
        self._size = 0
        self._undo: List[Dict[bytes, object]] = []
        self._read: Dict[bytes, bytes] = {}
        self._cache = _ContentCache(cache_size)

    @property
    def size(self) -> int:
        """
        Bytes held until the next ``commit`` or ``discard``, roughly and at most: a value that was
        overwritten counts again. The cache, which has a bound of its own, is not counted.
        """
        return self._size

    def commit(self) -> None:
        """Write everything to the base in one atomic batch, or nothing where that fails."""
        if self._undo:
            raise RuntimeError("commit inside a batch")
        if self._pending:
            with self._base.atomic_batch() as batch:
                for key, value in self._pending.items():
                    if value is None:
                        batch.delete(key)
                    else:
                        batch[key] = value
        for key, value in self._pending.items():
            if value is None:
                self._cache.drop(key)
            elif len(key) == CONTENT_KEY_SIZE:
                self._cache.add(key, value)
        self._forget()

    def discard(self) -> None:
        """Take back everything since the last ``commit``."""
        if self._undo:
            raise RuntimeError("discard inside a batch")
        self._forget()

    def _forget(self) -> None:
        self._pending = {}
        self._size = 0
        self._read.clear()

    def __getitem__(self, key: bytes) -> bytes:
        try:
            value = self._pending[key]
        except KeyError:
            return self._fetch(key)
        if value is None:
            raise KeyError(key)
        return value

    def _fetch(self, key: bytes) -> bytes:
        if len(key) == CONTENT_KEY_SIZE:
            found = self._cache.get(key)
            if found is None:
                found = self._base[key]
                self._cache.add(key, found)
            return found
        try:
            return self._read[key]
        except KeyError:
            found = self._read[key] = self._base[key]
            self._size += len(key) + len(found) + ENTRY_OVERHEAD
            return found

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._write(key, value)

    def __delitem__(self, key: bytes) -> None:
        if key not in self:
            raise KeyError(key)
        self._write(key, None)

    def _write(self, key: bytes, value: Optional[bytes]) -> None:
        if self._undo:
            self._undo[-1].setdefault(key, self._pending.get(key, _NOT_WRITTEN))
        self._pending[key] = value
        self._size += len(key) + (0 if value is None else len(value)) + ENTRY_OVERHEAD

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    @contextmanager
    def atomic_batch(self) -> Iterator["OverlayDB"]:
        """Changes that stay if the context ends well, and are taken back if it raises."""
        undo: Dict[bytes, object] = {}
        size = self._size
        self._undo.append(undo)
        try:
            yield self
        except BaseException:
            self._undo.pop()
            self._restore(undo)
            self._size = size
            raise
        self._undo.pop()
        if self._undo:
            outer = self._undo[-1]
            for key, before in undo.items():
                outer.setdefault(key, before)

    def _restore(self, undo: Dict[bytes, object]) -> None:
        for key, before in undo.items():
            if before is None or isinstance(before, bytes):
                self._pending[key] = before
            else:
                del self._pending[key]


class _ContentCache:
    """
    Entries that never change, within a bound in bytes. Two generations: what was used since the
    last turn survives the next one. As good as least recently used here, at a fraction of its cost.
    """

    def __init__(self, size: int) -> None:
        self._limit = size // 2
        self._young: Dict[bytes, bytes] = {}
        self._old: Dict[bytes, bytes] = {}
        self._young_size = 0

    def get(self, key: bytes) -> Optional[bytes]:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.add(key, value)
        return value

    def add(self, key: bytes, value: bytes) -> None:
        if key in self._young:
            return
        size = len(key) + len(value) + ENTRY_OVERHEAD
        if self._young_size + size > self._limit:
            self._old, self._young, self._young_size = self._young, {}, 0
        if size <= self._limit:
            self._young[key] = value
            self._young_size += size

    def drop(self, key: bytes) -> None:
        value = self._young.pop(key, None)
        if value is not None:
            self._young_size -= len(key) + len(value) + ENTRY_OVERHEAD
        self._old.pop(key, None)
