"""What in a node's log means that something went wrong."""

LOG_LINES_OF_FAILURE = (
    "Exception ignored",
    "exception was never retrieved",
    "finished unexpectedly",
    "ResourceWarning",
    "Task was destroyed but it is pending",
    "Traceback (most recent call last)",
)
"""What Trinity's own tests take for a failure in a log."""


def find_failures(log: str) -> str:
    """The lines of a node's log that tell of a failure."""
    return "\n".join(
        line for line in log.splitlines() if any(sign in line for sign in LOG_LINES_OF_FAILURE)
    )
