"""How a node ends: by a signal, or since one of its processes was killed. And that it goes on."""
import asyncio
import os
from pathlib import Path
import signal
import socket
from typing import Any, Dict

from eth.db.atomic import AtomicDB
import pytest

from blockio_plugin.node.data_dir_check import find_listeners
from blockio_plugin.node.process_watchdog import WATCH_INTERVAL
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.tools.chain_builder import build_chain
from blockio_plugin.tools.crash import END_TIMEOUT, wait_gone
from blockio_plugin.tools.node_log import find_failures
from blockio_plugin.tools.node_process import BOOT_TIMEOUT, NodeProcess
from blockio_plugin.tools.scripted_peer import ScriptedPeer

pytestmark = pytest.mark.integration

ORPHAN_TIMEOUT = 5.0
"""Seconds for all processes to end after the main process, most: what is promised."""

STOP_TIMEOUT = 20.0
"""Seconds for a node to end by a signal, most. It takes 4, and up to 9 on a busy machine."""

ANSWER_TIMEOUT = 30.0
"""Seconds for a node that has just started to answer, most."""


async def wait_complete(node: NodeProcess) -> Dict[str, int]:
    """The processes by the names of their sockets, once each has one."""
    deadline = asyncio.get_event_loop().time() + BOOT_TIMEOUT
    while True:
        listeners = find_listeners(node.config.data_dir / "ipcs-eth1")
        if set(listeners.values()) == set(node.processes()):
            return listeners
        assert asyncio.get_event_loop().time() < deadline, node.log_tail()
        await asyncio.sleep(0.2)


async def check_serving(node: NodeProcess, recipe: Any) -> None:
    """Ask the node for blocks, as a peer that has none."""
    db = AtomicDB()
    chain = build_chain(recipe, db, 0)
    async with ScriptedPeer.connect(node.enode(), chain, db, recipe.network_id) as peer:
        while True:
            # With the first advert the node is ready to answer.
            payload = await asyncio.wait_for(peer.inbox.get(), ANSWER_TIMEOUT)
            if isinstance(payload, Availability):
                peer.api.send_request(GetBlocksByView(1, 0, 2 ** 32, 8))
            elif isinstance(payload, BlocksByView):
                assert len(payload.blocks) == 8
                return


def check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("0.0.0.0", port))


# Ten nodes are started, one after another.
@pytest.mark.timeout(1500)
async def test_whichever_process_is_killed(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as node:
        victims = sorted({pid: name for name, pid in (await wait_complete(node)).items()}.values())
        assert len(victims) >= 8
        for victim in victims:
            listeners = await wait_complete(node)
            await check_serving(node, mined.recipe)
            # The next look learns whose the sockets are.
            await asyncio.sleep(2 * WATCH_INTERVAL)
            is_main = listeners[victim] == listeners["main"]
            os.kill(listeners[victim], signal.SIGKILL)
            took = await wait_gone(node, ORPHAN_TIMEOUT if is_main else END_TIMEOUT)
            print(f"without {victim} all ended after {took:.1f} s")
            check_free(node.port)
            if not is_main:
                gone = f"the process {victim} ({listeners[victim]}) is gone"
                assert "so the node stops: the process " in node.log()
                assert gone in node.log()
            await node.start()
        await check_serving(node, mined.recipe)
        assert node.log().count("Removed what a node that was killed has left") >= 1


@pytest.mark.parametrize(
    "signum, to_all",
    [
        (signal.SIGTERM, False),
        # As systemd sends it.
        (signal.SIGTERM, True),
        # As a terminal that is closed sends it.
        (signal.SIGHUP, False),
        (signal.SIGINT, False),
    ],
)
async def test_a_signal_ends_the_node(
    mined: Any, directory: Path, signum: int, to_all: bool
) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as node:
        listeners = await wait_complete(node)
        await check_serving(node, mined.recipe)
        for pid in node.processes() if to_all else [listeners["main"]]:
            os.kill(pid, signum)
        took = await wait_gone(node, STOP_TIMEOUT)
        print(f"it took {took:.1f} s")
        assert await node.wait() == 0
        assert "Trinity shutdown complete (CTRL+C)" in node.log()
        assert find_failures(node.log()) == ""


async def test_a_stop_signal_to_one_process_ends_the_node(mined: Any, directory: Path) -> None:
    async with NodeProcess.run(mined.configure(directory / "a", True)) as node:
        listeners = await wait_complete(node)
        os.kill(listeners["networking"], signal.SIGTERM)
        await wait_gone(node, STOP_TIMEOUT)
        assert await node.wait() == 0
        assert find_failures(node.log()) == ""
