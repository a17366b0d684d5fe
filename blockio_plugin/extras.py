"""What a command says where it needs more than a plain install has."""
import contextlib
import sys
from typing import Iterator


@contextlib.contextmanager
def needs_extra(extra: str, command: str) -> Iterator[None]:
    """
    End the process with one line and exit status 1 where a library is missing that is imported
    inside, and that ``extra`` brings.
    """
    try:
        yield
    except ModuleNotFoundError as err:
        library = (err.name or "").partition(".")[0]
        if library == __package__:
            raise
        sys.exit(
            f"{command} needs {library}, which the extra '{extra}' brings: "
            f"pip install '{__package__}[{extra}]'"
        )
