"""
Lets the signals by which others stop a program end a node as Ctrl-C does.

Trinity's main process gives SIGTERM and SIGHUP to the child that it started last, and to no other;
the node then hangs without it. Each child that starts takes the signals anew, so no handler of ours
would stay. But a signal that is blocked comes to no handler: a thread waits for it.
"""
import contextlib
import os
import signal
import sys
import threading
from typing import Sequence

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""What ``docker stop``, systemd and ``kill`` send, and a terminal that is closed."""


def stop_as_on_interrupt() -> None:
    """
    Turn each stop signal to this process into a SIGINT. For Trinity's main process.

    Threads take over which signals are blocked from the thread that starts them, so this has to
    come before any other is started. What was ignored from the start (``nohup``) stays so.
    """
    signals = [each for each in STOP_SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    threading.Thread(target=_relay, args=(signals,), name="stop-signals", daemon=True).start()


def hand_stop_signals_up() -> None:
    """
    Let each stop signal to this process go to its parent, so that it stops the node. For a process
    that Trinity has started; to be called before it starts threads.

    systemd sends SIGTERM to all processes of a service at once. Trinity's database then hangs, and
    with it the node. What the parent itself sends is meant for this process.
    """
    # Where this is not to be had (macOS), Trinity's own handlers stay.
    if sys.platform != "darwin":
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        threading.Thread(
            target=_hand_up, args=(os.getppid(),), name="stop-signals", daemon=True
        ).start()


def _relay(signals: Sequence[signal.Signals]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    while True:
        signal.sigwait(signals)
        signal.pthread_kill(main, signal.SIGINT)


def _hand_up(parent: int) -> None:
    while True:
        received = signal.sigwaitinfo(STOP_SIGNALS)
        if received.si_pid == parent:
            # In this thread alone, which is enough for the process's handlers to be called.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            os.kill(os.getpid(), received.si_signo)
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(parent, received.si_signo)
