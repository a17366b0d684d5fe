"""Networks drawn at random: standing scenarios perturbed, and layouts outside any list."""
from random import Random
from typing import List, Optional, Tuple

from blockio_plugin.rules.views import ViewRange, ViewRanges, normalise
from blockio_plugin.simulator.models import (
    NEVER,
    Filled,
    PeerModel,
    RateStep,
    Scenario,
    Spell,
    always,
)
from blockio_plugin.simulator.run import Run

RATE_FACTORS = (0.7, 1.4)
"""Each rate of a perturbed scenario is multiplied by a number drawn from here."""

RTT_FACTORS = (0.5, 2.0)
"""Each round trip of a perturbed scenario is multiplied by a number drawn from here."""

LAYOUT_PEERS = (3, 24)
"""Peers of a random layout, least and most."""

LAYOUT_RATES = (10.0, 2000.0)
"""Blocks/s of a random peer, log-uniform."""

LAYOUT_RTTS = (0.01, 0.5)
"""Seconds of round trip of a random peer, log-uniform."""

MAX_FAULTY = 0.4
"""Share of the peers of a random layout that are faulty, most."""

LEAST_BOUND = 5.0
"""Seconds of the lower bound of a random layout, least: less is all start and end."""

FAULTS = ("silent", "empty", "omits", "forges", "adverts")
"""What a faulty peer may do."""


def perturb(scenario: Scenario, seed: int) -> Scenario:
    """The scenario with every rate and every round trip multiplied by chance."""
    random = Random(f"perturb/{seed}")
    peers: List[PeerModel] = []
    for model in scenario.peers:
        factor = random.uniform(*RATE_FACTORS)
        rate = tuple(step._replace(rate=step.rate * factor) for step in model.rate)
        peers.append(model._replace(rate=rate, rtt=model.rtt * random.uniform(*RTT_FACTORS)))
    return scenario._replace(peers=tuple(peers))


def draw_layout(seed: int) -> Scenario:
    """A random network; it takes ``LEAST_BOUND`` or more, and honest peers hold every view."""
    random = Random(f"layout/{seed}")
    count = random.randint(*LAYOUT_PEERS)
    faulty = random.randint(0, int(count * MAX_FAULTY))
    total = 1000
    shapes = [_draw_holdings(random) for _ in range(count)]
    lasting = [shapes[number] for number in range(faulty, count)]
    _fill_up(lasting, random)
    shapes[faulty:] = lasting
    rates = [_log_uniform(random, LAYOUT_RATES) for _ in range(count)]
    rtts = [_log_uniform(random, LAYOUT_RTTS) for _ in range(count)]
    density = random.choice((1.0, 1.0, random.uniform(0.05, 1.0)))
    faults: List[Optional[str]] = [random.choice(FAULTS) for _ in range(faulty)]
    faults.extend([None] * (count - faulty))
    views = int(sum(rates) * random.uniform(5.0, 20.0) / density)
    while True:
        scale = views / total
        peers = tuple(
            _make_peer(str(number), rate, rtt, _scale(shape, scale, views), fault, views)
            for number, (rate, rtt, shape, fault) in enumerate(zip(rates, rtts, shapes, faults))
        )
        scenario = Scenario(
            name=f"layout-{seed}",
            views=views,
            filled=(Filled(ViewRange(0, views), density),),
            limit=3600.0,
            peers=peers,
        )
        if Run(scenario, seed).compute_bound() >= LEAST_BOUND:
            return scenario
        views *= 2


def _log_uniform(random: Random, bounds: Tuple[float, float]) -> float:
    low, high = bounds
    return low * float((high / low) ** random.random())


def _draw_holdings(random: Random) -> ViewRanges:
    """What a peer holds, in thousandths of the chain: all of it, or up to four pieces."""
    if random.random() < 0.4:
        return (ViewRange(0, 1000),)
    pieces = []
    for _ in range(random.randint(1, 4)):
        start = random.randrange(0, 1000)
        pieces.append((start, min(1000, start + random.randint(20, 600))))
    return normalise(pieces)


def _fill_up(shapes: List[ViewRanges], random: Random) -> None:
    """Give what nobody holds to somebody."""
    held = normalise(views for shape in shapes for views in shape)
    start = 0
    for stop, following in [*held, (1000, 1000)]:
        if start < stop:
            lucky = random.randrange(len(shapes))
            shapes[lucky] = normalise([*shapes[lucky], (start, stop)])
        start = following


def _scale(shape: ViewRanges, scale: float, views: int) -> ViewRanges:
    return normalise(
        (int(start * scale), views if stop == 1000 else int(stop * scale))
        for start, stop in shape
    )


def _make_peer(
    name: str, rate: float, rtt: float, holds: ViewRanges, fault: Optional[str], views: int
) -> PeerModel:
    return PeerModel(
        name=name,
        rate=(RateStep(0.0, rate),),
        rtt=rtt,
        holds=always(holds),
        adverts=always((ViewRange(0, 2 * views),)) if fault == "adverts" else always(holds),
        silent_after=3.0 if fault == "silent" else None,
        lies=Spell(1.0) if fault == "empty" else NEVER,
        omits=Spell(0.05) if fault == "omits" else NEVER,
        forges=fault == "forges",
    )
