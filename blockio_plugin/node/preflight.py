"""Looks at the local chain before the node starts, while refusing still changes nothing."""
import logging

from eth_utils import ValidationError
from trinity.config import Eth1AppConfig, TrinityConfig

from blockio_plugin.node.cli import SCHEME_FLAG
from blockio_plugin.node.scheme_check import SchemeBroken, check_database
from blockio_plugin.rules.schemes import SchemeSpec

logger = logging.getLogger("blockio_plugin.node.preflight")


def check_local_chain(trinity_config: TrinityConfig, spec: SchemeSpec) -> None:
    """
    Refuse a local chain that does not keep to the view scheme.

    :raise ValidationError: one line that names the flag, its value and the two blocks
    """

    def report(number: int, head: int) -> None:
        logger.info("Checking the chain against view scheme %s: %d of %d", spec.name, number, head)

    path = trinity_config.get_app_config(Eth1AppConfig).database_dir
    try:
        check_database(path, spec, report)
    except SchemeBroken as broken:
        raise ValidationError(f"{SCHEME_FLAG} {spec.name}: {broken}") from broken
    except OSError as err:
        raise ValidationError(f"cannot open the chain in {path}: {err}") from err
