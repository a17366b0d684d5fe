import argparse
import logging
from typing import Mapping, Optional

from eth_keys.backends import get_backend_class
from eth_utils import ValidationError
import pytest

from blockio_plugin.node import cli
from blockio_plugin.node.cli import (
    add_flags,
    check_flags,
    describe_role,
    drives_chain,
    get_memory_budget,
    get_scheme_spec,
    validate_flags,
)
from blockio_plugin.node.ecc_backend import RememberingBackend
from blockio_plugin.rules.limits import LEAST_MEMORY, MIB, MemoryBudget


def parse(
    *flags: str,
    sync_mode: str = "none",
    genesis: Optional[str] = None,
    network_id: int = 1,
) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    args = parser.parse_args(flags)
    # Trinity's own flags.
    args.sync_mode, args.genesis, args.network_id = sync_mode, genesis, network_id
    return args


def test_without_the_flag_nothing_is_asked_of_others() -> None:
    validate_flags(parse(sync_mode="light", genesis="genesis.json"))


def test_number_is_the_default() -> None:
    args = parse("--enable-blockio")
    validate_flags(args)
    assert get_scheme_spec(args).name == "number"


@pytest.mark.parametrize("scheme", ["number", "slot:1", "slot:30"])
def test_schemes_that_are_fine(scheme: str) -> None:
    args = parse("--enable-blockio", "--blockio-view-scheme", scheme)
    validate_flags(args)
    assert get_scheme_spec(args).name == scheme


@pytest.mark.parametrize(
    "scheme", ["", "slot", "slot:", "slot:0", "slot:-3", "slot:1.5", "slot:x", "height", "slot:١"]
)
def test_a_scheme_that_does_not_parse_is_named(scheme: str) -> None:
    args = parse("--enable-blockio", "--blockio-view-scheme", scheme)
    with pytest.raises(ValidationError) as refusal:
        validate_flags(args)
    assert "--blockio-view-scheme" in str(refusal.value)
    assert repr(scheme) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_light_mode_is_refused() -> None:
    with pytest.raises(ValidationError, match="--enable-blockio .* --sync-mode light"):
        validate_flags(parse("--enable-blockio", sync_mode="light"))


def test_a_genesis_without_its_network_id_is_refused() -> None:
    with pytest.raises(ValidationError, match="--genesis .* --network-id"):
        validate_flags(parse("--enable-blockio", genesis="genesis.json"))
    validate_flags(parse("--enable-blockio", genesis="genesis.json", network_id=19763))


def test_a_scheme_without_the_flag_is_refused() -> None:
    with pytest.raises(ValidationError, match="slot:30 .* without --enable-blockio"):
        validate_flags(parse("--blockio-view-scheme", "slot:30"))


def test_the_role_follows_the_sync_mode() -> None:
    driving = parse("--enable-blockio")
    assert drives_chain(driving)
    assert "drives" in describe_role(driving)
    assisting = parse("--enable-blockio", sync_mode="full")
    assert not drives_chain(assisting)
    assert "assists --sync-mode full" in describe_role(assisting)


def test_imports_with_the_faster_keccak_unless_told_otherwise() -> None:
    assert cli.choose_keccak({"A": "b"}) == {"A": "b", "ETH_HASH_BACKEND": "pysha3"}
    chosen = {"ETH_HASH_BACKEND": "pycryptodome"}
    assert cli.choose_keccak(chosen) == chosen


def test_recovers_each_key_once_unless_told_otherwise() -> None:
    variable = "ECC_BACKEND_CLASS"
    environment = cli.choose_ecc({"A": "b"})
    assert environment["A"] == "b"
    assert get_backend_class(environment[variable]) is RememberingBackend
    chosen = {variable: "eth_keys.backends.NativeECCBackend"}
    assert cli.choose_ecc(chosen) == chosen


@pytest.mark.parametrize(
    "levels, expected",
    [
        ({}, logging.INFO),
        ({"ether": logging.DEBUG}, logging.INFO),
        ({None: logging.DEBUG}, logging.INFO),
        ({None: logging.DEBUG, "eth": logging.DEBUG}, logging.NOTSET),
        ({"eth": logging.DEBUG}, logging.NOTSET),
        ({"eth.vm": logging.DEBUG}, logging.NOTSET),
    ],
)
def test_evm_logs_no_line_for_each_block_unless_asked_to(
    levels: Mapping[Optional[str], int], expected: int
) -> None:
    logger = logging.getLogger("eth")
    before = logger.level
    try:
        logger.setLevel(logging.NOTSET)
        cli.limit_evm_log(levels)
        assert logger.level == expected
    finally:
        logger.setLevel(before)


def with_levels(**levels: Optional[str]) -> argparse.Namespace:
    args = parse("--enable-blockio")
    args.stderr_log_level, args.file_log_level = levels.get("stderr"), levels.get("file")
    return args


def test_log_levels_become_numbers() -> None:
    args = with_levels(stderr="DEBUG", file="30")
    check_flags(args)
    assert (args.stderr_log_level, args.file_log_level) == (logging.DEBUG, logging.WARNING)
    args = with_levels(stderr="debug2")
    check_flags(args)
    assert (args.stderr_log_level, args.file_log_level) == (8, None)


def test_a_log_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="^--file-log-level 'LOUD': none of .*DEBUG"):
        check_flags(with_levels(file="LOUD"))


def test_without_the_flag_log_levels_stay_as_they_are() -> None:
    args = parse()
    args.stderr_log_level = "DEBUG"
    check_flags(args)
    assert args.stderr_log_level == "DEBUG"


def test_backfill_goes_with_driving_the_chain() -> None:
    args = parse("--enable-blockio", "--blockio-backfill")
    validate_flags(args)
    assert describe_role(args).endswith("view scheme number, fills gaps")


@pytest.mark.parametrize("sync_mode", ["full", "beam"])
def test_backfill_is_refused_where_another_syncer_drives(sync_mode: str) -> None:
    with pytest.raises(ValidationError, match=f"--blockio-backfill.*--sync-mode {sync_mode}"):
        validate_flags(parse("--enable-blockio", "--blockio-backfill", sync_mode=sync_mode))


def test_backfill_alone_is_refused() -> None:
    with pytest.raises(ValidationError, match="--blockio-backfill.*--enable-blockio"):
        validate_flags(parse("--blockio-backfill"))


def test_the_memory_for_blocks_can_be_set() -> None:
    args = parse("--enable-blockio")
    validate_flags(args)
    assert get_memory_budget(args) == MemoryBudget.divide()
    for mebibytes in (LEAST_MEMORY // MIB, 1000, 10 ** 8):
        args = parse("--enable-blockio", "--blockio-memory", str(mebibytes))
        validate_flags(args)
        assert get_memory_budget(args).total == mebibytes * MIB


@pytest.mark.parametrize(
    "value", ["", "0", "12", str(LEAST_MEMORY // MIB - 1), "-256", "256.0", "256M", "٢٥٦", "9" * 50]
)
def test_memory_that_is_no_number_or_too_little_is_named(value: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        validate_flags(parse("--enable-blockio", f"--blockio-memory={value}"))
    assert str(refusal.value).startswith("--blockio-memory ")
    assert value in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_memory_without_the_flag_is_refused() -> None:
    with pytest.raises(ValidationError, match="--blockio-memory 300 .* without --enable-blockio"):
        validate_flags(parse("--blockio-memory", "300"))


def test_help_says_how_much_memory_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "--blockio-memory MIB" in said
    assert "(default: 256, at least 160)" in said
