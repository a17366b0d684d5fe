"""Against an endpoint of the bus that a test plays in the place of a node."""
import argparse
import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
import socket
from typing import Any, AsyncIterator, Callable

from lahja import AsyncioEndpoint, ConnectionConfig, EndpointAPI
import pytest

from blockio_plugin.events import GetBlockIOStatusRequest, GetBlockIOStatusResponse
from blockio_plugin.node.commands import running_node
from blockio_plugin.node.commands.running_node import NoNode, connect, find_ipc_dir


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The bus between processes is a real socket."""
    return asyncio.DefaultEventLoopPolicy()


def parse(**flags: Any) -> argparse.Namespace:
    """What Trinity makes of no flags but these."""
    from trinity.cli_parser import parser

    args = parser.parse_args([])
    vars(args).update(flags)
    return args


def test_where_the_sockets_are(tmp_path: Path) -> None:
    data_dir, root = str(tmp_path / "d"), str(tmp_path)
    assert find_ipc_dir(parse(data_dir=data_dir)) == tmp_path / "d" / "ipcs-eth1"
    assert find_ipc_dir(parse(data_dir=data_dir, network_id=77)) == tmp_path / "d" / "ipcs-eth1"
    below = find_ipc_dir(parse(trinity_root_dir=root))
    assert below == tmp_path / "mainnet" / "ipcs-eth1"
    with pytest.raises(NoNode, match="--network-id 77 needs --data-dir"):
        find_ipc_dir(parse(trinity_root_dir=root, network_id=77))
    assert not list(tmp_path.iterdir())


@asynccontextmanager
async def node(ipc_dir: Path) -> AsyncIterator[EndpointAPI]:
    ipc_dir.mkdir(exist_ok=True)
    async with AsyncioEndpoint.serve(ConnectionConfig.from_name("blockio", ipc_dir)) as endpoint:
        yield endpoint


async def respond(endpoint: EndpointAPI, status: Any, ignored: int = 0) -> None:
    async for request in endpoint.stream(GetBlockIOStatusRequest):
        if ignored:
            ignored -= 1
            continue
        await endpoint.broadcast(GetBlockIOStatusResponse(status), request.broadcast_config())


@pytest.mark.parametrize("ignored", [0, 1])
async def test_a_node_answers_even_where_the_first_request_was_lost(
    tmp_path: Path, make_status: Callable[..., Any], ignored: int
) -> None:
    async with node(tmp_path) as endpoint:
        answering = asyncio.ensure_future(respond(endpoint, make_status(), ignored))
        async with connect(tmp_path) as running:
            status = await asyncio.wait_for(running.ask_status(), 20)
            assert status.head_number == make_status().head_number
        answering.cancel()


async def try_to_connect(ipc_dir: Path) -> str:
    with pytest.raises(NoNode) as caught:
        async with connect(ipc_dir):
            pass
    message = str(caught.value)
    assert "\n" not in message
    return message


async def test_who_is_not_there(tmp_path: Path) -> None:
    ipc_dir = tmp_path / "ipcs-eth1"
    assert await try_to_connect(ipc_dir) == f"no node runs on {tmp_path}"
    ipc_dir.mkdir()
    (ipc_dir / "networking.ipc").touch()
    assert "runs without block I/O" in await try_to_connect(ipc_dir)
    # What a killed node leaves behind is a socket on which nobody listens.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(ipc_dir / "blockio.ipc"))
    assert "left by one that was killed" in await try_to_connect(ipc_dir)


async def test_who_takes_the_connection_and_says_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "blockio.ipc"))
        silent.listen()
        assert "did not answer in 2 s" in await try_to_connect(tmp_path)


async def test_a_node_that_hangs(
    tmp_path: Path, make_status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_node, "ANSWER_TIMEOUT", 0.5)
    monkeypatch.setattr(running_node, "REPEAT_TIME", 0.2)
    async with node(tmp_path) as endpoint:
        answering = asyncio.ensure_future(respond(endpoint, make_status(), 10 ** 9))
        async with connect(tmp_path) as running:
            with pytest.raises(NoNode, match="does not answer"):
                await running.ask_status()
        answering.cancel()
