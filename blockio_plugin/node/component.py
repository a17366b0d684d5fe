"""
The two components that Trinity loads: wiring only.

Trinity imports this module for every one of its commands, so it imports little of its own, and the
rest where it is used.
"""
from argparse import ArgumentParser, Namespace, _SubParsersAction
import os
from typing import Optional

from asyncio_run_in_process.typing import SubprocessKwargs
from lahja import EndpointAPI
from p2p.asyncio_utils import create_task, wait_first
from trinity.boot_info import BootInfo
from trinity.extensibility import AsyncioIsolatedComponent

from blockio_plugin.events import BLOCKIO_ENDPOINT
from blockio_plugin.node import cli, private
from blockio_plugin.node.commands.parser import add_commands, is_command, run_command
from blockio_plugin.node.import_events import IMPORT_ENDPOINT

STOP_TIMEOUT = 10.0
"""Seconds for what watches a process to end, most; the process itself has 8."""


class BlockIOComponent(AsyncioIsolatedComponent):
    """Advertises, collects, plans, requests, caches and serves, in the process ``blockio``."""

    name = "BlockIO"
    endpoint_name = BLOCKIO_ENDPOINT

    @classmethod
    def configure_parser(
        cls, arg_parser: ArgumentParser, subparser: "_SubParsersAction[ArgumentParser]"
    ) -> None:
        cli.add_flags(arg_parser)
        add_commands(subparser)
        private.check_after_parsing(arg_parser, cls._check)

    @staticmethod
    def _check(args: Namespace) -> None:
        if is_command(args):
            run_command(args)
        cli.check_flags(args)

    @classmethod
    def validate_cli(cls, boot_info: BootInfo) -> None:
        is_other_command = hasattr(boot_info.args, "func")
        if is_other_command or not boot_info.args.enable_blockio:
            return
        from blockio_plugin.node.full_node import BlockIOAppConfig
        from blockio_plugin.node.preflight import check_data_dir
        from blockio_plugin.node.stop_signals import stop_as_on_interrupt

        # First, since what looks at the database starts threads.
        stop_as_on_interrupt()
        private.allow_slow_processes()
        with private.exit_on_refusal():
            check_data_dir(boot_info.trinity_config, cli.get_scheme_spec(boot_info.args))
        private.replace_app_config(boot_info.trinity_config, BlockIOAppConfig)

    @property
    def is_enabled(self) -> bool:
        return bool(self._boot_info.args.enable_blockio)

    async def run_in_process(self) -> None:
        # In the main process: Trinity stops the node when this ends, and cancels it when the node
        # stops for another reason.
        from blockio_plugin.node.process_watchdog import ChildWatch

        watch = ChildWatch(self._boot_info.trinity_config.ipc_dir).run()
        await wait_first(
            [
                create_task(watch, "BlockIO/ChildWatch"),
                create_task(super().run_in_process(), "BlockIO/run_in_process"),
            ],
            STOP_TIMEOUT,
        )

    async def do_run(self, event_bus: EndpointAPI) -> None:
        from blockio_plugin.node.blockio_process import run_blockio

        self.logger.info("%s", cli.describe_role(self._boot_info.args))
        await run_blockio(
            event_bus,
            self._boot_info.trinity_config,
            cli.get_scheme_spec(self._boot_info.args),
            cli.drives_chain(self._boot_info.args),
            self._boot_info.args.blockio_backfill,
        )


class BlockIOImportComponent(AsyncioIsolatedComponent):
    """Verifies, executes and stores blocks, in the process ``blockio-import``."""

    name = "BlockIO Import"
    endpoint_name = IMPORT_ENDPOINT

    @property
    def is_enabled(self) -> bool:
        # Where another syncer drives the chain it imports too.
        args = self._boot_info.args
        return bool(args.enable_blockio) and cli.drives_chain(args)

    def get_subprocess_kwargs(self) -> Optional[SubprocessKwargs]:
        # What hashes and recovers is chosen at first use, so the choice comes with the process.
        environment = cli.choose_ecc(cli.choose_keccak(os.environ))
        return {**(super().get_subprocess_kwargs() or {}), "env": environment}

    async def do_run(self, event_bus: EndpointAPI) -> None:
        from blockio_plugin.node.import_process import run_import

        cli.limit_evm_log(self._boot_info.logger_levels)
        await run_import(
            event_bus,
            self._boot_info.trinity_config,
            cli.get_scheme_spec(self._boot_info.args),
        )
