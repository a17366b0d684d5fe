"""Claims: who said, of which views, that there are no blocks besides those it gave."""
from typing import List, NamedTuple, Tuple

from blockio_plugin.rules.requests import PeerID
from blockio_plugin.rules.views import ViewRange

MAX_CLAIMS = 4096
"""Claims remembered, most. Without one a lie is still found out; only its teller goes free."""


class Claim(NamedTuple):
    """``peer`` answered for ``views``, some of which it gave no block for."""

    views: ViewRange
    peer: PeerID


class ClaimBook:
    """The claims that no link has settled yet."""

    def __init__(self) -> None:
        self._claims: List[Claim] = []

    def add(self, views: ViewRange, peer: PeerID) -> None:
        """Remember a claim. The oldest ones give way when there are too many."""
        self._claims.append(Claim(views, peer))
        if len(self._claims) > MAX_CLAIMS:
            del self._claims[: MAX_CLAIMS // 4]

    def over(self, views: ViewRange) -> Tuple[Claim, ...]:
        """The claims that share a view with ``views``, oldest first."""
        start, stop = views
        return tuple(
            claim
            for claim in self._claims
            if claim.views.start < stop and start < claim.views.stop
        )

    def deniers(self, view: int) -> Tuple[PeerID, ...]:
        """Those who claimed that ``view`` holds no block."""
        return tuple(dict.fromkeys(claim.peer for claim in self.over(ViewRange(view, view + 1))))

    def drop(self, peer: PeerID) -> None:
        """Forget what ``peer`` claimed."""
        self._claims = [claim for claim in self._claims if claim.peer != peer]

    def __len__(self) -> int:
        return len(self._claims)
