"""How fast blocks reach another process over the bus, beside how fast they come off the wire."""
from pathlib import Path
import time

from async_service import background_asyncio_service
from lahja import AsyncioEndpoint, EndpointAPI

from blockio_plugin.client import fetch_views
from blockio_plugin.events import BLOCKIO_ENDPOINT
from blockio_plugin.node.blockio_process import BlockIO
from blockio_plugin.services.chain_thread import ChainThread
from blockio_plugin.tools.bench_report import BenchRun, Figure, Part
from blockio_plugin.tools.bus_process import BusConfig, BusProcess, ModelledPeers, NoImporter
from blockio_plugin.tools.encoded_chain import SLOT
from blockio_plugin.tools.memory_chain import MemoryChain

BLOCKS = 3000
"""Small blocks (some 500 bytes) in one fetch."""

ROUNDS = 3
"""Times that each is measured, in turn. The best one counts, since whatever disturbs a run on a
shared machine makes it slower."""

WANTED = 0.8
"""The least part of the wire's rate that is good enough."""


async def time_fetch(event_bus: EndpointAPI) -> float:
    """Blocks/s of one fetch of all blocks."""
    began = time.monotonic()
    async with fetch_views(event_bus, ((1, 1 + BLOCKS),)) as blocks:
        count = len([block async for block in blocks])
    assert count == BLOCKS
    return BLOCKS / (time.monotonic() - began)


async def measure_wire(config: BusConfig) -> float:
    """The same where whoever asks lives in the process that receives: nothing crosses the bus."""
    chain = config.make_chain()
    peers = ModelledPeers(config, chain)
    own = ChainThread(MemoryChain(chain[:1], SLOT.name))
    async with AsyncioEndpoint(BLOCKIO_ENDPOINT).run() as bus:
        async with background_asyncio_service(
            BlockIO(bus, peers, peers, NoImporter(), own, SLOT, drives=False)
        ):
            return await time_fetch(bus)


async def measure_bus(config: BusConfig, directory: Path) -> float:
    """From one process to another."""
    async with BusProcess.run(config, directory) as process, process.connect() as bus:
        return await time_fetch(bus)


async def measure(run: BenchRun) -> None:
    """The rate over the bus beside that off the wire, as fast as both can."""
    config = BusConfig(blocks=BLOCKS)
    wire = bus = 0.0
    for number in range(1, ROUNDS + 1):
        wire = max(wire, await measure_wire(config))
        bus = max(bus, await measure_bus(config, run.directory))
        run.display.say(f"round {number} of {ROUNDS}: {bus:.0f} blocks/s, off the wire {wire:.0f}")
    run.figures.append(
        Figure("a fetch of 3,000 blocks over the bus", bus, "blocks/s", wire, WANTED)
    )


PART = Part(("fetch",), measure)
"""This part."""
