"""What in a node's log means that something went wrong."""
from itertools import takewhile
import re
from typing import List

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

SIGNS_OF_FAILURE = (
    "Exception ignored",
    "exception was never retrieved",
    "finished unexpectedly",
    "ResourceWarning",
    "Task was destroyed but it is pending",
    TRACEBACK,
)
"""What Trinity's own tests take for a failure in a log."""

NOT_OURS = ("trinity/cli_parser.py", "Enable tracemalloc")
"""In lines that are no failure of a node: Trinity leaves the genesis file open that it was given,
and Python adds a hint to each such warning."""


def find_failures(log: str) -> str:
    """The lines of a node's log that tell of a failure; tracebacks whole, with the line before."""
    lines = log.splitlines()
    failures: List[str] = []
    for index, line in enumerate(lines):
        if any(sign in line for sign in NOT_OURS):
            continue
        if TRACEBACK in line:
            failures += lines[max(0, index - 1) : index + 1]
            rest = lines[index + 1 :]
            frames = list(takewhile(lambda frame: frame.startswith(" "), rest))
            failures += frames + rest[len(frames) : len(frames) + 1]
        elif any(sign in line for sign in SIGNS_OF_FAILURE):
            failures.append(line)
    return "\n".join(failures)


def find_reason(log: str) -> str:
    """Why a node ended, in one line: the last line of its log that tells; else the last of all."""
    lines = [COLOUR.sub("", line).rstrip() for line in log.splitlines()]
    for line in reversed(lines):
        found = REASON.match(line)
        if found is not None:
            return next(text for text in found.groupdict().values() if text is not None)
    return next((line.strip() for line in reversed(lines) if line), "it said nothing")
