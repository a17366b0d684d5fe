"""
The command lines of ``trinity blockio ...``. Trinity imports this for every one of its commands, so
what the commands do is imported when one is run.
"""
import argparse
from importlib import import_module
from pathlib import Path
import sys

from p2p.kademlia import Node
from p2p.validation import validate_enode_uri

from blockio_plugin.node.commands.view_ranges import parse_views

COMMAND = "blockio"
"""The command of Trinity that ours are sub-commands of."""

MARK = "blockio_command"
"""The attribute of parsed flags that holds the name of our command, where it is one of ours."""


def add_commands(subparser: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to Trinity's."""
    parser = subparser.add_parser(COMMAND, help="look at a running node's block I/O")
    commands = parser.add_subparsers(dest=MARK, metavar="COMMAND")
    commands.required = True
    # Trinity's own flags come before the name of the command.
    status = commands.add_parser("status", help="say how block I/O of the running node is doing")
    status.add_argument("--json", action="store_true", help="as one JSON object")
    status.add_argument("--watch", action="store_true", help="again every two seconds")
    commands.add_parser("watch", help="show it on a live screen")
    fetch = commands.add_parser(
        "fetch", help="fetch blocks through the running node, from its chain and its peers"
    )
    fetch.add_argument(
        "views", type=parse_views, metavar="START..STOP", help="views, without STOP"
    )
    fetch.add_argument(
        "--out",
        type=Path,
        metavar="FILE.rlp",
        help="write them there, in the form that 'trinity import' takes",
    )
    probe = commands.add_parser(
        "probe", help="look at any node from outside, and whether it keeps to the protocol"
    )
    probe.add_argument("enode", type=parse_enode, metavar="ENODE", help="its address")
    probe.add_argument(
        "--views",
        type=parse_views,
        metavar="START..STOP",
        help="ask for blocks in these views only, without STOP",
    )
    probe.add_argument(
        "--genesis",
        dest="genesis_file",
        type=Path,
        metavar="FILE",
        help="the genesis (EIP-1085) of a node that does not give it",
    )
    probe.add_argument("--json", action="store_true", help="as one JSON object")


def parse_enode(text: str) -> str:
    """
    Check an address.

    :raise argparse.ArgumentTypeError: it is none; the message is one line
    """
    try:
        validate_enode_uri(text)
        Node.from_uri(text)
    except Exception as err:
        raise argparse.ArgumentTypeError(f"{text!r} is no enode: {err}") from None
    return text


def is_command(args: argparse.Namespace) -> bool:
    """Whether the flags are those of one of our commands."""
    return hasattr(args, MARK)


def run_command(args: argparse.Namespace) -> None:
    """
    Run the command and end the process. Nothing is written to the data directory, and no log file
    of a running node is touched: Trinity would do both before it runs a command.
    """
    module = import_module(f"blockio_plugin.node.commands.{getattr(args, MARK)}")
    sys.exit(module.main(args))
