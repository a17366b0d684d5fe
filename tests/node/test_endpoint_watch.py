import asyncio
from pathlib import Path
import sys

from async_service import background_asyncio_service
from lahja import AsyncioEndpoint, ConnectionConfig
import pytest

from blockio_plugin.node import endpoint_watch
from blockio_plugin.node.endpoint_watch import EndpointWatch, ProcessGone

OTHER = """
import asyncio, pathlib, sys
from lahja import AsyncioEndpoint, ConnectionConfig

async def serve():
    async with AsyncioEndpoint.serve(ConnectionConfig("other", pathlib.Path(sys.argv[1]))):
        await asyncio.sleep(60)

asyncio.get_event_loop().run_until_complete(serve())
"""
"""A process with an endpoint of the event bus."""


async def test_ends_with_a_reason_once_the_other_process_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint_watch, "GRACE_TIME", 0.1)
    path = tmp_path / "other.ipc"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER, str(path), stdin=asyncio.subprocess.DEVNULL
    )
    try:
        with pytest.raises(ProcessGone, match="other is gone"):
            async with background_asyncio_service(EndpointWatch(path)) as manager:
                # It goes on for as long as the other one is there, and serves others.
                async with AsyncioEndpoint("own").run() as own:
                    await own.connect_to_endpoints(ConnectionConfig("other", path))
                    await own.wait_until_connected_to("other")
                finished = asyncio.ensure_future(manager.wait_finished())
                await asyncio.wait({finished}, timeout=0.5)
                assert not finished.done()
                other.kill()
                await asyncio.wait_for(finished, 10)
        assert "the node stops: the process other is gone" in caplog.text
    finally:
        if other.returncode is None:
            other.kill()
        await other.wait()
