"""Services run in virtual time here: a sleep takes no time, and the clock of the loop is exact."""
import asyncio

import pytest

from blockio_plugin.tools.virtual_time import VirtualTimePolicy


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTimePolicy()
