import pytest

from blockio_plugin.tools.node_log import find_failures, find_reason

TRACEBACK = """\
Traceback (most recent call last):
  File "trinity/bootstrap.py", line 12, in run
    raise
asyncio.exceptions.TimeoutError: Process[x] took more than 30 seconds to start up\x1b[0m
    INFO  2026-11-27 23:37:57,351                  root  Shutting down Trinity
\x1b[1m\x1b[33m WARNING  2026-11-27 23:37:57  root  Removed dangling IPC socket file  /x.ipc\x1b[0m
Trinity shutdown complete
"""

LOGGED = """\
    INFO  2026-11-27 23:37:57,351                  root  Started
\x1b[1m\x1b[31m   ERROR  2026-11-27 23:45:10   BlockIO  the process networking (1) is gone\x1b[0m
Trinity shutdown complete
"""


@pytest.mark.parametrize(
    "log, reason",
    [
        (
            TRACEBACK,
            "asyncio.exceptions.TimeoutError: Process[x] took more than 30 seconds to start up",
        ),
        (LOGGED, "BlockIO  the process networking (1) is gone"),
        ("trinity: error: a node runs on /data\n", "a node runs on /data"),
        ("usage: trinity\nno such flag\n\n", "no such flag"),
        ("KeyError\n", "KeyError"),
        ("", "it said nothing"),
    ],
)
def test_why_a_node_ended(log: str, reason: str) -> None:
    assert find_reason(log) == reason


def test_failures_are_told_whole() -> None:
    assert find_failures(LOGGED) == ""
    assert find_failures(LOGGED + TRACEBACK + LOGGED).splitlines() == [
        "Trinity shutdown complete",
        *TRACEBACK.splitlines()[:4],
    ]
    blamed = " WARNING  Reporter  nothing moves though x could be asked: this is a fault of ours; y"
    assert find_failures(LOGGED + blamed) == blamed
    warned = "x.py:1: ResourceWarning: unclosed"
    assert find_failures(f"{warned}\ntrinity/cli_parser.py:279: ResourceWarning: y") == warned


def test_how_processes_of_trinity_end_is_no_failure() -> None:
    stopping = "    INFO  03:08:59,551  ComponentManager  Shutting down, reason: CTRL+C\n"
    socket = "sys:1: ResourceWarning: unclosed resource <UnixTransport closed=False>"
    ours = TRACEBACK.replace("trinity/bootstrap.py", "blockio_plugin/node/component.py")
    assert find_failures(stopping + TRACEBACK + socket) == ""
    assert find_failures(socket + "\n" + stopping) == socket
    assert "component.py" in find_failures(stopping + ours)
    leak = "sys:1: ResourceWarning: unclosed file x"
    assert find_failures(stopping + leak) == leak
