"""Runs a real Trinity node as a process group of its own, watches it, and ends it for sure."""
import asyncio
import contextlib
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
from typing import Any, AsyncIterator, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Type
import uuid

from eth_keys import keys
from lahja import AsyncioEndpoint, BaseRequestResponseEvent, ConnectionConfig

from blockio_plugin.events import (
    BLOCKIO_ENDPOINT,
    TO_BLOCKIO_BROADCAST_CONFIG,
    BlockIOStatus,
    GetBlockIOStatusRequest,
)
from blockio_plugin.tools.node_log import find_reason

BOOT_TIMEOUT = 180.0
"""Seconds for a node to listen, most. It takes about 10 on two idle cores, 60 on busy ones."""

PORT_ATTEMPTS = 3
"""Ports that are tried, most."""

PORT_TAKEN = "address already in use"
"""How a log says that another port is needed."""

BUS_TIMEOUT = 30.0
"""Seconds for an endpoint of a running node to answer what it should."""

STATUS_TIMEOUT = 5.0
"""Seconds after which a node is asked for its status again."""

STOP_TIMEOUT = 30.0
"""Seconds from Ctrl-C to a kill."""

ENVIRONMENT = {
    # All of the node's processes are then one group that can be killed as such.
    "TRINITY_SINGLE_PROCESS_GROUP": "1",
    # Of the warnings that a pre-release of Trinity turns on, those that concern us.
    "PYTHONWARNINGS": "ignore,default::ResourceWarning,default::RuntimeWarning",
}
"""Set for every node."""

QUIET_FLAGS = (
    "--disable-discovery",
    "--disable-upnp",
    "--disable-rpc",
    "--disable-tx-pool",
)
"""A node on loopback that talks only to the nodes it is told of."""


class NodeConfig(NamedTuple):
    """What a node is started with."""

    data_dir: Path
    genesis: Path
    network_id: int
    sync_mode: str = "none"
    view_scheme: Optional[str] = None
    """None runs a vanilla node, without the plugin."""
    preferred_nodes: Tuple[str, ...] = ()
    flags: Tuple[str, ...] = QUIET_FLAGS


class NodeFailed(Exception):
    """The node did not come up, or ended by itself. The message has the end of its log."""

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return find_reason(str(self))


