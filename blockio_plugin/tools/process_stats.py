"""What the processes of a node are, and how much memory they take, as Linux tells."""
import contextlib
import os
from pathlib import Path
from typing import Iterable

from blockio_plugin.tools.node_process import NodeProcess

KIBIBYTE = 1024
"""Bytes."""

LISTENING = 0x10000
"""The flag of a socket that accepts connections (``__SO_ACCEPTCON``, linux/net.h)."""


def read_memory(pids: Iterable[int]) -> int:
    """Bytes of memory of these processes: shared pages count in parts, each as its share."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * KIBIBYTE
    return total


def read_cpu_time(pid: int) -> float:
    """Seconds of processor time that a process has taken. :raise OSError: it is gone"""
    # The name, in brackets, may have blanks in it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def find_process(node: NodeProcess, endpoint: str) -> int:
    """
    The process of a node that serves an endpoint of the event bus, or ``db``.

    :raise ProcessLookupError: there is none
    """
    path = str(node.config.data_dir / "ipcs-eth1" / f"{endpoint}.ipc")
    inodes = {
        fields[6]
        for fields in map(str.split, Path("/proc/net/unix").read_text().splitlines()[1:])
        # Listening sockets have this flag; connections to them have the same path.
        if fields[-1] == path and int(fields[3], 16) & LISTENING
    }
    for pid in node.processes():
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                if os.readlink(descriptor)[len("socket:[") : -1] in inodes:
                    return pid
    raise ProcessLookupError(f"no process of the node serves {path}")
