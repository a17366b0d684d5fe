from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

from eth.abc import AtomicWriteBatchAPI
from eth.db.atomic import AtomicDB
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule
import pytest

from blockio_plugin.node.overlay import OverlayDB

CONTENT_KEYS = [bytes([n]) * 32 for n in range(4)]
OTHER_KEYS = [b"v1:head", b"block-number-to-hash:1"]
KEYS = CONTENT_KEYS + OTHER_KEYS


class CountingDB(AtomicDB):
    """A database in memory that counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.batches = 0

    def __getitem__(self, key: bytes) -> bytes:
        self.reads += 1
        return super().__getitem__(key)

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicWriteBatchAPI]:
        self.batches += 1
        with super().atomic_batch() as batch:
            yield batch

    def content(self) -> Dict[bytes, bytes]:
        return dict(self.wrapped_db.kv_store)  # type: ignore[attr-defined]


class Abort(Exception):
    pass


class OverlayMachine(RuleBasedStateMachine):
    """An overlay against plain dictionaries: one for what is committed, one for each open batch."""

    def __init__(self) -> None:
        super().__init__()
        self.base = CountingDB()
        self.overlay = OverlayDB(self.base, cache_size=1200)
        self.committed: Dict[bytes, bytes] = {}
        self.layers: List[Dict[bytes, bytes]] = [{}]
        self.batches: List[Any] = []

    keys = Bundle("keys")

    @rule(target=keys, key=st.sampled_from(KEYS))
    def pick(self, key: bytes) -> bytes:
        return key

    @rule(key=keys, value=st.binary(max_size=8))
    def write(self, key: bytes, value: bytes) -> None:
        # What is content-addressed never changes, which is all that the cache relies on.
        value = key[:4] if len(key) == 32 else value
        self.overlay[key] = value
        self.layers[-1][key] = value

    @rule(key=keys)
    def read(self, key: bytes) -> None:
        assert self.overlay.get(key) == self.layers[-1].get(key)
        assert (key in self.overlay) == (key in self.layers[-1])

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        if key in self.layers[-1]:
            del self.overlay[key]
            del self.layers[-1][key]
        else:
            with pytest.raises(KeyError):
                del self.overlay[key]

    @rule()
    @precondition(lambda self: len(self.layers) < 4)
    def enter(self) -> None:
        batch = self.overlay.atomic_batch()
        assert batch.__enter__() is self.overlay
        self.batches.append(batch)
        self.layers.append(dict(self.layers[-1]))

    @rule()
    @precondition(lambda self: self.batches)
    def leave(self) -> None:
        self.batches.pop().__exit__(None, None, None)
        top = self.layers.pop()
        self.layers[-1] = top

    @rule()
    @precondition(lambda self: self.batches)
    def abort(self) -> None:
        assert not self.batches.pop().__exit__(Abort, Abort(), None)
        self.layers.pop()

    @rule()
    @precondition(lambda self: not self.batches)
    def commit(self) -> None:
        self.overlay.commit()
        self.committed = dict(self.layers[0])
        assert self.overlay.size == 0

    @rule()
    @precondition(lambda self: not self.batches)
    def discard(self) -> None:
        self.overlay.discard()
        self.layers = [dict(self.committed)]

    @rule()
    @precondition(lambda self: self.batches)
    def refuse_to_commit_half_a_batch(self) -> None:
        with pytest.raises(RuntimeError):
            self.overlay.commit()
        with pytest.raises(RuntimeError):
            self.overlay.discard()

    @invariant()
    def base_holds_what_was_committed(self) -> None:
        assert self.base.content() == self.committed


TestOverlay = OverlayMachine.TestCase


def test_commit_is_one_batch() -> None:
    base = CountingDB()
    base[b"gone"] = b"1"
    overlay = OverlayDB(base)
    for key in KEYS:
        overlay[key] = b"2"
    del overlay[b"gone"]
    overlay.commit()
    assert base.batches == 1
    assert base.content() == {key: b"2" for key in KEYS}


def test_failed_commit_keeps_what_is_pending() -> None:
    class FullDisk(CountingDB):
        full = True

        @contextmanager
        def atomic_batch(self) -> Iterator[AtomicWriteBatchAPI]:
            if self.full:
                raise OSError("no space left on device")
            with super().atomic_batch() as batch:
                yield batch

    base = FullDisk()
    overlay = OverlayDB(base)
    overlay[b"key"] = b"value"
    with pytest.raises(OSError):
        overlay.commit()
    assert base.content() == {}
    base.full = False
    overlay.commit()
    assert base.content() == {b"key": b"value"}


@pytest.mark.parametrize("key, reads", [(CONTENT_KEYS[0], 1), (OTHER_KEYS[0], 2)])
def test_only_content_outlives_a_commit_in_the_cache(key: bytes, reads: int) -> None:
    base = CountingDB()
    base[key] = b"value"
    overlay = OverlayDB(base)
    for _ in range(2):
        assert overlay[key] == overlay[key] == b"value"
        overlay.commit()
    assert base.reads == reads


def test_what_others_write_is_seen_after_a_commit() -> None:
    base = CountingDB()
    base[b"v1:head"] = b"old"
    overlay = OverlayDB(base)
    assert overlay[b"v1:head"] == b"old"
    base[b"v1:head"] = b"new"
    assert overlay[b"v1:head"] == b"old"
    overlay.commit()
    assert overlay[b"v1:head"] == b"new"


def test_committed_content_is_not_read_back() -> None:
    base = CountingDB()
    overlay = OverlayDB(base)
    overlay[CONTENT_KEYS[0]] = b"value"
    overlay.commit()
    assert overlay[CONTENT_KEYS[0]] == b"value"
    assert base.reads == 0


@pytest.mark.parametrize("touch_first", [True, False])
def test_cache_is_bounded_and_keeps_what_is_used(touch_first: bool) -> None:
    keys = [n.to_bytes(32, "big") for n in range(100)]
    base = CountingDB()
    for key in keys:
        base[key] = b"x" * 800
    overlay = OverlayDB(base, cache_size=20_000)
    for key in keys:
        assert len(overlay[key]) == 800
        if touch_first:
            assert len(overlay[keys[0]]) == 800
    assert base.reads == 100
    base.reads = 0
    assert overlay[keys[0]]
    assert base.reads == (0 if touch_first else 1)
    base.reads = 0
    for key in reversed(keys):
        assert overlay[key]
    # No more than the bound allows is left of the first pass.
    assert base.reads >= 100 - 20_000 // 800


def test_entry_larger_than_the_cache_is_read_each_time() -> None:
    base = CountingDB()
    base[CONTENT_KEYS[0]] = b"x" * 1000
    overlay = OverlayDB(base, cache_size=1000)
    for _ in range(3):
        assert len(overlay[CONTENT_KEYS[0]]) == 1000
    assert base.reads == 3


def test_size_counts_writes_and_follows_an_abort() -> None:
    overlay = OverlayDB(CountingDB())
    overlay[b"a"] = b"x" * 1000
    size = overlay.size
    assert size >= 1001
    value: Optional[bytes] = None
    with pytest.raises(Abort):
        with overlay.atomic_batch():
            overlay[b"b"] = b"x" * 1000
            value = overlay[b"b"]
            assert overlay.size > size
            raise Abort()
    assert value is not None
    assert overlay.size == size
