"""Whether a local chain starts with the genesis that is asked for."""
from eth.abc import BlockHeaderAPI, ChainAPI
from eth.db.atomic import AtomicDB
from eth_typing import BlockNumber
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.network_configurations import PRECONFIGURED_NETWORKS


class OtherGenesis(ValueError):
    """The chain is another network's. The message names both genesis blocks."""


def check_genesis(stored: BlockHeaderAPI, trinity_config: TrinityConfig) -> None:
    """
    Compare the genesis that is stored with the one that is asked for.

    :raise OtherGenesis: they are not the same
    """
    asked = make_genesis(trinity_config)
    if stored.hash != asked.hash:
        raise OtherGenesis(
            f"the chain that is stored has the genesis 0x{stored.hash.hex()}, and network "
            f"{trinity_config.network_id} as asked for has 0x{asked.hash.hex()}"
        )


def make_genesis(trinity_config: TrinityConfig) -> BlockHeaderAPI:
    """The genesis of the network that is asked for; of one of its own its state is hashed."""
    network = PRECONFIGURED_NETWORKS.get(trinity_config.network_id)
    if network is not None:
        header: BlockHeaderAPI = network.genesis_header
        return header
    chain_config = trinity_config.get_app_config(Eth1AppConfig).get_chain_config()
    chain: ChainAPI = chain_config.initialize_chain(AtomicDB())
    return chain.get_canonical_block_header_by_number(BlockNumber(0))
