"""What a page of the documentation shows, as it stands, so that tests can run it."""
from pathlib import Path
import re
import shlex
from typing import Tuple


def read_blocks(page: Path, kind: str) -> Tuple[str, ...]:
    """The code blocks of one kind (``python``, ``ini``, ``sh``), in their order."""
    return tuple(re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(), re.S | re.M))


def read_block(page: Path, kind: str, text: str) -> str:
    """
    The one code block of this kind that contains ``text``.

    :raise ValueError: it is not exactly one
    """
    (block,) = (block for block in read_blocks(page, kind) if text in block)
    return block


def read_arguments(page: Path, text: str) -> Tuple[str, ...]:
    """
    What follows the program on the one command line that contains ``text``, without the dots that
    stand for the rest at its end.

    :raise ValueError: it is not exactly one
    """
    lines = {
        line for block in read_blocks(page, "sh") for line in block.splitlines() if text in line
    }
    (line,) = lines
    words = shlex.split(line)
    return tuple(words[1:-1] if words[-1] == "..." else words[1:])
