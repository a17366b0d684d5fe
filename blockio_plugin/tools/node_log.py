"""What in a node's log means that something went wrong."""

SIGNS_OF_FAILURE = (
    "Exception ignored",
    "exception was never retrieved",
    "finished unexpectedly",
    "ResourceWarning",
    "Task was destroyed but it is pending",
    "Traceback (most recent call last)",
)
"""What Trinity's own tests take for a failure in a log."""

NOT_OURS = ("trinity/cli_parser.py", "Enable tracemalloc")
"""In lines that are no failure of a node: Trinity leaves the genesis file open that it was given,
and Python adds a hint to each such warning."""


def find_failures(log: str) -> str:
    """The lines of a node's log that tell of a failure."""
    return "\n".join(
        line
        for line in log.splitlines()
        if any(sign in line for sign in SIGNS_OF_FAILURE)
        and not any(sign in line for sign in NOT_OURS)
    )
