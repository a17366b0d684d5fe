"""Runs ``trinity`` as somebody at a terminal does, to its end."""
import asyncio
import os
from pathlib import Path
import signal
import sys
from typing import Mapping, NamedTuple, Optional

TRINITY = str(Path(sys.executable).with_name("trinity"))
"""The program that is installed beside the interpreter which runs the tests."""

COMMAND_TIMEOUT = 120.0
"""Seconds until a command has ended, most."""


class Outcome(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


async def run_trinity(
    *flags: str, stop_after: float = 0.0, env: Optional[Mapping[str, str]] = None
) -> Outcome:
    """
    Run ``trinity`` with ``flags``.

    :param stop_after: seconds after which Ctrl-C is pressed; 0: never
    :param env: variables beside those that the tests run with
    """
    process = await asyncio.create_subprocess_exec(
        TRINITY,
        *flags,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    if stop_after:
        asyncio.get_event_loop().call_later(stop_after, process.send_signal, signal.SIGINT)
    try:
        out, err = await asyncio.wait_for(process.communicate(), COMMAND_TIMEOUT)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())
