import asyncio
from io import StringIO

import async_solipsism
import pytest
from rich.console import Console

from blockio_plugin.tools.display import SILENCE_LIMIT, Display


@pytest.fixture
def event_loop_policy() -> async_solipsism.EventLoopPolicy:
    return async_solipsism.EventLoopPolicy()


class Output(StringIO):
    """What was written, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.times = [asyncio.get_event_loop().time()]

    def write(self, text: str) -> int:
        if text.strip():
            self.times.append(asyncio.get_event_loop().time())
        return super().write(text)


def show_on(output: Output) -> Display:
    return Display(Console(file=output, width=100), asyncio.get_event_loop().time)


async def test_no_silence_while_something_lasts() -> None:
    output = Output()
    display = show_on(output)
    async with display.never_silent():
        display.begin("starting an archive")
        await asyncio.sleep(10.5)
        with display.stage("mining", 100) as update:
            for done in range(1, 101):
                await asyncio.sleep(0.5)
                update(done, "blocks")
            await asyncio.sleep(9)
    gaps = [after - before for before, after in zip(output.times, output.times[1:])]
    assert max(gaps) <= SILENCE_LIMIT + 0.01
    lines = output.getvalue().splitlines()
    assert lines[:4] == [
        "starting an archive",
        "still starting an archive, 4 s",
        "still starting an archive, 8 s",
        "mining",
    ]
    assert lines[-3:] == [
        "mining: 100 of 100 blocks",
        "still mining, 54 s",
        "still mining, 58 s",
    ]
    assert not [line for line in lines[4:-2] if "still" in line]


async def test_says_nothing_after_the_end() -> None:
    output = Output()
    display = show_on(output)
    async with display.never_silent():
        display.begin("starting")
    await asyncio.sleep(20)
    assert output.getvalue() == "starting\n"
