"""What a scenario is made of: a chain, our own node, and peers with their speeds and faults."""
from math import inf
from typing import NamedTuple, Optional, Tuple

from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS
from blockio_plugin.rules.views import ViewRange, ViewRanges, normalise, range_at


class Filled(NamedTuple):
    """Each of ``views`` holds a block with this probability."""

    views: ViewRange
    probability: float


class Sizes(NamedTuple):
    """Blocks in ``views`` have ``mean`` bytes each, times a number drawn from ``SIZE_SPREAD``."""

    views: ViewRange
    mean: float


SIZE_SPREAD = (0.5, 1.5)
"""Bytes of a block are the mean ones of its view times a number drawn from here."""

MEAN_BLOCK_BYTES = 600.0
"""Bytes of a block, in the mean, where a scenario does not say."""


class Growth(NamedTuple):
    """One more block every ``interval`` seconds, ``blocks`` times, in a view of its own each."""

    interval: float
    blocks: int


class RateStep(NamedTuple):
    """From ``time`` (s) on, a peer sends ``rate`` blocks/s, or bytes/s (``Scenario.in_bytes``)."""

    time: float
    rate: float


class ViewsStep(NamedTuple):
    """From ``time`` (s) on, a peer holds, or advertises, ``ranges``."""

    time: float
    ranges: ViewRanges


class Bucket(NamedTuple):
    """A token bucket: so many blocks, or bytes, at once, and ``refill`` per second for long."""

    burst: float
    refill: float


class Quota(NamedTuple):
    """A peer answers ``rate`` requests/s in the long run, ``burst`` at once, and declines more."""

    rate: float
    burst: float


class Stall(NamedTuple):
    """Our own loop stands still from ``start`` (s) for ``length`` seconds."""

    start: float
    length: float


class Spell(NamedTuple):
    """A fault in ``share`` of what a peer does, from ``start`` until, without, ``stop`` (s)."""

    share: float = 0.0
    start: float = 0.0
    stop: float = inf

    def share_at(self, time: float) -> float:
        """The share at ``time`` (s): 0 outside the spell."""
        return self.share if self.start <= time < self.stop else 0.0

    @property
    def is_lasting(self) -> bool:
        """Whether it concerns everything, and never ends."""
        return self.share >= 1.0 and self.stop == inf


NEVER = Spell()
"""The spell of a fault that a peer does not have."""


def always(ranges: ViewRanges) -> Tuple[ViewsStep, ...]:
    """The same views at all times."""
    return (ViewsStep(0.0, ranges),)


def views_at(steps: Tuple[ViewsStep, ...], time: float) -> ViewRanges:
    """What ``steps`` come to at ``time`` (s)."""
    ranges: ViewRanges = ()
    for step in steps:
        if step.time > time:
            break
        ranges = step.ranges
    return ranges


def extend(ranges: ViewRanges, last: int, stop: int) -> ViewRanges:
    """``ranges``, the one that reaches past view ``last`` grown up to ``stop``; normal."""
    reaching = range_at(ranges, last)
    if reaching is None or reaching.stop >= stop:
        return ranges
    return normalise([*ranges, ViewRange(reaching.start, stop)])


class PeerModel(NamedTuple):
    """One modelled peer; times in seconds, see ``fixtures/scenarios/README.md``."""

    name: str
    rate: Tuple[RateStep, ...]
    rtt: float
    holds: Tuple[ViewsStep, ...]
    adverts: Tuple[ViewsStep, ...]
    overhead: float = 0.002
    max_blocks: int = MAX_ANSWER_BLOCKS
    hints: bool = True
    joins: float = 0.0
    leaves: Optional[float] = None
    bucket: Optional[Bucket] = None
    silent_after: Optional[float] = None
    lies: Spell = NEVER
    omits: Spell = NEVER
    forges: bool = False
    overclaims: bool = False
    loses: Spell = NEVER
    declines: Spell = NEVER
    quota: Optional[Quota] = None
    hint_error: int = 0
    advert_every: Optional[float] = None

    @property
    def is_honest(self) -> bool:
        """Whether all that it answers is true, and it says all it knows."""
        is_wrong = self.lies.share or self.omits.share or self.hint_error
        return not (is_wrong or self.forges or self.overclaims)

    @property
    def is_answering(self) -> bool:
        """Whether it goes on giving true blocks, in the end, however slowly."""
        dead = any(spell.is_lasting for spell in (self.lies, self.loses, self.declines))
        return not (dead or self.forges or self.silent_after is not None)


class Scenario(NamedTuple):
    """
    A whole simulated network; ``start`` None: drawn from the seed.

    ``in_bytes``: all that is a rate (``download``, those of peers, their buckets) counts bytes and
    not blocks. ``decode``: seconds that we need for each block that arrives. Where ``sizes``
    overlap, the later ones count.
    """

    name: str
    views: int
    filled: Tuple[Filled, ...]
    peers: Tuple[PeerModel, ...]
    download: float = 0.0
    window: int = 0
    jitter: float = 0.1
    limit: float = 600.0
    grows: Optional[Growth] = None
    start: Optional[float] = None
    stalls: Tuple[Stall, ...] = ()
    restarts: Tuple[float, ...] = ()
    sizes: Tuple[Sizes, ...] = ()
    in_bytes: bool = False
    decode: float = 0.0

    @property
    def births(self) -> Tuple[float, ...]:
        """When each block that the chain grows by comes to be (s), ascending."""
        if self.grows is None:
            return ()
        return tuple(self.grows.interval * (number + 1) for number in range(self.grows.blocks))

    @property
    def all_views(self) -> int:
        """Views of the chain once it has grown."""
        return self.views + (self.grows.blocks if self.grows is not None else 0)
