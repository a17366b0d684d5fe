"""
Trees of blocks that weigh what a test says: any difficulty, any branches, in microseconds each.

The chain here takes the difficulty of each header as it stands, asks for no seal and pays no
reward. Its blocks have no transactions, so that none changes the state, and making one is writing
down its header.
"""
from itertools import count
from typing import Any, Dict, Sequence, Type

from eth.abc import AtomicDatabaseAPI, BlockAPI, BlockHeaderAPI
from eth.chains.base import Chain
from eth.consensus import NoProofConsensus
from eth.consensus.clique.clique import configure_header
from eth.db.atomic import AtomicDB
from eth.rlp.headers import BlockHeader
from eth.typing import AccountState, HeaderParams
from eth.vm.forks.istanbul import IstanbulVM
from eth_hash.auto import keccak
from eth_typing import Address, BlockNumber
import rlp

GAS_LIMIT = 8_000_000
"""Gas of each block."""


GENESIS_STATE: AccountState = {
    Address(bytes(19) + b"\1"): {"balance": 1, "nonce": 0, "code": b"", "storage": {}}
}
"""py-evm looks for the state of each block in the database, where that of no account is not."""


def _pay_nothing(*_: Any) -> int:
    return 0


AnyWeightVM = IstanbulVM.configure(
    __name__="AnyWeightVM",
    consensus_class=NoProofConsensus,
    configure_header=configure_header,
    get_block_reward=staticmethod(_pay_nothing),
    get_nephew_reward=classmethod(_pay_nothing),
    get_uncle_reward=staticmethod(_pay_nothing),
)
"""py-evm's machine, but for the rules that say how heavy a block is and what it earns."""


class AnyWeightChain(Chain):
    """A chain of such blocks."""

    vm_configuration = ((BlockNumber(0), AnyWeightVM),)
    chain_id = 1


class BlockTree:
    """Makes blocks; each one's parent is any that was made before. All trees have one genesis."""

    chain_class: Type[Chain] = AnyWeightChain

    def __init__(self) -> None:
        self._tags = count()
        self.genesis = self.begin_chain(AtomicDB())

    def begin_chain(self, db: AtomicDatabaseAPI) -> BlockHeaderAPI:
        """Write the genesis to ``db``."""
        params: Dict[str, HeaderParams] = {
            "difficulty": 1,
            "block_number": 0,
            "gas_limit": GAS_LIMIT,
            "timestamp": 1,
        }
        chain = self.chain_class.from_genesis(db, params, GENESIS_STATE)
        genesis: BlockHeaderAPI = chain.get_canonical_head()
        return genesis

    def add(
        self, parent: BlockHeaderAPI, difficulty: int, uncles: Sequence[BlockHeaderAPI] = ()
    ) -> BlockAPI:
        """A new block on ``parent``."""
        header = BlockHeader(
            parent_hash=parent.hash,
            uncles_hash=keccak(rlp.encode(tuple(uncles))),
            state_root=parent.state_root,
            difficulty=difficulty,
            block_number=BlockNumber(parent.block_number + 1),
            gas_limit=GAS_LIMIT,
            timestamp=parent.timestamp + 1,
            # Siblings differ in it.
            extra_data=next(self._tags).to_bytes(4, "big"),
        )
        block: BlockAPI = AnyWeightVM.get_block_class()(
            header=header, transactions=(), uncles=tuple(uncles)
        )
        return block

    def add_line(self, parent: BlockHeaderAPI, *difficulties: int) -> Sequence[BlockAPI]:
        """New blocks in a row on ``parent``, one of each difficulty."""
        line = []
        for difficulty in difficulties:
            line.append(self.add(parent, difficulty))
            parent = line[-1].header
        return line
