"""
What ``eth`` announces of new blocks, as far as it says who can be asked for them.

A node passes ``NewBlock`` on before it has imported the block, so that tells the view of a hash and
not who has it: who is asked too early has to decline, and would be trusted less for it. It sends
``NewBlockHashes`` once the block is imported, but these have no views. So the two are put together.
"""
from collections import OrderedDict
from typing import Iterable, Optional

from eth.abc import BlockHeaderAPI
from trinity.protocol.eth.payloads import NewBlockHash

from blockio_plugin.rules.schemes import NumberScheme, ViewScheme
from blockio_plugin.rules.views import VIEW_LIMIT

MAX_KNOWN_BLOCKS = 256
"""Announced blocks whose view is remembered, most; the oldest give way. An hour's worth, and a
stranger who floods us makes us wait for the next advert, no more."""


class HeadNews:
    """Remembers the views of announced blocks."""

    def __init__(self, scheme: ViewScheme) -> None:
        self._scheme = scheme
        self._views: "OrderedDict[bytes, int]" = OrderedDict()

    def learn(self, header: BlockHeaderAPI) -> None:
        """A block was announced in full."""
        self._views[header.hash] = self._scheme.view_of(header)
        if len(self._views) > MAX_KNOWN_BLOCKS:
            self._views.popitem(last=False)

    def find_view(self, announced: Iterable[NewBlockHash]) -> Optional[int]:
        """The highest view of these blocks; None where none is known."""
        views = [
            item.number if isinstance(self._scheme, NumberScheme) else self._views.get(item.hash)
            for item in announced
        ]
        return max((view for view in views if view is not None and view < VIEW_LIMIT), default=None)
