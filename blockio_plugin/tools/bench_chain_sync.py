"""
How fast whole chains are imported, beside Trinity's own full sync and py-evm in memory.

What bounds it is py-evm, which executes block after block in one process; fetching, checking
and writing are done by other processes meanwhile. Each run says how busy the importing process
was, and after the runs a profile says in which packages its time goes: less than a tenth is code
of this one, the rest is py-evm and what it uses.

What moved it towards that bound: one write for 64 blocks in the place of one round trip for each
key, the faster keccak, no log line for each block in the log file. What moved the bound itself:
copies of headers and blocks that share their values, and not reading back each block that was just
stored (``node/lean_chain.py``). What did not: other thresholds of Python's garbage collector.
"""
import asyncio
import contextlib
import json
import os
from pathlib import Path
import shutil
from statistics import median
import sys
from typing import Dict, List, NamedTuple, Optional

from blockio_plugin.node.cli import choose_keccak
from blockio_plugin.tools.bench_report import Figure, make_median_figure
from blockio_plugin.tools.bench_sync import Bench, MeasuredSync, SourceChain
from blockio_plugin.tools.chain_builder import Recipe, build_data_dir, iterate_blocks, read_recipe
from blockio_plugin.tools.data_dir import open_data_dir
from blockio_plugin.tools.display import Display
from blockio_plugin.tools.import_profile import OURS
from blockio_plugin.tools.node_process import start_nodes

ROUNDS = 3
"""Times that each sync is measured, in turn; the median ratio of the rounds counts."""

SCHEME_ROUNDS = 7
"""The same for the two schemes: they are so close that only the median of many runs tells."""

RECIPE = Path("fixtures", "demo", "chain.toml")
"""The recipe of the demo's chain, seen from the top of the repository; the mined ones vary it."""

EMPTY_BLOCKS = 10_000
"""Blocks of the chain without transactions."""

TRANSFER_BLOCKS = 1_000
"""Blocks of the chain with transfers."""

TRANSFERS = 10
"""Transfers in each block of that chain."""

NUMBER, SLOT = "number", "slot:30"

MEMORY = "memory"
"""Stands for ``import_block`` on a database in memory."""

OWN_SYNC = None
"""Stands for Trinity's own full sync."""


class MeasuredChain(NamedTuple):
    """A chain, both in a data directory and in files, and what is asked of us on it."""

    name: str
    source: SourceChain
    files: Path
    wanted: float
    """Our blocks/s over those of Trinity's own sync, least."""


def mine_chain(name: str, recipe: Recipe, directory: Path, wanted: float) -> MeasuredChain:
    """Mine a chain into a data directory, and write it to files beside it."""
    data_dir, files = directory / "data", directory / "files"
    build_data_dir(recipe, data_dir)
    files.mkdir()
    shutil.copy(str(recipe.genesis), str(files / "genesis.json"))
    with open_data_dir(data_dir, recipe.genesis, recipe.network_id) as db:
        (files / "chain.rlp").write_bytes(b"".join(iterate_blocks(db, 1, recipe.blocks)))
    source = SourceChain(data_dir, recipe.genesis, recipe.network_id, recipe.blocks, 0.0)
    return MeasuredChain(name, source, files, wanted)


def mine_empty(directory: Path) -> MeasuredChain:
    """The chain of empty blocks."""
    recipe = read_recipe(RECIPE)._replace(blocks=EMPTY_BLOCKS, transfer_every=EMPTY_BLOCKS + 1)
    return mine_chain(f"{EMPTY_BLOCKS} empty blocks", recipe, directory, 3.0)


def mine_transfers(directory: Path) -> MeasuredChain:
    """The chain with transfers in each block."""
    recipe = read_recipe(RECIPE)._replace(
        blocks=TRANSFER_BLOCKS, transfer_every=1, transfers=TRANSFERS
    )
    return mine_chain(f"{TRANSFER_BLOCKS} blocks of {TRANSFERS} transfers", recipe, directory, 2.0)


async def measure_memory_import(files: Path) -> float:
    """Blocks/s of py-evm alone."""
    return float(await _run_tool("memory_import", files))


async def profile_import(files: Path) -> Dict[str, float]:
    """The share of each package in the time that importing takes, the largest first."""
    shares: Dict[str, float] = json.loads(await _run_tool("import_profile", files))
    return shares


async def _run_tool(name: str, files: Path) -> bytes:
    """What a tool prints, run in a fresh process with the keccak that our importer uses."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"blockio_plugin.tools.{name}",
        str(files),
        stdout=asyncio.subprocess.PIPE,
        env=choose_keccak(os.environ),
    )
    output, _ = await process.communicate()
    return output


async def measure_chain(
    chain: MeasuredChain, directory: Path, display: Display, with_slots: bool
) -> List[Figure]:
    """A fresh node with one peer on loopback, in each of the ways."""
    bench = Bench(directory, chain.source)
    contenders: List[Optional[str]] = [NUMBER, OWN_SYNC, MEMORY]
    if with_slots:
        contenders.insert(1, SLOT)
    syncs: Dict[Optional[str], List[MeasuredSync]] = {contender: [] for contender in contenders}
    async with contextlib.AsyncExitStack() as stack:
        schemes = [NUMBER, SLOT] if with_slots else [NUMBER]
        servers = await start_nodes(
            stack, [bench.configure(scheme, holds_chain=True) for scheme in schemes]
        )
        for completed in range(SCHEME_ROUNDS if with_slots else ROUNDS):
            for contender in contenders if completed < ROUNDS else (NUMBER, SLOT):
                if contender == MEMORY:
                    sync = MeasuredSync(await measure_memory_import(chain.files), 1.0)
                else:
                    server = servers[-1] if contender == SLOT else servers[0]
                    sync = await bench.measure(contender, [server.enode()])
                display.say(
                    f"{chain.name}, {contender or 'own sync of Trinity'}: {sync.rate:.0f}/s"
                    + (f", importing process {sync.busy:.0%} busy" if sync.busy else "")
                )
                syncs[contender].append(sync)
    shares = await profile_import(chain.files)
    display.say(
        f"{chain.name}, where the time of importing goes: "
        + ", ".join(f"{package} {share:.0%}" for package, share in shares.items())
    )
    rates = {contender: [sync.rate for sync in syncs[contender]] for contender in contenders}
    ours, unit = rates[NUMBER], "blocks/s"
    busy = median(sync.busy for sync in syncs[NUMBER])
    figures = [
        make_median_figure(
            f"{chain.name}, beside Trinity", ours, unit, rates[OWN_SYNC], chain.wanted
        ),
        make_median_figure(
            f"{chain.name}, beside py-evm in memory", ours, unit, rates[MEMORY], 0.85
        ),
        Figure(f"{chain.name}, importing process at work", busy, "", 1.0, None),
        Figure(f"{chain.name}, this package in importing", shares[OURS], "", 1.0, None),
    ]
    if with_slots:
        figures.append(
            make_median_figure(f"{chain.name}, {SLOT}", rates[SLOT], unit, ours, 0.95)
        )
    return figures
