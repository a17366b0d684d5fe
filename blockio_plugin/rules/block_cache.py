"""
The block cache: blocks fetched and not yet imported, and how they link.

Links are looked up by parent hash, so following the chain from the front costs one step per block,
and a block of another branch in between is simply never reached.
"""
from collections import deque
from itertools import repeat
from typing import Deque, Dict, List, Optional, Sequence, Tuple

from blockio_plugin.rules.blocks import BLOCK_OVERHEAD, Block
from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.view_set import ViewSet

MAX_REJECTED = 1024
"""Hashes of refused blocks that are remembered, most; the oldest give way."""


class BlockCache:
    """Blocks by view, at most one each, none below the front."""

    def __init__(self, front_view: int, front_hash: bytes) -> None:
        self._blocks: Dict[int, Block] = {}
        self._children: Dict[bytes, Block] = {}
        self._siblings: Dict[bytes, List[Block]] = {}
        self._suppliers: Dict[int, PeerID] = {}
        self._rejected: Dict[bytes, None] = {}
        self._handed_out: Deque[Block] = deque()
        self._tip_hash = front_hash
        self._tip_view = self._passed = front_view - 1
        self.held = ViewSet(front_view)
        """The views with a block."""
        self.bytes = 0
        """Bytes of all blocks."""

    @property
    def memory(self) -> int:
        """Bytes of memory that all blocks take."""
        return self.bytes + len(self._blocks) * BLOCK_OVERHEAD

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, view: int) -> bool:
        return view in self._blocks

    def get(self, view: int) -> Optional[Block]:
        """The block at ``view``."""
        return self._blocks.get(view)

    def supplier(self, view: int) -> Optional[PeerID]:
        """Who sent the block at ``view``."""
        return self._suppliers.get(view)

    def views_of(self, peer: PeerID) -> Tuple[int, ...]:
        """The views of the blocks that ``peer`` sent, in no order."""
        return tuple(view for view, supplier in self._suppliers.items() if supplier == peer)

    def is_rejected(self, block_hash: bytes) -> bool:
        """Whether a block with this hash was refused."""
        return block_hash in self._rejected

    def select_fresh(self, blocks: Sequence[Block]) -> List[Block]:
        """Those of ``blocks`` whose view is free and which were not refused."""
        held = self._blocks
        if self._rejected:
            blocks = [block for block in blocks if block.hash not in self._rejected]
        return [block for block in blocks if block.view not in held]

    def add(self, blocks: Sequence[Block], peer: PeerID) -> None:
        """Put blocks in at views that are free."""
        if not blocks:
            return
        # Field by field and not block by block: each block comes by here.
        views, _, _, parents, rlps = zip(*blocks)
        self._blocks.update(zip(views, blocks))
        self._suppliers.update(zip(views, repeat(peer)))
        children = self._children
        if len(set(parents)) == len(blocks) and children.keys().isdisjoint(parents):
            children.update(zip(parents, blocks))
        else:
            for block in blocks:
                # Of two that name one parent the first goes first; import tells which is right.
                if children.setdefault(block.parent_hash, block) is not block:
                    self._siblings.setdefault(block.parent_hash, []).append(block)
        self.bytes += sum(map(len, rlps))
        self.held.add_views(views)

    def remove(self, view: int) -> Block:
        """Take the block at ``view`` out."""
        block = self._blocks.pop(view)
        del self._suppliers[view]
        self._unlink(block)
        self.bytes -= len(block.rlp)
        self.held.remove(view, view + 1)
        return block

    def _unlink(self, block: Block) -> None:
        """Take ``block`` from its parent; another one that names that parent takes its place."""
        parent = block.parent_hash
        siblings = self._siblings.get(parent, [])
        if self._children.get(parent) is not block:
            siblings.remove(block)
        elif siblings:
            self._children[parent] = siblings.pop(0)
        else:
            del self._children[parent]
        if not siblings:
            self._siblings.pop(parent, None)

    def take_ready(self, max_blocks: int, max_bytes: int) -> Tuple[Block, ...]:
        """Blocks that link in order from the front and were not handed out yet; at least one."""
        ready: List[Block] = []
        size, children = 0, self._children
        tip_hash, tip_view = self._tip_hash, self._tip_view
        for _ in range(max_blocks):
            block = children.get(tip_hash)
            if block is None:
                break
            # Unpacking takes half the time of looking fields up, and each block comes by here.
            view, _, block_hash, _, rlp = block
            if view <= tip_view:
                break
            size += len(rlp)
            if ready and size > max_bytes:
                break
            ready.append(block)
            tip_hash, tip_view = block_hash, view
        self._tip_hash, self._tip_view = tip_hash, tip_view
        self._handed_out.extend(ready)
        return tuple(ready)

    @property
    def handed_out(self) -> int:
        """Blocks handed out and not yet confirmed."""
        return len(self._handed_out)

    @property
    def has_ready(self) -> bool:
        """Whether a block links to the last one handed out."""
        return self._tip_hash in self._children

    @property
    def tip(self) -> Tuple[int, bytes]:
        """View and hash of the last block handed out, or of the front's parent."""
        return self._tip_view, self._tip_hash

    def confirm(self, view: int) -> Optional[Block]:
        """Drop what was handed out up to ``view``; the last such block, or None."""
        handed_out, blocks, children = self._handed_out, self._blocks, self._children
        suppliers, size = self._suppliers, 0
        confirmed: List[Block] = []
        if handed_out and handed_out[-1].view <= view:
            confirmed.extend(handed_out)
            handed_out.clear()
        while handed_out and handed_out[0].view <= view:
            confirmed.append(handed_out.popleft())
        if not confirmed:
            return None
        has_siblings = bool(self._siblings)
        for block in confirmed:
            block_view, _, _, parent_hash, rlp = block
            del blocks[block_view], suppliers[block_view]
            if has_siblings:
                self._unlink(block)
            else:
                del children[parent_hash]
            size += len(rlp)
        self.bytes -= size
        last = confirmed[-1]
        self._passed = last.view
        self.held.remove(self.held.base, last.view + 1)
        if len(blocks) != len(self.held):
            self._drop_passed(last.view)
        return last

    def _drop_passed(self, view: int) -> None:
        # Blocks of other branches that the chain went past.
        for passed in [passed for passed in self._blocks if passed <= view]:
            self.remove(passed)

    def descendants(self, block: Block) -> List[Block]:
        """``block`` and the cached blocks that follow it, each the child of the one before."""
        line = [block]
        child = self._children.get(block.hash)
        while child is not None and child.view > line[-1].view:
            line.append(child)
            child = self._children.get(child.hash)
        return line

    def take_back(self, block: Block) -> None:
        """The handed-out ``block`` and those after it count as not handed out."""
        taken = block
        while self._handed_out and self._handed_out[-1].view >= block.view:
            taken = self._handed_out.pop()
        self._tip_hash = taken.parent_hash
        self._tip_view = self._handed_out[-1].view if self._handed_out else self._passed

    def find_handed_out(self, block_hash: bytes) -> Optional[Block]:
        """The block with this hash among those handed out."""
        return next((block for block in self._handed_out if block.hash == block_hash), None)

    def remember_rejected(self, block_hash: bytes) -> None:
        """Never take a block with this hash again."""
        self._rejected[block_hash] = None
        if len(self._rejected) > MAX_REJECTED:
            del self._rejected[next(iter(self._rejected))]

    def highest(self) -> Optional[int]:
        """The highest view with a block."""
        return self.held.previous(self.held.base + 2 ** 32)

    def restart(self, front_view: int, front_hash: bytes) -> None:
        """Begin anew from a front. What was handed out is dropped, what else lies above stays."""
        for block in self._handed_out:
            self.remove(block.view)
        self._handed_out.clear()
        for view in [view for view in self._blocks if view < front_view]:
            self.remove(view)
        self.held.rebase(front_view)
        self._tip_hash, self._tip_view = front_hash, front_view - 1
        self._passed = self._tip_view
