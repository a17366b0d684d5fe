"""
Lets the signals by which others stop a program end a node as Ctrl-C does.

Trinity's main process gives SIGTERM and SIGHUP to the child that it started last, and to no other;
the node then hangs without it. Each child that starts takes the signals anew, so no handler of ours
would stay. But a signal that is blocked comes to no handler: a thread waits for it.
"""
import signal
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


def accept_stop_signals() -> None:
    """Let stop signals through to the handlers again, in a process that Trinity has started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def _relay(signals: Sequence[signal.Signals]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    while True:
        signal.sigwait(signals)
        signal.pthread_kill(main, signal.SIGINT)
