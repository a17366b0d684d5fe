"""
Every touch of Trinity's private names, and of its internals that no hook is meant for.

Trinity 0.1.0a37 has no hook to add a sub-protocol or to check flags before the data directory is
made. Both are done here without patching code. A later Trinity may break this module and no other.
"""
import argparse
import contextlib
from typing import Any, Callable, Iterator, Type

from eth_utils import ValidationError
from p2p.abc import ConnectionAPI
from trinity.cli_parser import parser as stock_parser
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
        with exit_on_refusal():
            check(namespace)
        return namespace

    setattr(parser, "parse_args", parse_and_check)


@contextlib.contextmanager
def exit_on_refusal() -> Iterator[None]:
    """Let a ``ValidationError`` inside end the process as one of the flags does."""
    try:
        yield
    except ValidationError as err:
        stock_parser.exit(USAGE_ERROR, f"{stock_parser.prog}: error: {err}\n")


def replace_app_config(
    trinity_config: TrinityConfig, app_config_type: Type[Eth1AppConfig]
) -> None:
    """
    Put an ``app_config_type`` in the place of the stock ``Eth1AppConfig``.

    The configs are pickled by reference into each process of the node, so all of them see it.
    """
    stock = trinity_config.get_app_config(Eth1AppConfig)
    trinity_config._app_configs[Eth1AppConfig] = app_config_type(trinity_config, stock.sync_mode)


def get_unsent_bytes(connection: ConnectionAPI) -> int:
    """Bytes that were sent on a connection and that the peer has not taken yet."""
    transport = connection.get_multiplexer().get_transport()
    size: int = transport._writer.transport.get_write_buffer_size()
    return size
