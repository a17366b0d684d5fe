"""What `check_data_dir` makes of whole directories. Its single checks have tests of their own."""
import json
from pathlib import Path
import re
from typing import Callable

from eth.db.backends.level import LevelDB
from eth_utils import ValidationError
import pytest
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.constants import APP_IDENTIFIER_ETH1, SYNC_FULL

from blockio_plugin.node.preflight import check_data_dir
from blockio_plugin.node.scheme_check import load_record
from blockio_plugin.rules.schemes import parse_scheme
from blockio_plugin.tools.chain_builder import Recipe, build_data_dir

# Fixtures and their types are in conftest.py.

Check = Callable[[str], None]


@pytest.fixture
def trinity_config(recipe: Recipe, tmp_path: Path) -> TrinityConfig:
    config = TrinityConfig(
        recipe.network_id,
        app_identifier=APP_IDENTIFIER_ETH1,
        genesis_config=json.loads(recipe.genesis.read_text()),
        data_dir=tmp_path,
    )
    config.add_app_config(Eth1AppConfig(config, SYNC_FULL))
    return config


@pytest.fixture
def path(trinity_config: TrinityConfig) -> Path:
    directory: Path = trinity_config.get_app_config(Eth1AppConfig).database_dir
    return directory


@pytest.fixture
def check(trinity_config: TrinityConfig) -> Check:
    return lambda scheme: check_data_dir(trinity_config, parse_scheme(scheme))


def test_nothing_is_made_where_nothing_is(check: Check, path: Path) -> None:
    check("slot:12")
    assert not path.parent.exists()
    path.mkdir(parents=True)
    check("slot:12")
    assert not list(path.iterdir())


def test_a_database_without_a_chain(check: Check, path: Path) -> None:
    path.mkdir(parents=True)
    LevelDB(path).db.close()
    check("slot:12")


def test_a_chain(recipe: Recipe, check: Check, path: Path, tmp_path: Path) -> None:
    build_data_dir(recipe, tmp_path, blocks=30)
    check("slot:12")
    check("number")
    with pytest.raises(ValidationError, match="^--blockio-view-scheme slot:120: blocks"):
        check("slot:120")
    db = LevelDB(path)
    record = load_record(db)
    db.db.close()
    assert record is not None and record.number == 30


def test_another_networks_chain(
    recipe: Recipe, trinity_config: TrinityConfig, check: Check, path: Path, tmp_path: Path
) -> None:
    build_data_dir(recipe, tmp_path, blocks=1)
    trinity_config.genesis_config["genesis"]["extraData"] = "0x00"
    pattern = f"^{re.escape(str(path))} is another network's: .* 0x[0-9a-f]{{64}}, .* 0x"
    with pytest.raises(ValidationError, match=pattern):
        check("slot:12")


def test_a_database_that_cannot_be_opened(
    recipe: Recipe, check: Check, path: Path, tmp_path: Path
) -> None:
    build_data_dir(recipe, tmp_path, blocks=1)
    (path / "CURRENT").write_text("nonsense\n")
    with pytest.raises(ValidationError, match="^cannot open the chain in") as refusal:
        check("slot:12")
    assert "\n" not in str(refusal.value)
