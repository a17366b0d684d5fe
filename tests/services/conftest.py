"""Services run in virtual time here: a sleep takes no time, and the clock of the loop is exact."""
import asyncio

import async_solipsism
import pytest


class VirtualTimePolicy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return async_solipsism.EventLoop()


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTimePolicy()
