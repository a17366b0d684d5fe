"""
What makes a network hard to schedule on, one thing at a time.

A trait takes a network and draws one with that trait from it. Where several are taken, it is in
the order of ``TRAITS``.
"""
from random import Random
from typing import Callable, Dict, Tuple

from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.models import (
    MEAN_BLOCK_BYTES,
    Bucket,
    Filled,
    PeerModel,
    RateStep,
    Scenario,
    Sizes,
    always,
)

VIEWS = 8000
"""Views of a chain."""

RATES = (10.0, 500.0)
"""Blocks/s of a peer, log-uniform."""

BYTES_RATES = (20e3, 2e6)
"""Bytes/s of a peer where bytes count, log-uniform."""

ROUND_TRIPS = (0.01, 0.5)
"""Seconds of round trip, log-uniform."""

LINK_SHARES = (0.1, 0.9)
"""What our own link takes, of what all peers send."""

EVEN_RATE = 100.0
"""Blocks/s of each peer where all are alike."""

OVERHEADS = (0.001, 1.0)
"""Seconds of fixed cost of a request where they are high, log-uniform."""

WINDOWS = (256, 512, 1024)
"""Views of a window."""

STEP_TIME = 4.0
"""Mean seconds from one change of a rate to the next."""

STEP_FACTORS = (0.05, 2.0)
"""What a rate that changes is, times its base."""

STEPS_END = 60.0
"""Seconds after which rates change no more."""

ANSWER_BLOCKS = (1, 4, 16, 64, 512)
"""Blocks in an answer, most, where answers are small."""

JITTERS = (0.5, 1.0, 1.9)
"""Jitter where there is much of it."""

SPARSE_BLOCKS = 4000
"""Blocks of a sparse chain."""

SPARSE_VIEWS = (10 ** 6, 10 ** 7)
"""Views of a sparse chain."""

MANY_PEERS = 150
"""Peers where there are many."""

MANY_RATES = (3.0, 60.0)
"""Blocks/s of each of many peers, log-uniform."""

MANY_VIEWS = 16_000
"""Views of the chain that many peers hold."""

BUCKET_SHARE = 0.6
"""Share of the peers that have a token bucket."""

BURSTS = (32.0, 256.0)
"""Blocks that a bucket gives at once, log-uniform."""

REFILLS = (0.1, 0.6)
"""What a bucket gives in the long run, times its peer's rate."""

SLOTS = 8
"""Peers that are there at a time, one after another in each slot, or none in the gap between."""

LIFE_TIME = 6.0
"""Mean seconds for which a peer of a slot stays."""

GAP_TIME = 2.0
"""Mean seconds until the next one comes."""

CHURN_END = 120.0
"""Seconds after which nobody comes or goes any more."""

STEADY_RATE = 30.0
"""Blocks/s of the one that stays."""

PARTIAL = 0.8
"""Share of the peers that hold one piece of the chain alone."""

PIECES = (100, 1600)
"""Views of such a piece, log-uniform."""

SMALL, LARGE = MEAN_BLOCK_BYTES, 60e3
"""Mean bytes of blocks where sizes change."""

MOST_CHANGES = 4
"""Changes between small and large, where there is more than one."""

Trait = Callable[[Random, Scenario], Scenario]
"""Makes one thing about a network hard."""


def log_uniform(random: Random, bounds: Tuple[float, float]) -> float:
    """A number within ``bounds``; each factor between two is as likely as any other."""
    low, high = bounds
    return low * float((high / low) ** random.random())


def _for_peers(change: Callable[[Random, PeerModel], PeerModel]) -> Trait:
    """The trait that changes each peer."""

    def apply(random: Random, scenario: Scenario) -> Scenario:
        return scenario._replace(peers=tuple(change(random, model) for model in scenario.peers))

    return apply


def _stretch(scenario: Scenario, views: int, blocks: int) -> Scenario:
    """The same with so many ``views``, held by all, which hold so many ``blocks``."""
    everything = ViewRange(0, views)
    return scenario._replace(
        views=views,
        filled=(Filled(everything, blocks / views),),
        peers=tuple(
            model._replace(holds=always((everything,)), adverts=always((everything,)))
            for model in scenario.peers
        ),
    )


def _be_sparse(random: Random, scenario: Scenario) -> Scenario:
    hints = random.choice((True, False))
    wide = _stretch(scenario, random.choice(SPARSE_VIEWS), SPARSE_BLOCKS)
    return wide._replace(peers=tuple(model._replace(hints=hints) for model in wide.peers))


def _be_many(random: Random, scenario: Scenario) -> Scenario:
    pattern = scenario.peers[0]
    peers = tuple(
        pattern._replace(
            name=str(number + 1),
            rate=(RateStep(0.0, log_uniform(random, MANY_RATES)),),
            rtt=log_uniform(random, ROUND_TRIPS),
        )
        for number in range(MANY_PEERS)
    )
    return _stretch(scenario._replace(peers=peers), MANY_VIEWS, MANY_VIEWS)


