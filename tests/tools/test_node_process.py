import os
import select
import subprocess
import sys

TIMEOUT = 20.0
"""Seconds for the guard to notice, most."""

KILLED_TOOL = """
import os, subprocess, sys
from blockio_plugin.tools.node_process import guard_group
held = int(sys.argv[1])
sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True, pass_fds=[held])
guard_group(sleeper.pid)
os.kill(os.getpid(), 9)
"""


def test_a_node_ends_with_a_tool_that_is_killed() -> None:
    reader, writer = os.pipe()
    try:
        tool = subprocess.Popen([sys.executable, "-c", KILLED_TOOL, str(writer)], pass_fds=[writer])
        tool.wait()
        os.close(writer)
        # The pipe ends when the last process that holds its other end is gone.
        readable, _, _ = select.select([reader], [], [], TIMEOUT)
        assert readable and os.read(reader, 1) == b""
    finally:
        os.close(reader)
