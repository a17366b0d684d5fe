import json
from pathlib import Path
from typing import Any, Dict

from eth.db.atomic import AtomicDB
import pytest
from trinity.config import Eth1AppConfig, Eth1ChainConfig, TrinityConfig
from trinity.constants import APP_IDENTIFIER_ETH1, SYNC_FULL
from trinity.network_configurations import PRECONFIGURED_NETWORKS

from blockio_plugin.node.genesis_check import OtherGenesis, check_genesis, make_genesis

GENESIS = Path(__file__).parent.parent.parent / "fixtures" / "demo" / "genesis.json"


def configure(genesis: Dict[str, Any], network_id: int = 45324) -> TrinityConfig:
    config = TrinityConfig(
        network_id, app_identifier=APP_IDENTIFIER_ETH1, genesis_config=genesis
    )
    config.add_app_config(Eth1AppConfig(config, SYNC_FULL))
    return config


@pytest.fixture
def genesis() -> Dict[str, Any]:
    loaded: Dict[str, Any] = json.loads(GENESIS.read_text())
    return loaded


def store(genesis: Dict[str, Any]) -> Any:
    chain_config = Eth1ChainConfig.from_eip1085_genesis_config(genesis)
    return chain_config.initialize_chain(AtomicDB()).get_canonical_head()


def test_the_same(genesis: Dict[str, Any]) -> None:
    check_genesis(store(genesis), configure(genesis))


def change_time(genesis: Dict[str, Any]) -> None:
    genesis["genesis"]["timestamp"] = "0x1"


def change_state(genesis: Dict[str, Any]) -> None:
    genesis["accounts"]["0x" + "01" * 20] = {"balance": "0x1"}


@pytest.mark.parametrize("change", [change_time, change_state])
def test_another_names_both(genesis: Dict[str, Any], change: Any) -> None:
    stored = store(genesis)
    change(genesis)
    asked = store(genesis)
    with pytest.raises(OtherGenesis) as refusal:
        check_genesis(stored, configure(genesis))
    assert stored.hash.hex() in str(refusal.value) and asked.hash.hex() in str(refusal.value)
    assert "45324" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("network_id", sorted(PRECONFIGURED_NETWORKS))
def test_public_networks(network_id: int) -> None:
    config = TrinityConfig(network_id, app_identifier=APP_IDENTIFIER_ETH1)
    assert make_genesis(config) == PRECONFIGURED_NETWORKS[network_id].genesis_header
