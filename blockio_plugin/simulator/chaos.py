"""
Networks drawn without a list: everything the scenario format knows, all at once.

Up to 60 % of the peers are hostile or broken; all others may be slow, far away, costly to ask, or
come, go and fail for a while. In most draws one honest peer holds everything and stays.
"""
from math import inf
from random import Random
from typing import Callable, List, NamedTuple, Optional, Tuple

from blockio_plugin.rules.views import ViewRange, ViewRanges, normalise
from blockio_plugin.simulator.models import (
    Bucket,
    Filled,
    Growth,
    PeerModel,
    Quota,
    RateStep,
    Scenario,
    Spell,
    Stall,
    ViewsStep,
    always,
)
from blockio_plugin.simulator.trial import least_rest

BLOCKS = (200, 4000)
"""Blocks of a chain, log-uniform."""

DENSITIES = (0.002, 1.0)
"""Blocks per view where a chain is sparse, log-uniform."""

PEERS = (1, 16)
"""Peers of a network, least and most."""

MAX_HOSTILE = 0.6
"""Share of the peers that are hostile or broken, most."""

RATES = (0.5, 2000.0)
"""Blocks/s of a peer, log-uniform."""

ROUND_TRIPS = (0.005, 3.0)
"""Seconds of round trip, log-uniform."""

OVERHEADS = (0.001, 1.0)
"""Seconds of fixed cost of a request where it is high, log-uniform."""

LONGEST_RUN = 60.0
"""Seconds that all blocks take at the rates of all peers together, most: with fewer blocks a slow
network shows the same in less time of ours."""

LONGEST_REST = 200.0
"""Seconds that all blocks take from those alone who are honest and stay, most."""

KEEPER = 0.8
"""Chance that an honest peer holds everything and stays."""

QUIRK = 0.15
"""Chance of each of the things that an honest peer may be or do."""

FAR = 10 ** 9
"""Views that a false advert reaches to."""


def _log_uniform(random: Random, bounds: Tuple[float, float]) -> float:
    low, high = bounds
    return float(f"{low * (high / low) ** random.random():.4g}")


class Stage(NamedTuple):
    """What the peers are drawn for: the views of the chain, and until when things happen (s)."""

    views: int
    horizon: float

    def draw_time(self, random: Random) -> float:
        """Some time in which things happen."""
        return round(random.uniform(0.01, self.horizon), 3)

    def draw_span(self, random: Random) -> Tuple[float, float]:
        """Some time from, and until."""
        start = random.choice((0.0, self.draw_time(random)))
        return start, round(random.uniform(start, self.horizon) + 0.01, 3)

    def draw_spell(self, random: Random, share: float) -> Spell:
        """A fault that ends."""
        return Spell(share, *self.draw_span(random))

    def draw_holding(self, random: Random) -> ViewRanges:
        """All views, or some pieces of them."""
        if random.random() < 0.3:
            return (ViewRange(0, self.views),)
        pieces = []
        for _ in range(random.choice((1, 1, 2, 4, 16))):
            start = random.randrange(self.views)
            length = int(self.views * random.uniform(0.002, 0.6)) + 1
            pieces.append((start, min(self.views, start + length)))
        return normalise(pieces)


Quirk = Callable[[Random, PeerModel, Stage], PeerModel]
"""Changes one thing about a peer."""


