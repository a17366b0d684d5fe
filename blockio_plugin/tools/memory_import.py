"""
How fast py-evm imports a chain into a database in memory: the limit for whoever imports with it.

Run as a program, in a process of its own, with the directory of a chain as argument; it prints
blocks/s. What is timed is decoding each block and ``import_block`` with full validation.
"""
from pathlib import Path
import sys
import time

from eth.db.atomic import AtomicDB
import rlp

from blockio_plugin.node.cli import limit_evm_log
from blockio_plugin.tools.chain_files import initialize_chain, read_blocks, read_chain_config


def measure_import(chain_dir: Path) -> float:
    """Blocks/s of the chain in ``chain_dir``."""
    config = read_chain_config(chain_dir / "genesis.json")
    db = AtomicDB()
    initialize_chain(db, config)
    chain = config.full_chain_class(db)
    blocks = tuple(read_blocks(chain_dir / "chain.rlp"))
    started_at = time.monotonic()
    for number, block_rlp in enumerate(blocks, start=1):
        block_class = chain.get_vm_class_for_block_number(number).get_block_class()
        chain.import_block(rlp.decode(block_rlp, sedes=block_class), perform_validation=True)
    return len(blocks) / (time.monotonic() - started_at)


if __name__ == "__main__":
    limit_evm_log({})
    sys.stdout.write(f"{measure_import(Path(sys.argv[1]))}\n")
