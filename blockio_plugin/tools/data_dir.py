"""Data directories that a node starts on."""
from contextlib import contextmanager
import json
from pathlib import Path
from typing import Iterator

from eth.db.backends.level import LevelDB
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.constants import APP_IDENTIFIER_ETH1, SYNC_FULL
from trinity.initialization import ensure_eth1_dirs, initialize_data_dir, is_data_dir_initialized

from blockio_plugin.tools.chain_files import initialize_chain


@contextmanager
def open_data_dir(data_dir: Path, genesis: Path, network_id: int) -> Iterator[LevelDB]:
    """
    The chain database of ``data_dir``, both with everything that Trinity writes at a first start.

    A node started with ``--data-dir``, ``--genesis`` and ``--network-id`` of these finds what is
    written here. It must not run while the database is open.

    :param data_dir: new, empty, or made by Trinity; its parents are made too
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    trinity_config = TrinityConfig(
        network_id,
        app_identifier=APP_IDENTIFIER_ETH1,
        genesis_config=json.loads(genesis.read_text()),
        data_dir=data_dir,
    )
    # Any sync mode but the light one has the same database.
    app_config = Eth1AppConfig(trinity_config, SYNC_FULL)
    if not is_data_dir_initialized(trinity_config):
        initialize_data_dir(trinity_config)
    ensure_eth1_dirs(app_config)
    db = LevelDB(app_config.database_dir)
    try:
        initialize_chain(db, app_config.get_chain_config())
        yield db
    finally:
        db.db.close()
