"""Ends a syncing node the hard way, and makes it ready to start again as its user would."""
import asyncio
import contextlib
import os
import signal
from typing import Optional

from blockio_plugin.tools.head_probe import Head, HeadProbe
from blockio_plugin.tools.node_process import NodeProcess
from blockio_plugin.tools.process_stats import find_process

FIX_COMMAND = "fix-unclean-shutdown"
"""Trinity's cure for what a killed node leaves behind."""

FIX_TIMEOUT = 60.0
"""Seconds for the cure, most."""

END_TIMEOUT = 30.0
"""Seconds for a node to end of itself after one of its processes was killed, most."""


class CrashFailed(Exception):
    """A node did not take a crash as it should. The message says how."""


async def crash(node: NodeProcess, endpoint: Optional[str]) -> Head:
    """
    Kill the whole node, or the one process that serves ``endpoint``, after which the node has to
    end of itself. Then have Trinity clean up. The head that was seen last is given.

    :raise CrashFailed: the node went on without the process, or could not be cleaned up
    """
    seen = HeadProbe(node.config.data_dir).fetch()
    if endpoint is None:
        node.kill()
    else:
        os.kill(find_process(node, endpoint), signal.SIGKILL)
    try:
        await asyncio.wait_for(node.wait(), END_TIMEOUT)
    except asyncio.TimeoutError:
        raise CrashFailed(
            f"without {endpoint} the node went on:\n{node.log_tail()}"
        ) from None
    finally:
        node.kill()
    await clean_up(node)
    return seen


async def clean_up(node: NodeProcess) -> None:
    """
    Have Trinity clean up after a node that was killed.

    :raise CrashFailed: it could not
    """
    fix = await asyncio.create_subprocess_exec(
        *node.command,
        FIX_COMMAND,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(fix.communicate(), FIX_TIMEOUT)
    except asyncio.TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            fix.kill()
        raise CrashFailed(f"{FIX_COMMAND} did not end") from None
    if fix.returncode != 0:
        raise CrashFailed(f"{FIX_COMMAND} failed:\n{output.decode(errors='replace')}")