def _change_sizes(random: Random, scenario: Scenario) -> Scenario:
    changes = random.choice((1, 1, MOST_CHANGES))
    cuts = sorted(random.sample(range(1, scenario.views), changes))
    small_first = random.random() < 0.5
    sizes = tuple(
        Sizes(ViewRange(start, stop), SMALL if (number % 2 == 0) == small_first else LARGE)
        for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, scenario.views]))
    )
    peers = tuple(
        model._replace(rate=(RateStep(0.0, log_uniform(random, BYTES_RATES)),))
        for model in scenario.peers
    )
    return scenario._replace(sizes=sizes, in_bytes=True, peers=peers)


def _churn(random: Random, scenario: Scenario) -> Scenario:
    pattern = scenario.peers[0]
    unit = LARGE if scenario.in_bytes else 1.0
    peers = [pattern._replace(rate=(RateStep(0.0, STEADY_RATE * unit),))]
    for _ in range(SLOTS):
        time = 0.0
        while time < CHURN_END:
            end = time + random.expovariate(1 / LIFE_TIME)
            leaves = end if end < CHURN_END else None
            rate = log_uniform(random, BYTES_RATES if scenario.in_bytes else RATES)
            rtt = log_uniform(random, ROUND_TRIPS)
            peers.append(
                pattern._replace(rate=(RateStep(0.0, rate),), rtt=rtt, joins=time, leaves=leaves)
            )
            time = end + random.expovariate(1 / GAP_TIME)
    return scenario._replace(
        peers=tuple(model._replace(name=str(number)) for number, model in enumerate(peers, 1))
    )


def _hold_pieces(random: Random, scenario: Scenario) -> Scenario:
    peers = list(scenario.peers)
    # The first one has everything whatever happens.
    for number in random.sample(range(1, len(peers)), int(PARTIAL * len(peers))):
        length = int(log_uniform(random, PIECES) * scenario.views / VIEWS)
        start = random.randrange(scenario.views - length)
        piece = always((ViewRange(start, start + length),))
        peers[number] = peers[number]._replace(holds=piece, adverts=piece)
    return scenario._replace(peers=tuple(peers))


def _change_rate(random: Random, model: PeerModel) -> PeerModel:
    base = model.rate[0].rate
    steps, time = [RateStep(0.0, base)], random.expovariate(1 / STEP_TIME)
    while time < STEPS_END:
        steps.append(RateStep(time, base * random.uniform(*STEP_FACTORS)))
        time += random.expovariate(1 / STEP_TIME)
    return model._replace(rate=tuple(steps))


def _cost_much(random: Random, model: PeerModel) -> PeerModel:
    return model._replace(overhead=log_uniform(random, OVERHEADS))


def _answer_little(random: Random, model: PeerModel) -> PeerModel:
    return model._replace(max_blocks=random.choice(ANSWER_BLOCKS))


def _limit_blocks(random: Random, scenario: Scenario) -> Scenario:
    unit = LARGE if scenario.in_bytes else 1.0

    def limit(random: Random, model: PeerModel) -> PeerModel:
        if random.random() >= BUCKET_SHARE:
            return model
        burst = log_uniform(random, BURSTS) * unit
        refill = random.uniform(*REFILLS) * model.rate[0].rate
        return model._replace(bucket=Bucket(burst, refill))

    return _for_peers(limit)(random, scenario)


def _jitter(random: Random, scenario: Scenario) -> Scenario:
    return scenario._replace(jitter=random.choice(JITTERS))


def _have_a_window(random: Random, scenario: Scenario) -> Scenario:
    window = random.choice(WINDOWS)
    if scenario.filled[0].probability < 1:
        # So many blocks, wherever those are.
        window = int(window / scenario.filled[0].probability)
    return scenario._replace(window=window)


def have_a_link(random: Random, scenario: Scenario) -> Scenario:
    """Our own link takes less than all peers send."""
    total = sum(model.rate[0].rate for model in scenario.peers)
    return scenario._replace(download=total * random.uniform(*LINK_SHARES))


def be_even(random: Random, scenario: Scenario) -> Scenario:
    """All peers send alike."""
    rate = (RateStep(0.0, EVEN_RATE),)
    return scenario._replace(peers=tuple(model._replace(rate=rate) for model in scenario.peers))


TRAITS: Dict[str, Trait] = {
    "sparse": _be_sparse,
    "many": _be_many,
    "sizes": _change_sizes,
    "link": have_a_link,
    "churn": _churn,
    "partial": _hold_pieces,
    "steps": _for_peers(_change_rate),
    "overhead": _for_peers(_cost_much),
    "small-answers": _for_peers(_answer_little),
    "bucket": _limit_blocks,
    "jitter": _jitter,
    "window": _have_a_window,
}
"""Each trait by its name, in the order in which they are taken."""
