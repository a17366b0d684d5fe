"""The nodes of ``fixtures/embedding``: no Trinity, and whatever a peer sends ends its own link."""
import asyncio
from contextlib import AsyncExitStack
import importlib
from pathlib import Path
import re
import subprocess
import sys
from typing import Any, Iterator

import pytest

FOLDER = Path(__file__).parent.parent / "fixtures" / "embedding"

ALLOWED = {"rules", "services"}
"""Parts of the package that an embedding uses."""

WITHOUT_TRINITY = """
import runpy, sys
sys.modules.update(dict.fromkeys(("trinity", "p2p", "lahja", "eth"), None))
runpy.run_path(sys.argv[1], run_name="__main__")
"""

TIMEOUT = 30.0
"""Seconds for some hundred blocks to cross the loopback, most."""

GARBAGE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x00\x00\x00\x02\x07\xc0",
    b"\x00\x00\x00\x02\x00\xc0",
    b"\x00\x00\x03\x01\x01" + b"\xc1" * 767 + b"\xc0",
]
"""Frames that are none, none of ours, without what belongs in them, and too deep."""


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example as a module, which brings a module ``chain`` of its own."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("nodes")
    for name in ("nodes", "chain"):
        del sys.modules[name]


async def wait_synced(node: Any, source: Any) -> None:
    async def poll() -> None:
        while node.chain.fetch_head() != source.chain.fetch_head():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), TIMEOUT)


def test_it_runs_without_trinity_and_syncs() -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", WITHOUT_TRINITY, str(FOLDER / "nodes.py")],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=TIMEOUT,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr == ""
    assert outcome.stdout.startswith("Synced to block 3999 from: ")
    assert outcome.stdout.count("127.0.0.1") == 2


def test_it_is_short_and_uses_two_parts_of_the_package() -> None:
    assert len((FOLDER / "nodes.py").read_text().splitlines()) < 200
    for path in FOLDER.glob("*.py"):
        parts = set(re.findall(r"(?:from|import) blockio_plugin\.(\w+)", path.read_text()))
        assert parts and parts <= ALLOWED


async def test_blocks_pass_from_node_to_node(nodes: Any) -> None:
    blocks = nodes.make_chain([*range(0, 300, 3), *range(1000, 1100)])
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(nodes.run_node(nodes.Chain(blocks)))
        second = await stack.enter_async_context(
            nodes.run_node(nodes.Chain(blocks[:1]), first.port)
        )
        third = await stack.enter_async_context(
            nodes.run_node(nodes.Chain(blocks[:1]), second.port)
        )
        await wait_synced(third, first)
        assert [block.rlp for block in third.chain.blocks] == [block.rlp for block in blocks]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_ends_its_own_connection(
    nodes: Any, garbage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = nodes.make_chain(range(100))
    async with AsyncExitStack() as stack:
        archive = await stack.enter_async_context(nodes.run_node(nodes.Chain(blocks)))
        reader, writer = await asyncio.open_connection("127.0.0.1", archive.port)
        writer.write(garbage)
        # Until it hangs up.
        await asyncio.wait_for(reader.read(), TIMEOUT)
        writer.close()
        assert capsys.readouterr().err.startswith("Dropping ('127.0.0.1', ")
        empty = await stack.enter_async_context(
            nodes.run_node(nodes.Chain(blocks[:1]), archive.port)
        )
        await wait_synced(empty, archive)
