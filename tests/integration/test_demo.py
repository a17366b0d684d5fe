"""What the demo does where a node does not come up. The demo itself is a command of its own."""
import contextlib
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from blockio_plugin.tools import demo
from blockio_plugin.tools.display import Display

pytestmark = pytest.mark.integration


async def test_a_node_is_tried_again_and_the_reason_is_one_line(
    mined: Any, directory: Path
) -> None:
    output = StringIO()
    display = Display(Console(file=output, width=200))
    config = mined.configure(directory / "a", False)._replace(view_scheme="height")
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(demo.DemoFailed, match="^an archive did not start$"):
            await demo.start(stack, config, "an archive", display)
    lines = output.getvalue().splitlines()
    assert len(lines) == 2 * demo.START_ATTEMPTS
    for attempt in range(demo.START_ATTEMPTS):
        assert lines[2 * attempt] == "starting an archive"
        assert "--blockio-view-scheme 'height'" in lines[2 * attempt + 1]
