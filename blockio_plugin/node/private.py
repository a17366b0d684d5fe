"""
Every touch of private names of Trinity and py-evm, and of internals that no hook is meant for.

Trinity 0.1.0a37 has no hook to add a sub-protocol or to check flags before the data directory is
made, and the py-evm that it pins none to choose the class of accounts or to say which blocks count
as missing. Where nothing else does, its functions are replaced while a node of ours runs, and here
alone. A later Trinity may break this module and no
other.
"""
import argparse
import asyncio
import contextlib
import os
from typing import Any, AsyncIterator, Callable, Iterator, Optional, Sequence, Tuple, Type

from asyncio_run_in_process import constants as process_limits
from eth.abc import BlockAPI, BlockHeaderAPI, DatabaseAPI, VirtualMachineAPI
from eth.db.account import AccountDB
from eth.db.chain import ChainDB
from eth.db.chain_gaps import GapChange, GapInfo
from eth.exceptions import CanonicalHeadNotFound, HeaderNotFound
from eth.rlp.accounts import Account
from eth.typing import ChainGaps
from eth_typing import Address, BlockNumber, Hash32
from eth_utils import ValidationError
from p2p import handshake, multiplexer
from p2p.abc import ConnectionAPI, MessageAPI, SessionAPI
from p2p.commands import BaseCommand
from p2p.constants import PEER_READY_TIMEOUT
from p2p.peer import BasePeer
from p2p.peer_pool import BasePeerPool
from trinity import server
from trinity.cli_parser import parser as stock_parser
from trinity.config import Eth1AppConfig, TrinityConfig
from trinity.protocol.common.peer_pool_event_bus import BaseProxyPeer, BaseProxyPeerPool

USAGE_ERROR = 2
"""The exit status of a command line that makes no sense, as argparse has it."""

START_TIMEOUT = 120
"""Seconds for each process of a node to start, most. All start at once: two idle cores take 10."""

STOP_TIMEOUT = 6
"""Seconds for each to end after a SIGTERM, most, before it is killed; on idle cores 1. With
the 2 s after the SIGINT before it this stays below the 10 s that Trinity has for all."""


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
    trinity_config: TrinityConfig, make: Callable[[TrinityConfig, str], Eth1AppConfig]
) -> None:
    """
    Put another config in the place of the stock ``Eth1AppConfig``.

    :param make: makes it of Trinity's config and the sync mode

    The configs are pickled by reference into each process of the node, so all of them see it.
    """
    stock = trinity_config.get_app_config(Eth1AppConfig)
    trinity_config._app_configs[Eth1AppConfig] = make(trinity_config, stock.sync_mode)


def allow_slow_processes() -> None:
    """
    Give each process of the node ``START_TIMEOUT`` and ``STOP_TIMEOUT``. For the main process.

    Trinity itself sets 30 s to start, whatever the environment says, and leaves the 2 s to end as
    they are. On a busy machine a node would not come up, and be killed at the end of each run.
    """
    os.environ["ASYNCIO_RUN_IN_PROCESS_STARTUP_TIMEOUT"] = str(START_TIMEOUT)
    process_limits.SIGTERM_TIMEOUT_SECONDS = STOP_TIMEOUT


def get_unsent_bytes(connection: ConnectionAPI) -> int:
    """Bytes that were sent on a connection and that the peer has not taken yet."""
    transport = connection.get_multiplexer().get_transport()
    size: int = transport._writer.transport.get_write_buffer_size()
    return size


def guard_messages(
    guard_stream: Callable[[AsyncIterator[Any]], AsyncIterator[Any]],
    decode: Callable[[Type[BaseCommand[Any]], MessageAPI, bool], BaseCommand[Any]],
) -> None:
    """
    Put guards before what Trinity reads from peers. For the networking process.

    - ``stream_transport_messages``: a frame whose id is 0x81 or that is empty (``Message``), an
      unknown command id, one that its protocol leaves out (``KeyError``)
    - ``BaseCommand.decode``: snappy that is none or expands to gigabytes, nesting that ends the
      process in the decoder, 10**6 items, a list in the place of an integer, a disconnect reason
      that is none. In the hello too, when nobody has been let in yet
    """
    stock_stream = multiplexer.stream_transport_messages

    def stream_guarded(*args: Any) -> AsyncIterator[Any]:
        return guard_stream(stock_stream(*args))

    # Both have it under a name of their own.
    multiplexer.stream_transport_messages = stream_guarded
    handshake.stream_transport_messages = stream_guarded
    BaseCommand.decode = classmethod(decode)
    # Whoever dials and sends noise would get an ERROR with a traceback for each connection.
    server.COMMON_RECEIVE_HANDSHAKE_EXCEPTIONS = (Exception,)


def mend_proxy_peers() -> None:
    """
    Let a peer come and go at once. For each process of the node.

    The stock method looks up a peer that it has just added, and ends its component, and so the
    node, with a ``KeyError`` where the peer has left meanwhile.
    """

    async def ensure_proxy_peer(self: BaseProxyPeerPool[Any], session: SessionAPI) -> BaseProxyPeer:
        proxy = self.connected_peers.get(session)
        if proxy is None:
            proxy = self.convert_session_to_proxy_peer(
                session, self.event_bus, self.broadcast_config
            )
            self.connected_peers[session] = proxy
            self.manager.run_child_service(proxy)
            await proxy.manager.wait_started()
        return proxy

    BaseProxyPeerPool.ensure_proxy_peer = ensure_proxy_peer


def guard_connections(
    pool: BasePeerPool, lone_type: Callable[[ConnectionAPI], Any]
) -> None:
    """
    Let a connection of ``pool`` fail alone, where handling what came raises: more messages than
    there may be tasks, an event bus that is full.

    :param lone_type: makes the service that runs a connection, in its place under the pool
    """

    async def start_peer(peer: BasePeer) -> None:
        # As the stock method, but for what runs the connection.
        lone = lone_type(peer.connection)
        pool.manager.run_child_service(lone)
        await asyncio.wait_for(lone.started.wait(), PEER_READY_TIMEOUT)
        await peer.connection.run_peer(peer)

    pool._start_peer = start_peer


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
