"""
Where the time of importing a chain goes, by package, as cProfile tells.

Run as a program, in a process of its own, with the directory of a chain as argument; it prints the
share of each package as JSON. A built-in function counts for the package that calls it. The
database is in memory, so this is the work of the importing process alone.
"""
import cProfile
from collections import Counter
import json
from pathlib import Path, PurePath
import pstats
import sys
from typing import Counter as CounterType
from typing import Dict

from eth.db.atomic import AtomicDB

from blockio_plugin.node.cli import limit_evm_log
from blockio_plugin.tools.chain_files import import_chain, read_blocks, read_chain_config

OURS = "blockio_plugin"
"""The name of this package."""

LIBRARIES = frozenset({OURS, "eth", "rlp", "rusty_rlp", "trie", "coincurve", "eth_keys"})
"""Packages that are told by name."""

OTHERS = "others"
"""What is told together: the standard library and small packages."""


def profile_import(chain_dir: Path) -> Dict[str, float]:
    """The share of each package in importing the chain in ``chain_dir``; together 1."""
    config = read_chain_config(chain_dir / "genesis.json")
    blocks = list(read_blocks(chain_dir / "chain.rlp"))
    profile = cProfile.Profile()
    profile.runcall(import_chain, AtomicDB(), config, blocks)
    # What pstats keeps for each function: calls, calls, own time, time, and the same by caller.
    functions = getattr(pstats.Stats(profile), "stats")
    seconds: CounterType[str] = Counter()
    for (path, _, _), (_, _, own, _, callers) in functions.items():
        if path == "~" and callers:
            for (caller_path, _, _), (_, _, own_for_caller, _) in callers.items():
                seconds[_find_package(caller_path)] += own_for_caller
        else:
            seconds[_find_package(path)] += own
    total = sum(seconds.values())
    return {package: spent / total for package, spent in seconds.most_common()}


def _find_package(path: str) -> str:
    parts = PurePath(path).parts
    return next((part for part in reversed(parts) if part in LIBRARIES), OTHERS)


if __name__ == "__main__":
    limit_evm_log({})
    sys.stdout.write(json.dumps(profile_import(Path(sys.argv[1]))))
