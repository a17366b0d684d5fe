"""``trinity blockio fetch``: has the running node fetch views, from its chain and its peers."""
import argparse
import asyncio
from pathlib import Path
import sys
import time
from typing import Callable, List, Optional, Tuple

from blockio_plugin.client import BlockIOUnavailable, fetch_views
from blockio_plugin.events import FetchCompleted, FetchRefused
from blockio_plugin.node.commands.block_file import BlockFile
from blockio_plugin.node.commands.ending import FAILED, OK, run_until_end
from blockio_plugin.node.commands.running_node import NoNode, connect, find_ipc_dir
from blockio_plugin.node.commands.view_ranges import count_views, tell_ranges

PROGRESS_INTERVAL = 2.0
"""Seconds between two lines that say how far it is."""

START_TIMEOUT = 5.0
"""Seconds for the node to take the fetch, most."""

Say = Callable[[str], None]
"""Takes a line for people."""


def main(args: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    return run_until_end(_run(args))


async def _run(args: argparse.Namespace) -> int:
    ipc_dir = find_ipc_dir(args)
    try:
        file = BlockFile(args.out) if args.out is not None else None
    except OSError as err:
        print(f"cannot write to {args.out}: {err.strerror}", file=sys.stderr)
        return FAILED
    return await Fetch(args.views, args.out, file, _say).run(ipc_dir)


def _say(line: str) -> None:
    # The blocks may go to standard output.
    print(line, file=sys.stderr, flush=True)


class Fetch:
    """
    One fetch. What was fetched is kept, however it ends.

    :param views: the range to fetch
    :param file: takes the blocks; None: a line is printed for each
    """

    def __init__(
        self, views: Tuple[int, int], path: Optional[Path], file: Optional[BlockFile], say: Say
    ) -> None:
        self._views = views
        self._path = path
        self._file = file
        self._say = say
        self._blocks = self._bytes = 0
        self._completion: Optional[FetchCompleted] = None

    async def run(self, ipc_dir: Path) -> int:
        """Fetch all of it; the exit status."""
        telling: "Optional[asyncio.Future[None]]" = None
        trouble: Optional[str] = None
        try:
            async with connect(ipc_dir) as node:
                telling = asyncio.ensure_future(self._tell_progress())
                async with fetch_views(
                    node.event_bus, [self._views], start_timeout=START_TIMEOUT
                ) as blocks:
                    async for block in blocks:
                        self._take(block.view, block.hash, block.rlp)
                    self._completion = blocks.completion
        except (BlockIOUnavailable, FetchRefused, NoNode) as err:
            trouble = str(err)
        except asyncio.CancelledError:
            trouble = "interrupted"
        finally:
            if telling is not None:
                telling.cancel()
        self._keep()
        for line in self.tell_outcome(trouble):
            self._say(line)
        is_whole = self._completion is not None and not self._completion.missing
        return OK if is_whole and trouble is None else FAILED

    def _take(self, view: int, block_hash: bytes, rlp: bytes) -> None:
        self._blocks += 1
        self._bytes += len(rlp)
        if self._file is None:
            print(f"{view} 0x{block_hash.hex()} {len(rlp)}")
        else:
            self._file.add(view, rlp)

    def _keep(self) -> None:
        if self._file is None:
            return
        if self._completion is not None:
            # Of a block at such a view it was found out later that it does not hold.
            for ranges in (self._completion.empty, self._completion.missing):
                for start, stop in ranges:
                    self._file.leave_out(start, stop)
        self._file.finish()

    async def _tell_progress(self) -> None:
        began_at = time.monotonic()
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL)
            passed = time.monotonic() - began_at
            self._say(
                f"{self._blocks:,} blocks ({self._bytes / 1e6:.1f} MB) in {passed:.0f} s, "
                f"{self._blocks / passed:,.0f} blocks/s"
            )

    def tell_outcome(self, trouble: Optional[str]) -> List[str]:
        """What came of it, line by line. ``trouble``: why it ended before the end."""
        where = "" if self._path is None else f" in {self._path}"
        blocks = self._blocks if self._file is None else self._file.blocks
        size = self._bytes if self._file is None else self._file.size
        lines = [f"{blocks:,} blocks ({size / 1e6:.1f} MB){where}"]
        if trouble is not None:
            lines.append(f"stopped before the end, all blocks so far are kept: {trouble}")
        if self._completion is not None:
            for name, ranges in (
                ("empty", self._completion.empty),
                ("answered empty, which nothing proves", self._completion.unproven),
                ("missing: no peer could give them", self._completion.missing),
            ):
                if ranges:
                    told = tell_ranges(ranges)
                    lines.append(f"{count_views(ranges):,} views {name}: {told}")
        return lines
