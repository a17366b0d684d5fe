"""
Whether somebody uses a node's data directory, and what a node that was killed has left in it.

A node has a socket for each of its processes there, and LevelDB locks the database. A socket on
which nobody listens and a pid file are all that is left of a node that was killed; they would keep
the next one from starting, so they are removed. Whether a process lives is never concluded from a
pid file: its number may be somebody else's by now.
"""
import errno
import fcntl
import logging
import os
from pathlib import Path
import socket
import struct
import sys
import time
from typing import Dict, Optional, Set

from trinity.config import Eth1AppConfig, TrinityConfig
from typing_extensions import Final

END_TIMEOUT = 6.0
"""Seconds for the processes of a node whose main process is gone to end, most. They take 1."""

POLL_INTERVAL = 0.2
"""Seconds between two looks at them."""

MAIN_SOCKETS: Final = frozenset({"logging", "main"})
"""The names of the sockets on which the main process of a node listens."""

LOCK_FILE: Final = "LOCK"
"""What LevelDB locks, in its directory. The file stays, the lock goes with its process."""

FLOCK: Final = "hhqqi4x"
"""``struct flock`` of Linux on 64 bits: type, whence, start, length, pid."""

PEER_CREDENTIALS: Final = "iII"
"""``struct ucred`` of Linux: pid, user, group."""

UNKNOWN_PID = 0
"""In the place of a process that is there and cannot be named, such as one of another container."""

logger = logging.getLogger("blockio_plugin.node.data_dir_check")


class InUse(Exception):
    """Somebody uses the data directory. The message, one line, says who and what to do."""


def check_unused(trinity_config: TrinityConfig) -> None:
    """
    Make sure that nobody uses the data directory, and remove what a killed node has left there.

    Waits for up to ``END_TIMEOUT`` for processes that are about to end.

    :raise InUse: somebody uses it; nothing has been removed
    """
    data_dir = trinity_config.data_dir
    lock = trinity_config.get_app_config(Eth1AppConfig).database_dir / LOCK_FILE
    deadline = time.monotonic() + END_TIMEOUT
    while True:
        listeners = find_listeners(trinity_config.ipc_dir)
        main = [pid for name, pid in listeners.items() if name in MAIN_SOCKETS]
        if main:
            raise InUse(f"a node runs on {data_dir} ({_describe(set(main))}): stop it first")
        holder = find_lock_holder(lock)
        if not listeners and holder is None:
            break
        if time.monotonic() > deadline:
            users = set(listeners.values()) | ({holder} if holder is not None else set())
            raise InUse(
                f"{data_dir} is in use by {_describe(users)}, left of a node that was killed or "
                "of another program: end that first"
            )
        time.sleep(POLL_INTERVAL)
    _remove_leftovers(trinity_config)


def find_listeners(ipc_dir: Path) -> Dict[str, int]:
    """The processes that listen on the sockets in ``ipc_dir``, by the sockets' names."""
    found = {path.stem: _find_listener(path) for path in ipc_dir.glob("*.ipc")}
    return {name: pid for name, pid in found.items() if pid is not None}


def _find_listener(path: Path) -> Optional[int]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        # Whose queue is full, since it is busy or stopped, is there all the same.
        client.setblocking(False)
        try:
            client.connect(str(path))
        except OSError as err:
            is_nobodys = err.errno in (errno.ECONNREFUSED, errno.ENOENT, errno.ENOTSOCK)
            return None if is_nobodys else UNKNOWN_PID
        if not sys.platform.startswith("linux"):
            return UNKNOWN_PID
        size = struct.calcsize(PEER_CREDENTIALS)
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid: int = struct.unpack(PEER_CREDENTIALS, credentials)[0]
        return pid


def find_lock_holder(lock: Path) -> Optional[int]:
    """
    The process that has locked the file ``lock``; None where nobody has.

    Elsewhere than on Linux it is not found; opening the database fails then, if later.
    """
    if not sys.platform.startswith("linux") or not lock.exists():
        return None
    with lock.open("rb") as file:
        question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, question))
        return None if kind == fcntl.F_UNLCK else max(pid, UNKNOWN_PID)


def _describe(pids: Set[int]) -> str:
    known = sorted(pids - {UNKNOWN_PID})
    if not known:
        return "a process that cannot be named from here"
    return ("process " if len(known) == 1 else "processes ") + ", ".join(map(str, known))


def _remove_leftovers(trinity_config: TrinityConfig) -> None:
    sockets = list(trinity_config.ipc_dir.glob("*.ipc"))
    pid_files = list(trinity_config.pid_dir.glob("*.pid"))
    for path in sockets + pid_files:
        path.unlink()
    if sockets or pid_files:
        logger.info(
            "Removed what a node that was killed has left: %d sockets, %d pid files",
            len(sockets),
            len(pid_files),
        )
