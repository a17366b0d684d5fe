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


CHILD = """
import signal
from blockio_plugin.node.stop_signals import STOP_SIGNALS, accept_stop_signals
signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
accept_stop_signals()
print(len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
"""


def test_a_child_is_reached_by_them_again() -> None:
    assert subprocess.check_output([sys.executable, "-c", CHILD]) == b"0\n"
