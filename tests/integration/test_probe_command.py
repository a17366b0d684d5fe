"""``trinity blockio probe`` against a node of ours, a stock one, a broken peer, and nobody."""
import asyncio
import contextlib
import json
from pathlib import Path
import socket
import time
from typing import Any, AsyncIterator, Callable

from eth.db.atomic import AtomicDB
import pytest
from trinity_command import Outcome, run_trinity

from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.tools.chain_builder import build_chain
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import NodeProcess, pick_free_port
from blockio_plugin.tools.scripted_peer import ScriptedListener, ScriptedPeer

pytestmark = pytest.mark.integration

KEY = "54be2b5571b1bc34189c1b537dda4518629c67ec872182e4119ee80dee9c6d2e" + (
    "5909d4936be03316a7050f33f4aa5f16c46c64fa97471e48d8f820805d080d8d"
)
"""A public key; nobody's."""


async def probe(enode: str, *flags: str) -> Outcome:
    return await run_trinity("blockio", "probe", enode, *flags, env={"HOME": "/nonexistent"})


async def test_ours_and_a_stock_node(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as node:
        outcome = await probe(node.enode(), "--json")
        assert outcome.err == "" and outcome.status == 0, outcome
        said = json.loads(outcome.out)
        assert said["conforms"] and said["findings"] == []
        assert said["client"].startswith("Trinity/") and "bio/1" in said["capabilities"]
        assert said["scheme"] == "slot:12" and said["ranges"] == [[0, said["head_view"] + 1]]
        assert said["round_trip"] > 0 and said["blocks_per_second"] > 0
        text = await probe(node.enode(), "--views", "10..60")
        assert text.status == 0 and "conforms      nothing wrong" in text.out
        assert node.is_running and find_failures(node.log()) == ""
    stock = mined.configure(directory / "s", True)._replace(view_scheme=None)
    async with NodeProcess.run(stock) as node:
        outcome = await probe(node.enode())
        assert outcome.status == 1 and outcome.err == ""
        assert "WRONG         it does not speak bio/1" in outcome.out
        assert "eth/65" in outcome.out


Answer = Callable[[ScriptedPeer, GetBlocksByView], None]


@contextlib.asynccontextmanager
async def broken(mined: Any, act: Answer) -> AsyncIterator[str]:
    """The address of a peer that does something else than to answer."""
    db = AtomicDB()
    chain = build_chain(mined.recipe, db, 0)

    async def play(listener: ScriptedListener) -> None:
        peer = await listener.accept()
        peer.api.send_availability(Availability("number", 99, (ViewRange(0, 100),)))
        while True:
            request = await peer.inbox.get()
            if isinstance(request, GetBlocksByView):
                act(peer, request)

    async with ScriptedListener.open(chain, db, mined.recipe.network_id) as listener:
        playing = asyncio.ensure_future(play(listener))
        try:
            yield listener.enode
        finally:
            playing.cancel()


def answer_nothing(peer: ScriptedPeer, request: GetBlocksByView) -> None:
    peer.api.send_answer(
        BlocksByView(request.request_id, request.start_view, request.length, 0, ())
    )


def answer_garbage(peer: ScriptedPeer, request: GetBlocksByView) -> None:
    peer.send_raw(2, b"\xff" * 40)


def answer_twice(peer: ScriptedPeer, request: GetBlocksByView) -> None:
    for _ in range(2):
        peer.api._unanswered_requests.add(request.request_id)
        peer.api.send_answer(
            BlocksByView(request.request_id, request.start_view, request.length, 0, ())
        )


@pytest.mark.parametrize(
    "act, finding",
    [
        (answer_nothing, "which it says is its head"),
        (answer_garbage, "snappy"),
        (answer_twice, "an answer to a request that was never made"),
    ],
)
async def test_a_broken_peer(mined: Any, act: Answer, finding: str) -> None:
    async with broken(mined, act) as enode:
        outcome = await probe(enode)
    assert (outcome.status, outcome.err) == (1, "")
    wrong = [line for line in outcome.out.splitlines() if line.startswith("WRONG")]
    assert finding in wrong[0], outcome.out


async def test_nobody_is_there(directory: Path) -> None:
    outcome = await probe(f"enode://{KEY}@127.0.0.1:{pick_free_port()}")
    assert outcome.status == 1 and outcome.out == ""
    assert len(outcome.err.splitlines()) == 1 and "cannot be reached" in outcome.err
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began_at = time.monotonic()
        outcome = await probe(f"enode://{KEY}@127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - began_at < 40
    assert outcome.status == 1 and len(outcome.err.splitlines()) == 1
    for enode in ("enode://abc", "http://x", f"enode://{KEY}@127.0.0.1:99999"):
        outcome = await probe(enode)
        assert outcome.status == 2
        assert "is no enode" in outcome.err.splitlines()[-1]
