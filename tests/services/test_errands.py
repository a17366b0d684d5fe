import asyncio
from typing import List

import pytest

from blockio_plugin.services.errands import Errands


class Log:
    """Errands that take a second each, and what became of them."""

    def __init__(self) -> None:
        self.ends = 0
        self.done: List[str] = []
        self.errands = Errands(self.note_end)

    def note_end(self) -> None:
        self.ends += 1

    async def run(self, name: str) -> None:
        await asyncio.sleep(1)
        self.done.append(name)

    async def fail(self) -> None:
        await asyncio.sleep(1)
        raise ValueError("it went wrong")


async def test_they_run_side_by_side_until_they_are_collected() -> None:
    log = Log()
    for name in ("alice", "bob"):
        log.errands.begin(name, log.run(name))
    log.errands.collect()
    assert len(log.errands) == 2 and "alice" in log.errands
    await asyncio.sleep(1.1)
    assert (log.ends, log.done) == (2, ["alice", "bob"])
    assert "alice" in log.errands
    log.errands.collect()
    assert len(log.errands) == 0 and "alice" not in log.errands


async def test_what_one_raises_is_raised_where_they_are_looked_after() -> None:
    log = Log()
    log.errands.begin("alice", log.fail())
    await asyncio.sleep(1.1)
    with pytest.raises(ValueError):
        log.errands.collect()


async def test_some_are_spared_when_the_others_are_cancelled() -> None:
    log = Log()
    for name in ("alice", "bob"):
        log.errands.begin(name, log.run(name))
    await asyncio.sleep(0.5)
    log.errands.cancel(spared=("bob", "nobody"))
    assert "alice" in log.errands
    await asyncio.sleep(0.6)
    log.errands.collect()
    assert (log.done, len(log.errands)) == (["bob"], 0)


async def test_at_the_end_nothing_is_left(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    log.errands.begin("alice", log.run("alice"))
    log.errands.begin("bob", log.fail())
    await asyncio.sleep(1.1)
    log.errands.begin("carol", log.run("carol"))
    await log.errands.end()
    assert (log.done, log.ends, len(log.errands)) == (["alice"], 3, 0)
    await asyncio.sleep(1)
    assert "never retrieved" not in caplog.text