def pick_free_port() -> int:
    """A TCP port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        port: int = probe.getsockname()[1]
        return port


def guard_group(group: int) -> "subprocess.Popen[bytes]":
    """
    Have a process group killed when this process ends, however it ends: a process of its own waits
    for the end of a pipe whose other end only we hold.
    """
    return subprocess.Popen(
        ["sh", "-c", f"read line; kill -s KILL -- -{group}"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class NodeProcess:
    """A running node."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.port = 0
        self.key = keys.PrivateKey(os.urandom(32))
        self.log_path = config.data_dir.with_name(config.data_dir.name + ".log")
        self._process: Optional[asyncio.subprocess.Process] = None
        self._guard: Optional["subprocess.Popen[bytes]"] = None

    @classmethod
    @contextlib.asynccontextmanager
    async def run(cls, config: NodeConfig) -> AsyncIterator["NodeProcess"]:
        """Start a node, wait until it listens, and leave no process of it behind at the end."""
        node = cls(config)
        try:
            await node.start()
            yield node
        finally:
            node.kill()
            await node.wait()
            node._release_guard()

    def enode(self, port: Optional[int] = None) -> str:
        """The node's address; ``port`` is that of a relay in front of it."""
        return f"enode://{self.key.public_key.to_hex()[2:]}@127.0.0.1:{port or self.port}"

    @property
    def command(self) -> Sequence[str]:
        """The command line."""
        config = self.config
        command: List[str] = [str(Path(sys.executable).with_name("trinity"))]
        command += ["--data-dir", str(config.data_dir), "--genesis", str(config.genesis)]
        command += ["--network-id", str(config.network_id), "--sync-mode", config.sync_mode]
        command += ["--port", str(self.port), "--nodekey", self.key.to_hex()]
        for enode in config.preferred_nodes:
            command += ["--preferred-node", enode]
        if config.view_scheme is not None:
            command += ["--enable-blockio", "--blockio-view-scheme", config.view_scheme]
        command += config.flags
        return command

    async def start(self) -> None:
        """
        Start the node on a free port and wait until it listens. May be called again after an end.

        :raise NodeFailed: it did not come up
        """
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                return await self._start(pick_free_port())
            except NodeFailed:
                # Somebody else may have taken the port since it was picked.
                if attempt == PORT_ATTEMPTS or PORT_TAKEN not in self.log_tail(100).lower():
                    raise

    async def _start(self, port: int) -> None:
        self.port = port
        # Trinity makes no directory outside its own root.
        self.config.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT},
                start_new_session=True,
            )
        self._release_guard()
        self._guard = guard_group(self._process.pid)
        listening = asyncio.ensure_future(self._wait_listening())
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait(
                {listening, ended}, timeout=BOOT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
            )
            if not listening.done():
                raise NodeFailed(f"the node did not start to listen:\n{self.log_tail()}")
        finally:
            listening.cancel()
            ended.cancel()

    async def _wait_listening(self) -> None:
        while True:
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.1)

    @property
    def is_running(self) -> bool:
        """Whether the node's main process is alive."""
        return self._process is not None and self._process.returncode is None

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGINT)

    async def stop(self) -> float:
        """Press Ctrl-C, wait for the end, and say how many seconds it took."""
        loop = asyncio.get_event_loop()
        started_at = loop.time()
        self.interrupt()
        try:
            await asyncio.wait_for(self.wait(), STOP_TIMEOUT)
        finally:
            self.kill()
        return loop.time() - started_at

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Kill every process of the node."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sig)

    async def wait(self) -> Optional[int]:
        """Wait for the main process to end; its exit status."""
        return None if self._process is None else await self._process.wait()

    def _release_guard(self) -> None:
        """The group is gone, and its number may be somebody else's soon."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None

    def processes(self) -> Tuple[int, ...]:
        """The ids of all live processes of the node's group."""
        if self._process is None:
            return ()
        group = str(self._process.pid)
        alive = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # pid (name) state ppid pgrp ...; the name may hold anything but ends with ')'.
                fields = stat.read_text().rpartition(")")[2].split()
                if fields[2] == group and fields[0] != "Z":
                    alive.append(int(stat.parent.name))
        return tuple(alive)

    def log(self) -> str:
        """All that the node has logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 20) -> str:
        """The end of the log."""
        return "\n".join(self.log().splitlines()[-lines:])

    @contextlib.asynccontextmanager
    async def event_bus(
        self, name: str, request: Type[BaseRequestResponseEvent[Any]]
    ) -> AsyncIterator[AsyncioEndpoint]:
        """
        An endpoint connected to the node's endpoint ``name``, once that answers ``request``.

        :raise asyncio.TimeoutError: it does not come to that
        """
        path = self.config.data_dir / "ipcs-eth1" / f"{name}.ipc"
        # Two connections of one name at once, even if one is just closing, stop the bus.
        endpoint = AsyncioEndpoint(f"observer-{uuid.uuid4().hex[:8]}")
        async with endpoint.run():
            # Trinity lists its endpoints only among themselves, so a stranger connects by path.
            await endpoint.connect_to_endpoints(ConnectionConfig(name, path))
            await asyncio.wait_for(
                endpoint.wait_until_endpoint_subscribed_to(name, request), BUS_TIMEOUT
            )
            yield endpoint

    async def watch(self, interval: float = 0.25) -> AsyncIterator[BlockIOStatus]:
        """The node's status, every ``interval`` seconds, from when block I/O is up."""
        path = self.config.data_dir / "ipcs-eth1" / f"{BLOCKIO_ENDPOINT}.ipc"
        while not path.exists():
            if not self.is_running:
                raise NodeFailed(f"the node ended:\n{self.log_tail()}")
            await asyncio.sleep(0.1)
        async with self.event_bus(BLOCKIO_ENDPOINT, GetBlockIOStatusRequest) as bus:
            while self.is_running:
                # While two endpoints connect the bus may lose a response.
                with contextlib.suppress(asyncio.TimeoutError):
                    request = bus.request(GetBlockIOStatusRequest(), TO_BLOCKIO_BROADCAST_CONFIG)
                    yield (await asyncio.wait_for(request, STATUS_TIMEOUT)).status
                    await asyncio.sleep(interval)
        raise NodeFailed(f"the node ended:\n{self.log_tail()}")


async def start_nodes(
    stack: contextlib.AsyncExitStack, configs: Iterable[NodeConfig]
) -> List[NodeProcess]:
    """
    Start nodes side by side; ``stack`` ends them.

    :raise NodeFailed: one of them did not come up
    """
    nodes = await asyncio.gather(
        *(stack.enter_async_context(NodeProcess.run(config)) for config in configs),
        # All have to be on the stack before an error is told, so that all are ended.
        return_exceptions=True,
    )
    for node in nodes:
        if isinstance(node, BaseException):
            raise node
    return list(nodes)
