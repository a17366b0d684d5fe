"""Shows how far something has come: a bar on a terminal, a line now and then elsewhere."""
import asyncio
import contextlib
import time
from typing import AsyncIterator, Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_INTERVAL = 2.0
"""Seconds between two lines where there is no terminal to draw a bar on."""

SILENCE_LIMIT = 4.0
"""Seconds without a line after which it is said that the work goes on."""

Update = Callable[[int, str], None]
"""Told how much is done, and what else there is to say."""


class Display:
    """
    Where the tools write what people read.

    :param clock: gives the time in seconds
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self._clock = clock
        self._said_at = self._began_at = clock()
        self._task = "starting"

    def say(self, text: str) -> None:
        """One line."""
        self._said_at = self._clock()
        self.console.print(text, highlight=False)

    def begin(self, task: str) -> None:
        """Say what is done from now on."""
        self._task = task
        self._began_at = self._clock()
        self.say(task)

    @contextlib.asynccontextmanager
    async def never_silent(self) -> AsyncIterator[None]:
        """While the context lasts, say at least every ``SILENCE_LIMIT`` what is still done."""
        telling = asyncio.ensure_future(self._tell())
        try:
            yield
        finally:
            telling.cancel()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(max(0.0, self._said_at + SILENCE_LIMIT - self._clock()))
            if self._clock() >= self._said_at + SILENCE_LIMIT:
                self.say(f"still {self._task}, {self._clock() - self._began_at:.0f} s")

    @contextlib.contextmanager
    def stage(self, name: str, total: int) -> Iterator[Update]:
        """Show how ``name`` comes along, until the context ends."""
        self.begin(name)
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

            def update(done: int, detail: str) -> None:
                self._said_at = self._clock()
                progress.update(task, completed=done, detail=detail)

            yield update

    def _lines(self, name: str, total: int) -> Update:
        def update(done: int, detail: str) -> None:
            if self._clock() - self._said_at >= PLAIN_INTERVAL or done == total:
                self.say(f"{name}: {done} of {total} {detail}".rstrip())

        return update
