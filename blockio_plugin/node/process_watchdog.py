"""
Lets the processes of a node end together, however one of them ends.

Trinity's main process starts one process for the database and one for each component. It notices a
component that returns or raises, but not one that is killed: the node would go on without it. And
what it started does not notice that the main process is killed: it would keep the node's port.
"""
import asyncio
import logging
import os
from pathlib import Path
import signal
import threading
import time
from typing import Dict, List, NamedTuple, Optional

import psutil
from typing_extensions import Final

WATCH_INTERVAL = 0.5
"""Seconds between two looks at another process. All have to end within 5 s of the first."""

CHILD_MARK: Final = "asyncio_run_in_process"
"""What the command line of each process that Trinity starts for a node holds."""

logger = logging.getLogger("blockio_plugin.node.process_watchdog")

_following = threading.Event()


def follow_parent() -> None:
    """
    End this process when its parent has ended. To be called in a process that Trinity starts.

    A thread does it, so that a busy or an ending event loop is no matter. Nothing is tidied up, as
    if this process had been killed along with its parent; the next start finds that as it is.
    """
    if not _following.is_set():
        _following.set()
        threading.Thread(
            target=_follow, args=(os.getppid(),), name="follow-parent", daemon=True
        ).start()


def _follow(parent: int) -> None:
    # Who has lost its parent gets another one.
    while os.getppid() == parent:
        time.sleep(WATCH_INTERVAL)
    os.kill(os.getpid(), signal.SIGKILL)


class LostProcess(NamedTuple):
    """A process of the node that has ended while the node went on."""

    pid: int
    endpoint: Optional[str]
    """The name of its endpoint on the event bus, or ``db``; None where it had none yet."""

    def __str__(self) -> str:
        return f"the process {self.endpoint or 'of a component'} ({self.pid}) is gone"


class ChildWatch:
    """
    Tells when a process is gone that Trinity started for the node. For the main process.

    :param ipc_dir: where the sockets of the node's endpoints are, whose names the processes get
    """

    def __init__(self, ipc_dir: Path) -> None:
        self._ipc_dir = ipc_dir
        self._endpoints: Dict[psutil.Process, Optional[str]] = {}

    async def run(self) -> None:
        """Wait for a process to be gone, and say so. One that ends takes others along."""
        try:
            while not self.look():
                await asyncio.sleep(WATCH_INTERVAL)
        finally:
            # Trinity may notice between two looks, and cancel this.
            lost = self.look()
            if lost:
                reason = ", and ".join(map(str, lost))
                logger.error("Block I/O cannot go on, so the node stops: %s", reason)

    def look(self) -> List[LostProcess]:
        """The processes that an earlier look has seen and that are gone."""
        children = [child for child in psutil.Process().children() if not _is_dead(child)]
        for process in children:
            if self._endpoints.get(process) is None and _is_part_of_node(process):
                self._endpoints[process] = self._find_endpoint(process)
        return [
            LostProcess(process.pid, endpoint)
            for process, endpoint in self._endpoints.items()
            if process not in children
        ]

    def _find_endpoint(self, process: psutil.Process) -> Optional[str]:
        try:
            paths: List[Path] = [Path(conn.laddr) for conn in process.connections("unix")]
        except psutil.Error:
            return None
        return next((path.stem for path in paths if path.parent == self._ipc_dir), None)


def _is_dead(process: psutil.Process) -> bool:
    """Whether it has ended, though nobody has asked for its exit code yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _is_part_of_node(process: psutil.Process) -> bool:
    """Others may come and go: somebody's ``git``, say."""
    try:
        return any(CHILD_MARK in argument for argument in process.cmdline())
    except psutil.Error:
        return False
