"""The command line flags of block I/O, and what may not be combined with them."""
import argparse
import importlib.util
import logging
from typing import Dict, Mapping, Optional

from eth_utils import ValidationError
from trinity.cli_parser import LOG_LEVEL_CHOICES
from trinity.constants import SYNC_LIGHT
from trinity.network_configurations import PRECONFIGURED_NETWORKS

from blockio_plugin.node.view_schemes import find_scheme
from blockio_plugin.rules.limits import (
    DEFAULT_MEMORY,
    LEAST_MEMORY,
    MIB,
    MemoryBudget,
    TooLittleMemory,
)
from blockio_plugin.rules.schemes import InvalidScheme, NumberScheme, SchemeSpec

ENABLE_FLAG = "--enable-blockio"
"""Turns block I/O on."""

SCHEME_FLAG = "--blockio-view-scheme"
"""Names the view scheme."""

BACKFILL_FLAG = "--blockio-backfill"
"""Has gaps below the head filled."""

MEMORY_FLAG = "--blockio-memory"
"""Says how much memory blocks may take."""

MAX_MEMORY_DIGITS = 9
"""Digits of the memory in MiB, most: below a petabyte."""

SYNC_NONE = "none"
"""Trinity's name for running no syncer of its own."""

KECCAK_VARIABLE = "ETH_HASH_BACKEND"
"""The environment variable that chooses the implementation of keccak (eth-hash)."""

FAST_KECCAK, FAST_KECCAK_MODULE = "pysha3", "sha3"
"""The faster implementation, by the name that eth-hash has for it, and the module it needs."""

ECC_VARIABLE = "ECC_BACKEND_CLASS"
"""The environment variable that chooses the implementation of signatures (eth-keys)."""

REMEMBERING_ECC, ECC_MODULE = "blockio_plugin.node.ecc_backend.RememberingBackend", "coincurve"
"""The implementation that recovers each key once, and the module it needs."""

EVM_LOGGER = "eth"
"""The logger of py-evm."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of block I/O to Trinity's."""
    group = parser.add_argument_group("block I/O")
    group.add_argument(
        ENABLE_FLAG,
        action="store_true",
        help=(
            "Advertise, ask for and serve blocks by view range. With --sync-mode none this drives "
            "the sync; with any other mode it assists"
        ),
    )
    group.add_argument(
        SCHEME_FLAG,
        metavar="SCHEME",
        help=(
            "How headers map to views: 'number' (the default), 'slot:SECONDS', or the name of a "
            "scheme that an installed package brings. All nodes of a network must use the same"
        ),
    )
    group.add_argument(
        BACKFILL_FLAG,
        action="store_true",
        help=(
            "Once at the head, fetch the blocks that are missing below it, as after a start from "
            "a checkpoint. They are checked by their hashes and not executed"
        ),
    )
    group.add_argument(
        MEMORY_FLAG,
        metavar="MIB",
        help=(
            "Memory for blocks between the wire and the database in all, those that other "
            f"components fetch included, in MiB (default: {DEFAULT_MEMORY // MIB}, at least "
            f"{LEAST_MEMORY // MIB})"
        ),
    )


def get_scheme_spec(args: argparse.Namespace) -> SchemeSpec:
    """The view scheme that was asked for; flags have been validated."""
    name = args.blockio_view_scheme
    return find_scheme(NumberScheme.name if name is None else name)


def get_memory_budget(args: argparse.Namespace) -> MemoryBudget:
    """
    The memory for blocks.

    :raise ValidationError: one line that names the flag and its value
    """
    text = args.blockio_memory
    if text is None:
        return MemoryBudget.divide()
    if not (text.isascii() and text.isdigit()):
        raise ValidationError(f"{MEMORY_FLAG} {text!r}: not a whole number of MiB")
    if len(text) > MAX_MEMORY_DIGITS:
        raise ValidationError(f"{MEMORY_FLAG} {text!r}: more than any machine has")
    try:
        return MemoryBudget.divide(int(text) * MIB)
    except TooLittleMemory as err:
        raise ValidationError(f"{MEMORY_FLAG} {text}: {err}") from err


def drives_chain(args: argparse.Namespace) -> bool:
    """Whether block I/O drives the chain, rather than assist one of Trinity's own syncers."""
    return bool(args.sync_mode == SYNC_NONE)


