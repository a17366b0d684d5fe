"""Looks at the data directory before the node starts, while refusing still changes no chain."""
from contextlib import contextmanager
import logging
from pathlib import Path
from typing import Iterator

from eth.abc import BlockHeaderAPI
from eth.db.backends.level import LevelDB
from eth.db.chain import ChainDB
from eth.exceptions import HeaderNotFound
from eth_typing import BlockNumber
from eth_utils import ValidationError
import plyvel
from trinity.config import Eth1AppConfig, TrinityConfig
from typing_extensions import Final

from blockio_plugin.node.cli import SCHEME_FLAG
from blockio_plugin.node.data_dir_check import InUse, check_unused
from blockio_plugin.node.genesis_check import OtherGenesis, check_genesis
from blockio_plugin.node.scheme_check import SchemeBroken, check_scheme
from blockio_plugin.rules.schemes import SchemeSpec

LEVELDB_MARK: Final = "CURRENT"
"""A file that every LevelDB has in its directory."""

logger = logging.getLogger("blockio_plugin.node.preflight")


class NoChain(Exception):
    """There is no chain yet."""


def check_data_dir(trinity_config: TrinityConfig, spec: SchemeSpec) -> None:
    """
    Refuse a data directory that is in use, or whose chain is another network's or does not keep to
    the view scheme; remove what a node that was killed has left.

    :raise ValidationError: one line that says what is the matter
    """

    def report(number: int, head: int) -> None:
        logger.info("Checking the chain against view scheme %s: %d of %d", spec.name, number, head)

    path = trinity_config.get_app_config(Eth1AppConfig).database_dir
    try:
        check_unused(trinity_config)
        with open_chain(path) as db:
            genesis = read_genesis(db)
            check_genesis(genesis, trinity_config)
            check_scheme(db, spec.bind(genesis), report)
    except NoChain:
        pass
    except InUse as err:
        raise ValidationError(str(err)) from err
    except OtherGenesis as err:
        raise ValidationError(f"{path} is another network's: {err}") from err
    except SchemeBroken as err:
        raise ValidationError(f"{SCHEME_FLAG} {spec.name}: {err}") from err
    except (OSError, plyvel.Error) as err:
        raise ValidationError(f"cannot open the chain in {path}: {err}") from err


@contextmanager
def open_chain(path: Path) -> Iterator[LevelDB]:
    """
    The LevelDB in the directory ``path``.

    :raise NoChain: there is none; nothing is made
    :raise OSError: somebody else holds it
    :raise plyvel.Error: it is broken
    """
    if not (path / LEVELDB_MARK).exists():
        raise NoChain
    db = LevelDB(path)
    try:
        yield db
    finally:
        db.db.close()


def read_genesis(db: LevelDB) -> BlockHeaderAPI:
    """The genesis. :raise NoChain: Trinity was ended before it wrote it"""
    try:
        return ChainDB(db).get_canonical_block_header_by_number(BlockNumber(0))
    except HeaderNotFound:
        raise NoChain from None
