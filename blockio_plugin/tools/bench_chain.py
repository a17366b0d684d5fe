"""The chain side: whole syncs, hindered syncs, serving, following, memory, and kills."""
import asyncio

from blockio_plugin.tools.bench_chain_links import measure_hindered, measure_serving
from blockio_plugin.tools.bench_chain_node import (
    measure_backfill,
    measure_following,
    measure_kills,
    measure_memory,
)
from blockio_plugin.tools.bench_chain_sync import (
    RECIPE,
    MeasuredChain,
    measure_chain,
    mine_empty,
    mine_transfers,
)
from blockio_plugin.tools.bench_report import BenchRun, Part
from blockio_plugin.tools.bench_sync import SourceChain, find_chain, prepare
from blockio_plugin.tools.chain_builder import read_recipe

SHORT_BLOCKS = 200
"""Blocks of the chain on whose head a node follows."""

GETH, EMPTY, TRANSFERS = "geth-2020", "empty", "transfers"
HINDERED, SERVING, MEMORY, KILLS = "hindered", "serving", "memory", "kills"
FOLLOWING, BACKFILL = "following", "backfill"

ON_GETH = {
    HINDERED: measure_hindered,
    SERVING: measure_serving,
    MEMORY: measure_memory,
    KILLS: measure_kills,
}
"""What is measured on the chain of go-ethereum, beside the syncs."""

ON_MINED = {FOLLOWING: measure_following, BACKFILL: measure_backfill}
"""What is measured on a chain that grows meanwhile."""

SECTIONS = (GETH, EMPTY, TRANSFERS, *ON_MINED, HINDERED, SERVING, MEMORY, KILLS)
"""What ``--only`` can name, in the order in which it is measured."""


async def _prepare(run: BenchRun) -> SourceChain:
    run.display.say("importing the chain of go-ethereum for the nodes that serve")
    return await asyncio.get_event_loop().run_in_executor(
        None, prepare, find_chain(GETH), run.directory / "geth"
    )


async def measure(run: BenchRun) -> None:
    """The sections that are asked for."""
    loop = asyncio.get_event_loop()
    directory, display = run.directory, run.display
    if not run.sections.isdisjoint({GETH, *ON_GETH}):
        source = await _prepare(run)
    if GETH in run.sections:
        chain = MeasuredChain(GETH, source, find_chain(GETH), 3.0)
        run.figures.extend(await measure_chain(chain, directory / GETH, display, with_slots=True))
    for section, mine in ((EMPTY, mine_empty), (TRANSFERS, mine_transfers)):
        if section in run.sections:
            display.say(f"mining the chain of {section}")
            chain = await loop.run_in_executor(None, mine, directory / f"{section}-chain")
            run.figures.extend(await measure_chain(chain, directory / section, display, False))
    recipe = read_recipe(RECIPE)._replace(blocks=SHORT_BLOCKS)
    for section, measure_mined in ON_MINED.items():
        if section in run.sections:
            run.figures.extend(await measure_mined(recipe, directory / section, display))
    for section, measure_geth in ON_GETH.items():
        if section in run.sections:
            run.figures.extend(await measure_geth(source, directory / section, display))


PART = Part(SECTIONS, measure)
"""This part."""
