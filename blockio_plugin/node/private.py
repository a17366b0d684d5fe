"""
Every touch of private names of Trinity and py-evm, and of internals that no hook is meant for.

Trinity 0.1.0a37 has no hook to add a sub-protocol or to check flags before the data directory is
made, and the py-evm that it pins none to choose the class of accounts or to say which blocks count
as missing. All are done here without patching code. A later Trinity may break this module and no
other.
"""
import argparse
import contextlib
from typing import Any, Callable, Iterator, Optional, Sequence, Tuple, Type

from eth.abc import BlockAPI, BlockHeaderAPI, DatabaseAPI, VirtualMachineAPI
from eth.db.account import AccountDB
from eth.db.chain import ChainDB
from eth.db.chain_gaps import GapChange, GapInfo
from eth.exceptions import CanonicalHeadNotFound, HeaderNotFound
from eth.rlp.accounts import Account
from eth.typing import ChainGaps
from eth_typing import Address, BlockNumber, Hash32
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


class AccountDBOfClass(AccountDB):
    """The stock database of accounts, but for the class of the accounts that it hands out."""

    account_class: Type[Account] = Account

    def _get_account(self, address: Address, from_journal: bool = True) -> Account:
        account = super()._get_account(address, from_journal)
        if not isinstance(account, self.account_class):
            account = self.account_class(*account)
            if from_journal:
                self._account_cache[address] = account
        return account


def replace_account_db(
    vm_class: Type[VirtualMachineAPI], account_db_class: Type[AccountDBOfClass]
) -> Type[VirtualMachineAPI]:
    """The machine with ``account_db_class`` in the place of the stock one, if it has that."""
    stock = vm_class.get_state_class()
    if stock.get_account_db_class() is not AccountDB:
        return vm_class
    state_class = type(stock.__name__, (stock,), {"account_db_class": account_db_class})
    replaced: Type[VirtualMachineAPI] = type(
        vm_class.__name__, (vm_class,), {"_state_class": state_class}
    )
    return replaced


class ChainDBWithOwnGaps(ChainDB):
    """
    The stock chain database, but that it leaves its records of gaps to the two ``note_`` methods.

    Both are called while a block is written, with the batch that it is written in.
    """

    @classmethod
    def note_head(
        cls, db: DatabaseAPI, head: BlockHeaderAPI, new: Sequence[BlockHeaderAPI]
    ) -> None:
        """
        ``head`` has become the canonical head.

        :param new: all headers that have become canonical with it, ascending
        """

    @classmethod
    def note_canonical_block(
        cls, db: DatabaseAPI, block: BlockAPI, gaps: ChainGaps
    ) -> ChainGaps:
        """All of ``block``, which is canonical, is stored. From the gaps before to those after."""
        return gaps

    @classmethod
    def _set_as_canonical_chain_head(
        cls, db: DatabaseAPI, header: BlockHeaderAPI, genesis_parent_hash: Hash32
    ) -> Tuple[Tuple[BlockHeaderAPI, ...], Tuple[BlockHeaderAPI, ...]]:
        new, old = super()._set_as_canonical_chain_head(db, header, genesis_parent_hash)
        cls.note_head(db, header, new)
        return new, old

    @classmethod
    def _find_new_ancestors(
        cls, db: DatabaseAPI, header: BlockHeaderAPI, genesis_parent_hash: Hash32
    ) -> Tuple[BlockHeaderAPI, ...]:
        # Nothing above the head is canonical, whatever the stock one has left under these numbers.
        try:
            head_number = cls._get_canonical_head(db).block_number
        except CanonicalHeadNotFound:
            head_number = BlockNumber(-1)
        above = []
        while header.block_number > head_number:
            above.append(header)
            if header.parent_hash == genesis_parent_hash:
                return tuple(above)
            try:
                header = cls._get_block_header_by_hash(db, header.parent_hash)
            except HeaderNotFound:
                # As in the stock one: below a checkpoint nothing may be stored.
                return tuple(above)
        below = super()._find_new_ancestors(db, header, genesis_parent_hash)
        return (*above, *below)

    @classmethod
    def _update_header_chain_gaps(
        cls,
        db: DatabaseAPI,
        persisting_header: BlockHeaderAPI,
        base_gaps: Optional[ChainGaps] = None,
    ) -> GapInfo:
        # A header that is stored is not canonical for that.
        gaps = cls._get_header_chain_gaps(db) if base_gaps is None else base_gaps
        return GapChange.NoChange, gaps

    @classmethod
    def _update_chain_gaps(
        cls, db: DatabaseAPI, persisted_block: BlockAPI, base_gaps: Optional[ChainGaps] = None
    ) -> GapInfo:
        gaps = cls._get_chain_gaps(db) if base_gaps is None else base_gaps
        try:
            canonical_hash = cls._get_canonical_block_hash(db, persisted_block.number)
        except HeaderNotFound:
            return GapChange.NoChange, gaps
        if canonical_hash == persisted_block.hash:
            gaps = cls.note_canonical_block(db, persisted_block, gaps)
        return GapChange.NoChange, gaps