def describe_role(args: argparse.Namespace) -> str:
    """What block I/O does in this node, in one line for the log."""
    scheme = get_scheme_spec(args).name
    if drives_chain(args):
        backfill = ", fills gaps" if args.blockio_backfill else ""
        return f"Block I/O drives the chain (--sync-mode none), view scheme {scheme}{backfill}"
    return (
        f"Block I/O assists --sync-mode {args.sync_mode}: advertises and serves, "
        f"view scheme {scheme}"
    )


def choose_keccak(environment: Mapping[str, str]) -> Dict[str, str]:
    """
    The environment of the process that imports: with the faster of the two implementations of
    keccak, where it is installed and nobody has chosen another one. It is an eighth of all the work
    of importing.
    """
    chosen = dict(environment)
    if not chosen.get(KECCAK_VARIABLE) and importlib.util.find_spec(FAST_KECCAK_MODULE) is not None:
        chosen[KECCAK_VARIABLE] = FAST_KECCAK
    return chosen


def choose_ecc(environment: Mapping[str, str]) -> Dict[str, str]:
    """
    The same with signatures: each transaction's key is then recovered once and not twice, a
    twentieth of the work of a transfer.
    """
    chosen = dict(environment)
    if not chosen.get(ECC_VARIABLE) and importlib.util.find_spec(ECC_MODULE) is not None:
        chosen[ECC_VARIABLE] = REMEMBERING_ECC
    return chosen


def limit_evm_log(logger_levels: Mapping[Optional[str], int]) -> None:
    """
    Keep py-evm from writing several lines for each block to the log file, unless a level was asked
    for by name (``--log-level eth=DEBUG``). Trinity does so with a library that drowns its log.

    :param logger_levels: levels by logger. The key None is Trinity's for ``--log-level DEBUG``,
        which names no logger
    """
    names = [name for name in logger_levels if name is not None]
    if not any(name == EVM_LOGGER or name.startswith(EVM_LOGGER + ".") for name in names):
        logging.getLogger(EVM_LOGGER).setLevel(logging.INFO)


def read_log_levels(args: argparse.Namespace) -> None:
    """
    Make numbers of the levels in ``--stderr-log-level`` and ``--file-log-level``. Trinity leaves
    them as text, which it then cannot compare with other levels.

    :raise ValidationError: one line that names the flag and its value
    """
    for name in ("stderr_log_level", "file_log_level"):
        text = getattr(args, name)
        if text is not None:
            if text.upper() not in LOG_LEVEL_CHOICES:
                flag = "--" + name.replace("_", "-")
                raise ValidationError(f"{flag} {text!r}: none of {', '.join(LOG_LEVEL_CHOICES)}")
            setattr(args, name, LOG_LEVEL_CHOICES[text.upper()])


def check_flags(args: argparse.Namespace) -> None:
    """
    All that is done with the flags of a command line as soon as it is parsed.

    :raise ValidationError: one line that names the flag and its value
    """
    validate_flags(args)
    if args.enable_blockio:
        read_log_levels(args)


def validate_flags(args: argparse.Namespace) -> None:
    """
    Refuse what cannot work, before anything is written.

    :raise ValidationError: one line that names the flag and its value
    """
    if not args.enable_blockio:
        if args.blockio_view_scheme is not None:
            raise ValidationError(
                f"{SCHEME_FLAG} {args.blockio_view_scheme} has no effect without {ENABLE_FLAG}"
            )
        if args.blockio_backfill:
            raise ValidationError(f"{BACKFILL_FLAG} has no effect without {ENABLE_FLAG}")
        if args.blockio_memory is not None:
            raise ValidationError(
                f"{MEMORY_FLAG} {args.blockio_memory} has no effect without {ENABLE_FLAG}"
            )
        return
    try:
        get_scheme_spec(args)
    except InvalidScheme as err:
        raise ValidationError(f"{SCHEME_FLAG} {args.blockio_view_scheme!r}: {err}") from err
    get_memory_budget(args)
    if args.sync_mode == SYNC_LIGHT:
        raise ValidationError(
            f"{ENABLE_FLAG} does not work with --sync-mode {SYNC_LIGHT}: "
            "a light node holds no blocks"
        )
    if args.blockio_backfill and not drives_chain(args):
        raise ValidationError(
            f"{BACKFILL_FLAG} does not work with --sync-mode {args.sync_mode}: it needs "
            f"--sync-mode {SYNC_NONE}, since Trinity's own syncers fill gaps themselves"
        )
    if args.genesis is not None and args.network_id in PRECONFIGURED_NETWORKS:
        raise ValidationError(
            f"{ENABLE_FLAG} with --genesis also needs --network-id: with network id "
            f"{args.network_id} Trinity uses a genesis of its own and ignores the file"
        )
