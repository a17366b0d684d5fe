"""
py-evm's chains without what they do twice. What they check, and what they store, stays theirs, but
that they check uncles in another order, and that their records of gaps are true (``chain_gaps``).

To import one block, py-evm makes a dozen copies of headers and blocks, and some of each account
that changes. Each copy checks the names of its fields several times over, and copies values that
nobody can change. Each block that was stored is read back and decoded, and so is its header as the
parent of the next one. Together that is about a fifth of the time of an import. The classes here
are derived from py-evm's own: their copies share the values, and they keep what was stored last.
"""
from typing import Any, Dict, Iterable, Optional, Tuple, Type

from eth.abc import BlockAPI, BlockHeaderAPI, BlockPersistResult, VirtualMachineAPI
from eth.chains.base import Chain
from eth.constants import GENESIS_PARENT_HASH, MAX_UNCLE_DEPTH
from eth.rlp.accounts import Account
from eth.rlp.headers import BlockHeader
from eth_typing import Hash32
from eth_utils import ValidationError
import rlp

from blockio_plugin.node.chain_gaps import TrueGapsDB
from blockio_plugin.node.private import AccountDBOfClass, replace_account_db

HEADER_FIELDS = tuple(
    map(str, BlockHeader(difficulty=0, block_number=0, gas_limit=0, timestamp=0).as_dict())
)
"""The names of a header's fields, in their order."""


class LeanHeader(BlockHeader):
    """A header whose copies share its values."""

    @classmethod
    def of(cls, values: Iterable[Any]) -> "LeanHeader":
        """The header of these values, in the order of the fields."""
        header = cls.__new__(cls)
        # Handed over in their order, they are not matched with names.
        rlp.Serializable.__init__(header, *values)
        return header

    def copy(self, **changes: Any) -> "LeanHeader":
        """
        The header with some fields changed.

        :raise TypeError: there is no such field
        """
        unknown = changes.keys() - HEADER_FIELDS
        if unknown:
            raise TypeError(f"a header has no fields {sorted(unknown)}")
        return self.of([changes.get(name, value) for name, value in zip(HEADER_FIELDS, self)])

    def build_changeset(self, **changes: Any) -> "HeaderChangeset":
        """Changes to be made at once. The stock one makes a class for each use."""
        return HeaderChangeset(self, changes)


class HeaderChangeset:
    """Collects changes of fields, set as attributes, while its context is open."""

    _header: LeanHeader
    _changes: Dict[str, Any]

    def __init__(self, header: LeanHeader, changes: Dict[str, Any]) -> None:
        # Any other attribute that is set is a change.
        self.__dict__.update(_header=header, _changes=changes)

    def __getattr__(self, name: str) -> Any:
        return self._changes[name] if name in self._changes else getattr(self._header, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._changes[name] = value

    def __enter__(self) -> "HeaderChangeset":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing to close."""

    def build_rlp(self) -> LeanHeader:
        """The header with the changes so far."""
        return self._header.copy(**self._changes)

    commit = build_rlp


class LeanAccount(Account):
    """An account whose copies share its values."""

    def copy(self, **changes: Any) -> "LeanAccount":
        """The account with some fields changed. :raise TypeError: there is no such field"""
        nonce, balance, storage_root, code_hash = self
        fields = {
            "nonce": nonce, "balance": balance, "storage_root": storage_root, "code_hash": code_hash
        }
        fields.update(changes)
        return LeanAccount(**fields)


class _LeanAccountDB(AccountDBOfClass):
    account_class = LeanAccount


class _LeanChainDB(TrueGapsDB):
    _latest: Optional[BlockHeaderAPI] = None

    def persist_block(
        self, block: BlockAPI, genesis_parent_hash: Hash32 = GENESIS_PARENT_HASH
    ) -> Tuple[Tuple[Hash32, ...], Tuple[Hash32, ...]]:
        self._latest = block.header
        return super().persist_block(block, genesis_parent_hash)

    def get_block_header_by_hash(self, block_hash: Hash32) -> BlockHeaderAPI:
        if self._latest is not None and self._latest.hash == block_hash:
            return self._latest
        return super().get_block_header_by_hash(block_hash)


class _LeanChain(Chain):
    chaindb_class = _LeanChainDB

    _latest: Optional[BlockAPI] = None

    def create_header_from_parent(
        self, parent_header: BlockHeaderAPI, **header_params: Any
    ) -> LeanHeader:
        header: BlockHeaderAPI = super().create_header_from_parent(parent_header, **header_params)
        lean: LeanHeader = LeanHeader.of(header.as_dict().values())
        return lean

    def persist_block(
        self, block: BlockAPI, perform_validation: bool = True
    ) -> BlockPersistResult:
        self._latest = block
        return super().persist_block(block, perform_validation)

    def validate_uncles(self, block: BlockAPI) -> None:
        """
        Refuse at once the uncles that py-evm refuses in the end, or stumbles over: it looks at
        their seals first. For a number far away the work of that is without bound, and ends the
        process; a difficulty of 0 is divided by.
        """
        for uncle in block.uncles:
            if not 1 <= block.number - uncle.block_number <= MAX_UNCLE_DEPTH:
                raise ValidationError(
                    f"block {block.number} has an uncle of number {uncle.block_number}"
                )
            if uncle.difficulty == 0:
                raise ValidationError(f"block {block.number} has an uncle without difficulty")
        super().validate_uncles(block)

    def get_block_by_hash(self, block_hash: Hash32) -> BlockAPI:
        if self._latest is not None and self._latest.hash == block_hash:
            return self._latest
        return super().get_block_by_hash(block_hash)


def make_lean(chain_class: Type[Chain]) -> Type[Chain]:
    """
    A chain that does what ``chain_class`` does, faster.

    Whoever takes back in the database what it stored asks it for nothing of that afterwards: it may
    still know the block that it stored last.
    """
    vm_configuration = tuple(
        (first_block, _make_lean_vm(vm_class))
        for first_block, vm_class in chain_class.vm_configuration
    )
    bases = (_LeanChain, chain_class)
    lean: Type[Chain] = type(
        chain_class.__name__, bases, {"vm_configuration": vm_configuration}
    )
    return lean


def _make_lean_vm(vm_class: Type[VirtualMachineAPI]) -> Type[VirtualMachineAPI]:
    base = replace_account_db(vm_class, _LeanAccountDB)
    block_class = _make_lean_block(vm_class.get_block_class())
    lean: Type[VirtualMachineAPI] = type(base.__name__, (base,), {"block_class": block_class})
    return lean


def _make_lean_block(block_class: Type[BlockAPI]) -> Type[BlockAPI]:
    def copy(block: Any, **changes: Any) -> BlockAPI:
        copied: BlockAPI = type(block)(**{**block.as_dict(), **changes})
        return copied

    def reduce(block: Any) -> Tuple[Any, ...]:
        # Other processes know the stock classes only.
        return rlp.decode, (rlp.encode(block), block_class)

    lean: Type[BlockAPI] = type(
        block_class.__name__, (block_class,), {"copy": copy, "__reduce__": reduce}
    )
    return lean
