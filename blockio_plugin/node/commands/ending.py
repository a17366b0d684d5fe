"""Runs what a command does, and ends it as people end commands."""
import asyncio
import logging
import signal
import sys
from typing import Awaitable
import warnings

from blockio_plugin.node.commands.running_node import NoNode

OK, FAILED, INTERRUPTED = 0, 1, 130
"""Exit statuses: done; no node, or it failed, said in one line; Ctrl-C before it was done."""


def run_until_end(work: Awaitable[int], interrupted: int = INTERRUPTED) -> int:
    """
    Run ``work`` and return the exit status that it gives.

    :param interrupted: the exit status where somebody ends it before, by Ctrl-C or SIGTERM
    """
    warnings.simplefilter("ignore")
    # What there is to say is said by the command itself.
    logging.disable(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    task = asyncio.ensure_future(work, loop=loop)
    for sig in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sig, task.cancel)
    try:
        return loop.run_until_complete(task)
    except asyncio.CancelledError:
        return interrupted
    except NoNode as err:
        print(err, file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # Who read it has seen enough.
        sys.stderr.close()
        return OK
