"""Ends processes of a node the hard way, after which the whole node has to end by itself."""
import asyncio
import os
import signal
from typing import Optional

from blockio_plugin.tools.head_probe import Head, HeadProbe
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.process_stats import find_process

END_TIMEOUT = 30.0
"""Seconds for a node to end of itself after one of its processes was killed, most."""

POLL_INTERVAL = 0.1
"""Seconds between two looks at what is left of it."""


class CrashFailed(Exception):
    """A node did not take a crash as it should. The message says how."""


async def crash(node: NodeProcess, endpoint: Optional[str]) -> Head:
    """
    Kill the whole node, or the one process that serves ``endpoint``, after which the node has to
    end of itself. It can then be started again. The head that was seen last is given.

    :raise CrashFailed: the node went on without the process
    """
    seen = HeadProbe(node.config.data_dir).fetch()
    if endpoint is None:
        node.kill()
    else:
        os.kill(find_process(node, endpoint), signal.SIGKILL)
    await wait_gone(node, END_TIMEOUT)
    return seen


async def wait_gone(node: NodeProcess, timeout: float) -> float:
    """
    Wait until no process of the node is left, and say how many seconds it took.

    :raise CrashFailed: some are left after ``timeout`` seconds; they are killed
    """
    loop = asyncio.get_event_loop()
    started_at = loop.time()
    while node.processes():
        if loop.time() - started_at > timeout:
            left = node.processes()
            node.kill()
            raise CrashFailed(f"processes {left} are left after {timeout} s:\n{node.log_tail()}")
        await asyncio.sleep(POLL_INTERVAL)
    await node.wait()
    return loop.time() - started_at
