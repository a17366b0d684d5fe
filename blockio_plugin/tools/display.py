"""Shows how far something has come: a bar on a terminal, a line now and then elsewhere."""
import contextlib
import time
from typing import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_INTERVAL = 2.0
"""Seconds between two lines where there is no terminal to draw a bar on."""

Update = Callable[[int, str], None]
"""Told how much is done, and what else there is to say."""


class Display:
    """Where the tools write what people read."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, highlight=False)

    @contextlib.contextmanager
    def stage(self, name: str, total: int) -> Iterator[Update]:
        """Show how ``name`` comes along, until the context ends."""
        if self.console.is_terminal:
            with self._bar(name, total) as update:
                yield update
        else:
            yield self._lines(name, total)

    @contextlib.contextmanager
    def _bar(self, name: str, total: int) -> Iterator[Update]:
        columns = (
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(name, total=total, detail="")
            yield lambda done, detail: progress.update(task, completed=done, detail=detail)

    def _lines(self, name: str, total: int) -> Update:
        said_at = time.monotonic() - PLAIN_INTERVAL

        def update(done: int, detail: str) -> None:
            nonlocal said_at
            now = time.monotonic()
            if now - said_at >= PLAIN_INTERVAL or done == total:
                said_at = now
                self.say(f"{name}: {done} of {total} {detail}".rstrip())

        return update
