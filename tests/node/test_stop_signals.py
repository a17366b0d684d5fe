import os
import signal
import subprocess
import sys

import pytest

# What every child of Trinity's main process does is the loop's handler; uvloop is Trinity's loop.
PROGRAM = """
import asyncio, signal, sys, uvloop
from blockio_plugin.node.stop_signals import stop_as_on_interrupt
ignored = [getattr(signal, name) for name in sys.argv[1:]]
for each in ignored:
    signal.signal(each, signal.SIG_IGN)
stop_as_on_interrupt()
loop = uvloop.new_event_loop()
def tell(name):
    print(name, flush=True)
    loop.stop()
loop.add_signal_handler(signal.SIGINT, tell, "as on Ctrl-C")
for each in {signal.SIGTERM, signal.SIGHUP}.difference(ignored):
    loop.add_signal_handler(each, tell, "to a child")
loop.call_soon(lambda: print("ready", flush=True))
loop.run_forever()
"""


def send(signum: int, *ignored: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *ignored],
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signum)
    return process


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_ends_as_on_interrupt_whoever_else_has_a_handler(signum: int) -> None:
    process = send(signum)
    output, _ = process.communicate(timeout=10)
    assert output.endswith("as on Ctrl-C\n") and "to a child" not in output


def test_what_was_ignored_from_the_start_stays_so() -> None:
    process = send(signal.SIGHUP, "SIGHUP")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert output == "as on Ctrl-C\n"


PARENT = """
import signal, subprocess, sys
def tell(signum, frame):
    print("parent", flush=True)
signal.signal(signal.SIGTERM, tell)
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
print(child.stdout.readline().decode(), end="", flush=True)
for line in sys.stdin:
    child.send_signal(signal.SIGTERM)
    print(child.stdout.readline().decode(), end="", flush=True)
    child.kill()
"""

CHILD = """
import os, signal, uvloop
from blockio_plugin.node.stop_signals import hand_stop_signals_up
hand_stop_signals_up()
loop = uvloop.new_event_loop()
loop.add_signal_handler(signal.SIGTERM, lambda: print("child", flush=True))
loop.call_soon(lambda: print(os.getpid(), flush=True))
loop.run_forever()
"""


def test_a_child_hands_them_up_unless_they_come_from_above() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        child = int(parent.stdout.readline())
        for _ in range(2):
            os.kill(child, signal.SIGTERM)
            assert parent.stdout.readline() == "parent\n"
        parent.stdin.write("stop the child\n")
        parent.stdin.close()
        assert parent.stdout.readline() == "child\n"
