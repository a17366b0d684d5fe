"""Tasks that a service has under way beside its loop, one for each of those they concern."""
import asyncio
from typing import Any, Callable, Coroutine, Dict, Hashable, Iterable


class Errands:
    """
    Named tasks. What one of them raises is raised where they are looked after.

    :param on_end: is called when a task has ended, however it did
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._tasks: Dict[Hashable, "asyncio.Task[None]"] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def begin(self, name: Hashable, errand: Coroutine[Any, Any, None]) -> None:
        """Start a task. There is none of this name."""
        task = self._tasks[name] = asyncio.ensure_future(errand)
        task.add_done_callback(lambda _: self._on_end())

    def collect(self) -> None:
        """Forget those that have ended, and raise what one of them raised."""
        for name, task in tuple(self._tasks.items()):
            if task.done():
                del self._tasks[name]
                if not task.cancelled():
                    task.result()

    def cancel(self, spared: Iterable[Hashable] = ()) -> None:
        """Have all end early but those of these names. They are there until they are collected."""
        for name in self._tasks.keys() - set(spared):
            self._tasks[name].cancel()

    async def end(self) -> None:
        """Have all end early, and wait until they have; what they raise is lost."""
        self.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        for task in self._tasks.values():
            if not task.cancelled():
                # Looked at, so that the loop does not call it forgotten.
                task.exception()
        self._tasks.clear()