def _join_late(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(joins=stage.draw_time(random))


def _leave(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(leaves=round(model.joins + stage.draw_time(random), 3))


def _change_rate(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    times = sorted({stage.draw_time(random) for _ in range(random.choice((1, 2, 5)))})
    steps = [RateStep(time, _log_uniform(random, RATES)) for time in times]
    return model._replace(rate=(*model.rate[:1], *steps))


def _hold_pieces(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    holds = always(stage.draw_holding(random))
    return model._replace(holds=holds, adverts=holds)


def _change_holding(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    times = sorted({stage.draw_time(random) for _ in range(random.choice((1, 1, 3)))})
    steps = [ViewsStep(time, stage.draw_holding(random)) for time in times]
    holds = (*model.holds[:1], *steps)
    return model._replace(holds=holds, adverts=holds)


def _lose_some(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    share = random.choice((0.01, 0.05, 0.3))
    return model._replace(loses=stage.draw_spell(random, share))


def _lose_all(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(loses=stage.draw_spell(random, 1.0))


def _decline(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    share = random.choice((0.1, 0.5, 1.0))
    return model._replace(declines=stage.draw_spell(random, share))


def _limit_requests(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    burst = float(random.choice((1, 2, 4, 16)))
    return model._replace(quota=Quota(_log_uniform(random, (0.5, 20.0)), burst))


def _limit_blocks(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    burst = float(random.choice((16, 64, 256)))
    return model._replace(bucket=Bucket(burst, _log_uniform(random, (2.0, 200.0))))


def _answer_little(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(max_blocks=random.choice((1, 2, 4, 16, 64)))


def _give_no_hints(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(hints=False)


def _advertise_often(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(advert_every=_log_uniform(random, (0.5, 60.0)))


def _cost_much(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(overhead=_log_uniform(random, OVERHEADS))


QUIRKS: Tuple[Quirk, ...] = (
    _join_late,
    _change_rate,
    _lose_some,
    _lose_all,
    _decline,
    _limit_requests,
    _limit_blocks,
    _answer_little,
    _give_no_hints,
    _advertise_often,
    _cost_much,
)
"""What anybody may be or do."""

PASSING: Tuple[Quirk, ...] = (_hold_pieces, _hold_pieces, _change_holding, _leave)
"""What anybody may be or do who is not the one that holds everything and stays."""


def _be_silent(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(silent_after=random.choice((0.0, stage.draw_time(random))))


def _lie(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(lies=random.choice((Spell(1.0), stage.draw_spell(random, 1.0))))


def _omit(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    share = random.choice((0.01, 0.05, 0.5, 0.9))
    return model._replace(omits=random.choice((Spell(share), stage.draw_spell(random, share))))


def _forge(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(forges=True)


def _advertise_too_much(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    adverts = always((ViewRange(0, random.choice((stage.views, FAR))),))
    return model._replace(adverts=adverts, overclaims=random.random() < 0.5)


def _advertise_a_comb(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    start = random.randrange(stage.views)
    teeth = random.choice((8, 64, 512))
    comb = normalise((start + 2 * tooth, start + 2 * tooth + 1) for tooth in range(teeth))
    return model._replace(adverts=always(comb))


def _decline_all(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(declines=Spell(1.0, stage.draw_span(random)[0]))


def _drop_all(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(loses=Spell(1.0, stage.draw_span(random)[0]))


def _hint_wrongly(random: Random, model: PeerModel, stage: Stage) -> PeerModel:
    return model._replace(hint_error=random.choice((1, 10, 1000, stage.views)), hints=True)


HOSTILITIES: Tuple[Quirk, ...] = (
    _be_silent,
    _lie,
    _lie,
    _omit,
    _omit,
    _forge,
    _advertise_too_much,
    _advertise_a_comb,
    _decline_all,
    _drop_all,
    _hint_wrongly,
)
"""What the hostile and the broken do."""


def draw_chaos(seed: int) -> Scenario:
    """A network; a function of the seed."""
    source = f"chaos/{seed}"
    while True:
        drawn = _draw_network(Random(source), seed)
        if least_rest(drawn, seed) <= LONGEST_REST:
            return drawn
        source += "/again"


def _draw_network(random: Random, seed: int) -> Scenario:
    peer_count = random.randint(*PEERS)
    hostile = random.randint(0, int(peer_count * MAX_HOSTILE))
    rates = [_log_uniform(random, RATES) for _ in range(peer_count)]
    download = _log_uniform(random, (2.0, 1000.0)) if random.random() < 0.2 else 0.0
    pace = min(sum(rates[hostile:]), download or inf)
    blocks = max(2, int(min(_log_uniform(random, BLOCKS), pace * LONGEST_RUN)))
    views, filled = _draw_chain(random, blocks)
    horizon = min(max(2.0, blocks / pace * random.uniform(0.3, 1.5)), LONGEST_RUN)
    stage = Stage(views, round(horizon, 3))
    keeper = hostile if random.random() < KEEPER else None
    peers = [
        _draw_peer(random, str(number + 1), rate, stage, number < hostile, number == keeper)
        for number, rate in enumerate(rates)
    ]
    return Scenario(
        name=f"chaos-{seed}",
        views=views,
        filled=filled,
        peers=tuple(peers),
        download=download,
        window=_draw_window(random, views, blocks),
        jitter=random.choice((0.0, 0.1, 0.1, 0.1, 1.0, 1.9)),
        limit=3600.0,
        grows=_draw_growth(random, stage),
        stalls=_draw_stalls(random, stage),
        restarts=_draw_restarts(random, stage),
    )


def _draw_chain(random: Random, blocks: int) -> Tuple[int, Tuple[Filled, ...]]:
    """Views, and how they are filled: every one, or one in so many, or in clusters."""
    shape = random.choice(("dense", "dense", "sparse", "clusters"))
    if shape == "dense":
        return blocks, (Filled(ViewRange(0, blocks), 1.0),)
    density = _log_uniform(random, DENSITIES)
    views = int(blocks / density)
    if shape == "sparse":
        return views, (Filled(ViewRange(0, views), density),)
    clusters: List[Filled] = []
    for _ in range(random.randint(1, 4)):
        start = random.randrange(views)
        chance = random.choice((1.0, 0.75, 0.1))
        stop = min(views, start + int(blocks / 3 / chance) + 1)
        clusters.append(Filled(ViewRange(start, stop), chance))
    return views, tuple(clusters)


def _draw_peer(
    random: Random, name: str, rate: float, stage: Stage, is_hostile: bool, is_keeper: bool
) -> PeerModel:
    everything = always((ViewRange(0, stage.views),))
    model = PeerModel(
        name=name,
        rate=(RateStep(0.0, rate),),
        rtt=_log_uniform(random, ROUND_TRIPS),
        holds=everything,
        adverts=everything,
    )
    for quirk in QUIRKS if is_keeper else QUIRKS + PASSING:
        if random.random() < QUIRK:
            model = quirk(random, model, stage)
    if is_hostile:
        for quirk in random.sample(HOSTILITIES, random.choice((1, 1, 2))):
            model = quirk(random, model, stage)
    return model


def _draw_window(random: Random, views: int, blocks: int) -> int:
    """Views that hold so many blocks on the average; where blocks cluster, voids may be wider."""
    if random.random() >= 0.2:
        return 0
    return max(64, int(_log_uniform(random, (64.0, 2048.0)) * views / blocks))


def _draw_growth(random: Random, stage: Stage) -> Optional[Growth]:
    if random.random() >= 0.2:
        return None
    blocks = random.randint(1, 20)
    return Growth(round(stage.horizon / blocks, 3), blocks)


def _draw_stalls(random: Random, stage: Stage) -> Tuple[Stall, ...]:
    if random.random() >= 0.3:
        return ()
    lengths = [_log_uniform(random, (0.05, 40.0)) for _ in range(random.randint(1, 3))]
    return tuple(sorted(Stall(stage.draw_time(random), length) for length in lengths))


def _draw_restarts(random: Random, stage: Stage) -> Tuple[float, ...]:
    if random.random() >= 0.25:
        return ()
    return tuple(sorted(stage.draw_time(random) for _ in range(random.randint(1, 3))))
