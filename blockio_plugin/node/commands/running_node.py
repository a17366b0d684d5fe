"""Finds a running node by its data directory, and asks it over its event bus."""
import argparse
import asyncio
from contextlib import asynccontextmanager
import os
from pathlib import Path
from typing import AsyncIterator
import uuid

from lahja import AsyncioEndpoint, ConnectionConfig, EndpointAPI
from lahja.exceptions import ConnectionAttemptRejected, RemoteDisconnected
from trinity.config import TrinityConfig
from trinity.constants import APP_IDENTIFIER_ETH1, MAINNET_NETWORK_ID
from trinity.exceptions import AmbigiousFileSystem
from trinity.network_configurations import PRECONFIGURED_NETWORKS

from blockio_plugin.events import (
    BLOCKIO_ENDPOINT,
    TO_BLOCKIO_BROADCAST_CONFIG,
    BlockIOStatus,
    GetBlockIOStatusRequest,
)

CONNECT_TIMEOUT = 2.0
"""Seconds for the event bus of a node to take us in, most: it is on the same machine."""

ANSWER_TIMEOUT = 10.0
"""Seconds for a node to say its status, most; a busy one may be asked again."""

REPEAT_TIME = 1.0
"""Seconds after which it is asked once more: a bus may lose what it is sent while it connects."""


class NoNode(Exception):
    """There is no node to ask. The message says so in one line."""


def find_ipc_dir(args: argparse.Namespace) -> Path:
    """
    Where the sockets of the node are that Trinity's own flags name. Nothing is made.

    :raise NoNode: they name none
    """
    found = argparse.Namespace(**vars(args))
    if found.genesis is None and found.network_id not in PRECONFIGURED_NETWORKS:
        if found.data_dir is None:
            raise NoNode(f"--network-id {found.network_id} needs --data-dir to find the node by")
        # Its data directory tells all that is needed, and its genesis is not.
        found.network_id = MAINNET_NETWORK_ID
    try:
        config = TrinityConfig.from_parser_args(found, APP_IDENTIFIER_ETH1, ())
        ipc_dir: Path = config.ipc_dir
    except AmbigiousFileSystem:
        raise NoNode("no data directory: use --data-dir or --trinity-root-dir") from None
    return ipc_dir


class RunningNode:
    """A node that we are connected to."""

    def __init__(self, event_bus: EndpointAPI) -> None:
        self.event_bus = event_bus

    async def ask_status(self) -> BlockIOStatus:
        """
        How block I/O is doing.

        :raise NoNode: the node ended, or does not answer
        """
        loop = asyncio.get_event_loop()
        deadline = loop.time() + ANSWER_TIMEOUT
        while loop.time() < deadline:
            if not self.event_bus.is_connected_to(BLOCKIO_ENDPOINT):
                raise NoNode("the node ended")
            request = self.event_bus.request(
                GetBlockIOStatusRequest(), TO_BLOCKIO_BROADCAST_CONFIG
            )
            try:
                return (await asyncio.wait_for(request, REPEAT_TIME)).status
            except asyncio.TimeoutError:
                continue
        raise NoNode(f"the node does not answer: nothing came for {ANSWER_TIMEOUT:.0f} s")


@asynccontextmanager
async def connect(ipc_dir: Path) -> AsyncIterator[RunningNode]:
    """
    Connect to the node whose sockets are in ``ipc_dir``.

    :raise NoNode: none is there, or it runs without block I/O
    """
    path = ipc_dir / f"{BLOCKIO_ENDPOINT}.ipc"
    if not path.exists():
        is_vanilla = any(ipc_dir.glob("*.ipc"))
        raise NoNode(
            f"the node on {ipc_dir.parent} runs without block I/O, or is just starting or stopping"
            if is_vanilla
            else f"no node runs on {ipc_dir.parent}"
        )
    # Two connections of one name at once, even if one is just closing, stop the bus.
    name = f"blockio-command-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    async with AsyncioEndpoint(name).run() as endpoint:
        try:
            await asyncio.wait_for(_join(endpoint, path), CONNECT_TIMEOUT)
        except (OSError, ConnectionAttemptRejected, RemoteDisconnected):
            left = "what is there was left by one that was killed"
            raise NoNode(f"no node runs on {ipc_dir.parent}; {left}") from None
        except asyncio.TimeoutError:
            raise NoNode(
                f"the node on {ipc_dir.parent} did not answer in {CONNECT_TIMEOUT:.0f} s"
            ) from None
        yield RunningNode(endpoint)


async def _join(endpoint: EndpointAPI, path: Path) -> None:
    await endpoint.connect_to_endpoints(ConnectionConfig(BLOCKIO_ENDPOINT, path))
    await endpoint.wait_until_endpoint_subscribed_to(BLOCKIO_ENDPOINT, GetBlockIOStatusRequest)
