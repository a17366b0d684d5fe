"""Claims: which views each peer has answered for without giving a block."""
from typing import Dict, Iterable, Tuple

from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.view_set import ViewSet
from blockio_plugin.rules.views import ViewRange


class ClaimBook:
    """
    The claims about views from the front on, as one set of views per peer.

    :param base: the base of these sets, which is the ledger's
    """

    def __init__(self, base: int) -> None:
        self._base = base
        self._denied: Dict[PeerID, ViewSet] = {}
        self._of_the_gone = ViewSet(base)

    def add(self, views: ViewRange, given: Iterable[int], peer: PeerID) -> None:
        """``peer`` answered for ``views``, and gave blocks at the views ``given`` only."""
        denied = self._denied.get(peer)
        if denied is None:
            denied = self._denied[peer] = ViewSet(self._base)
        denied.add(*views)
        denied.remove_views(given)

    def retract(self, views: ViewRange, peer: PeerID) -> None:
        """Of ``views`` the peer claims nothing: what it gave itself speaks against it."""
        denied = self._denied.get(peer)
        if denied is not None:
            denied.remove(*views)

    def deniers(self, view: int) -> Tuple[PeerID, ...]:
        """The peers that claimed that ``view`` holds no block."""
        return tuple(peer for peer, denied in self._denied.items() if view in denied)

    def claimants(self, views: ViewRange) -> Tuple[PeerID, ...]:
        """The peers that claimed so of any of ``views``."""
        return tuple(peer for peer, denied in self._denied.items() if denied.count(*views))

    def denied_by(self, peer: PeerID, views: ViewRange) -> Tuple[ViewRange, ...]:
        """Those of ``views`` that ``peer`` claimed to be empty."""
        denied = self._denied.get(peer)
        return () if denied is None else tuple(denied.runs(*views))

    def denies_all(self, peer: PeerID, views: ViewRange) -> bool:
        """Whether ``peer`` claimed all of ``views`` to be empty."""
        denied = self._denied.get(peer)
        return denied is not None and denied.covers(*views)

    def all_denied(self) -> ViewSet:
        """The views that anybody claimed to be empty, those who left included."""
        every = self._of_the_gone | ViewSet(self._base)
        for denied in self._denied.values():
            every.update(denied)
        return every

    def drop(self, peer: PeerID) -> None:
        """Forget what ``peer`` claimed."""
        self._denied.pop(peer, None)

    def leave(self, peer: PeerID) -> None:
        """The peer is gone: what it claimed stands, but nobody is to blame for it any more."""
        denied = self._denied.pop(peer, None)
        if denied is not None:
            self._of_the_gone.update(denied)

    def clear(self) -> None:
        """Forget all claims."""
        self._denied.clear()
        self._of_the_gone = ViewSet(self._base)

    def advance(self, front: int) -> None:
        """Forget what lies below ``front``."""
        for denied in (*self._denied.values(), self._of_the_gone):
            denied.remove(self._base, front)

    def rebase(self, base: int) -> None:
        """Move the base of all sets."""
        for denied in (*self._denied.values(), self._of_the_gone):
            denied.rebase(base)
        self._base = base

    def __len__(self) -> int:
        return len(self._denied)
