"""What in a node's log means that something went wrong."""
from itertools import takewhile
import re
from typing import List, Sequence

COLOUR = re.compile("\x1b\\[[0-9;]*m")
"""What Trinity wraps warnings and errors in."""

REASON = re.compile(
    # What a command line is refused with.
    r"^trinity: error: (?P<refusal>.+)$"
    # The last line of a traceback.
    r"|^(?P<exception>(\w+\.)*\w*(Error|Exception|Exit|Interrupt|Timeout)\b.*)$"
    # Level, date, time, logger, text.
    r"|^ *(ERROR|CRITICAL) +\S+ +\S+ +(?P<error>\S.*)$"
)
"""Lines that tell why a node ended."""

TRACEBACK = "Traceback (most recent call last)"
"""How a traceback of Python begins."""

SIGNS_OF_FAILURE = (
    "Exception ignored",
    "exception was never retrieved",
    "finished unexpectedly",
    "ResourceWarning",
    "Task was destroyed but it is pending",
    TRACEBACK,
    # Ours: nothing moves though somebody could be asked.
    "this is a fault of ours",
)
"""What Trinity's own tests take for a failure in a log, and what our own node blames itself for."""

NOT_OURS = ("trinity/cli_parser.py", "Enable tracemalloc")
"""In lines that are no failure of a node: Trinity leaves the genesis file open that it was given,
and Python adds a hint to each such warning."""

STOPPING = "Shutting down, reason"
"""What Trinity's main process logs before it ends the others."""

ENDS_ROUGHLY = re.compile(r"(?s)^(?!.*blockio_plugin)(.*Traceback|sys:1: .*<UnixTransport)")
"""
What may follow on that: Trinity's processes end in no order. On a busy machine one logs or sends
to another that is gone, or leaves their socket to the interpreter. Nothing of ours is in it.
"""


def find_failures(log: str) -> str:
    """The lines of a node's log that tell of a failure; tracebacks whole, with the line before."""
    lines = log.splitlines()
    failures: List[str] = []
    is_stopping = False
    for index, line in enumerate(lines):
        is_stopping = is_stopping or STOPPING in line
        failure = _read_failure(lines, index)
        if failure and not (is_stopping and ENDS_ROUGHLY.match(failure)):
            failures.append(failure)
    return "\n".join(failures)


def _read_failure(lines: Sequence[str], index: int) -> str:
    """What begins in line ``index``, if anything does."""
    line = lines[index]
    if any(sign in line for sign in NOT_OURS):
        return ""
    if TRACEBACK in line:
        rest = lines[index + 1 :]
        frames = list(takewhile(lambda frame: frame.startswith(" "), rest))
        return "\n".join([*lines[max(0, index - 1) : index + 1], *rest[: len(frames) + 1]])
    return line if any(sign in line for sign in SIGNS_OF_FAILURE) else ""


def find_reason(log: str) -> str:
    """Why a node ended, in one line: the last line of its log that tells; else the last of all."""
    lines = [COLOUR.sub("", line).rstrip() for line in log.splitlines()]
    for line in reversed(lines):
        found = REASON.match(line)
        if found is not None:
            return next(text for text in found.groupdict().values() if text is not None)
    return next((line.strip() for line in reversed(lines) if line), "it said nothing")
