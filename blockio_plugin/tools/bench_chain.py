"""The chain side: whole syncs, hindered syncs, serving, following, memory, and kills."""
import asyncio
from pathlib import Path
from typing import List

from blockio_plugin.tools.bench_chain_links import measure_hindered, measure_serving
from blockio_plugin.tools.bench_chain_node import measure_following, measure_kills, measure_memory
from blockio_plugin.tools.bench_chain_sync import RECIPE, MeasuredChain, measure_chain, mine_chains
from blockio_plugin.tools.bench_report import Figure
from blockio_plugin.tools.bench_sync import find_chain, prepare
from blockio_plugin.tools.chain_builder import read_recipe
from blockio_plugin.tools.display import Display

SHORT_BLOCKS = 200
"""Blocks of the chain on whose head a node follows."""


async def measure(directory: Path, display: Display) -> List[Figure]:
    """All figures of this part; data goes into ``directory``."""
    loop = asyncio.get_event_loop()
    files = find_chain("geth-2020")
    display.say("preparing the chains")
    source = await loop.run_in_executor(None, prepare, files, directory / "geth")
    geth = MeasuredChain("geth-2020", source, files, 3.0)
    mined = await loop.run_in_executor(None, mine_chains, directory)
    figures: List[Figure] = []
    for index, chain in enumerate((geth, *mined)):
        where = directory / f"nodes-{index}"
        figures += await measure_chain(chain, where, display, with_slots=chain is geth)
    figures += await measure_hindered(source, directory / "hindered", display)
    figures += await measure_serving(source, directory / "serving", display)
    recipe = read_recipe(RECIPE)._replace(blocks=SHORT_BLOCKS)
    figures += await measure_following(recipe, directory / "following", display)
    figures += await measure_memory(source, directory / "memory", display)
    return figures + await measure_kills(source, directory / "kills", display)
