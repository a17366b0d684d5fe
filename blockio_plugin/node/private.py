"""
Every touch of Trinity's private names, and of its internals that no hook is meant for.

Trinity 0.1.0a37 has no hook to add a sub-protocol or to check flags before the data directory is
made. Both are done here without patching code. A later Trinity may break this module and no other.
"""
import argparse
from typing import Any, Callable, Type

from eth_utils import ValidationError
from trinity.config import Eth1AppConfig, TrinityConfig

USAGE_ERROR = 2
"""The exit status of a command line that makes no sense, as argparse has it."""


def check_after_parsing(
    parser: argparse.ArgumentParser, check: Callable[[argparse.Namespace], None]
) -> None:
    """
    Let ``check`` refuse the parsed flags by raising ``ValidationError``: one line, exit status 2.

    ``BaseComponent.validate_cli`` comes too late: Trinity has made the data directory by then, and
    turns a ``ValidationError`` into exit status 0.
    """
    parse_args = parser.parse_args

    def parse_and_check(*args: Any, **kwargs: Any) -> argparse.Namespace:
        namespace: argparse.Namespace = parse_args(*args, **kwargs)
        try:
            check(namespace)
        except ValidationError as err:
            parser.exit(USAGE_ERROR, f"{parser.prog}: error: {err}\n")
        return namespace

    setattr(parser, "parse_args", parse_and_check)


def refuse(parser: argparse.ArgumentParser, message: str) -> None:
    """End the process with one line and an exit status that is not 0."""
    parser.exit(USAGE_ERROR, f"{parser.prog}: error: {message}\n")


def replace_app_config(
    trinity_config: TrinityConfig, app_config_type: Type[Eth1AppConfig]
) -> None:
    """
    Put an ``app_config_type`` in the place of the stock ``Eth1AppConfig``.

    The configs are pickled by reference into each process of the node, so all of them see it.
    """
    stock = trinity_config.get_app_config(Eth1AppConfig)
    trinity_config._app_configs[Eth1AppConfig] = app_config_type(trinity_config, stock.sync_mode)
