"""
Families of networks, drawn by chance: each is about one thing that makes scheduling hard.

Unless its family says otherwise a network has 4 to 16 peers, rates of 10 to 500 blocks/s, round
trips of 0.01 to 0.5 s, and 8,000 views, all filled and held by all. What each must reach is in
``fixtures/scenarios/README.md``.
"""
from random import Random
from typing import Callable, Dict, FrozenSet, List

from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.layouts import draw_layout
from blockio_plugin.simulator.models import Filled, PeerModel, RateStep, Scenario, always
from blockio_plugin.simulator.traits import (
    RATES,
    ROUND_TRIPS,
    TRAITS,
    VIEWS,
    be_even,
    have_a_link,
    log_uniform,
)

PEERS = (4, 16)
"""Peers of a network, least and most."""

LIMIT = 1e5
"""Virtual seconds after which a run counts as never finished."""

LAYOUT_LINK = 500.0
"""Blocks/s of our own link before peers of layouts."""

MIXED = 3
"""Traits of a mixed network."""

LAYOUTS = "layouts"
"""The family of networks that are drawn as a whole."""

APART: FrozenSet[FrozenSet[str]] = frozenset(
    frozenset(pair)
    for pair in (
        ("sparse", "many"),
        ("many", "churn"),
        *((LAYOUTS, other) for other in ("sparse", "many", "sizes", "churn", "partial")),
    )
)
"""Traits of which a mixed network has one at most: both say what the chain or the peers are."""


def _draw_plain(random: Random) -> Scenario:
    """What a family begins with."""
    everything = always((ViewRange(0, VIEWS),))
    peers = tuple(
        PeerModel(
            name=str(number + 1),
            rate=(RateStep(0.0, log_uniform(random, RATES)),),
            rtt=log_uniform(random, ROUND_TRIPS),
            holds=everything,
            adverts=everything,
        )
        for number in range(random.randint(*PEERS))
    )
    return Scenario("", VIEWS, (Filled(ViewRange(0, VIEWS), 1.0),), peers)


def _draw_layout(random: Random) -> Scenario:
    """A random layout; its peers are named as those of a file are."""
    drawn = draw_layout(random.randrange(2 ** 32))
    peers = enumerate(drawn.peers, 1)
    return drawn._replace(peers=tuple(model._replace(name=str(number)) for number, model in peers))


def _draw_with(*traits: str) -> Callable[[Random], Scenario]:
    """Draws a plain network, or a layout, with these traits."""

    def draw(random: Random) -> Scenario:
        scenario = _draw_layout(random) if LAYOUTS in traits else _draw_plain(random)
        for name, trait in TRAITS.items():
            if name in traits:
                scenario = trait(random, scenario)
        return scenario

    return draw


def _draw_even_behind_link(random: Random) -> Scenario:
    return have_a_link(random, be_even(random, _draw_plain(random)))


def _draw_layout_behind_link(random: Random) -> Scenario:
    return _draw_layout(random)._replace(download=LAYOUT_LINK)


def _draw_mixed(random: Random) -> Scenario:
    return _draw_with(*draw_mix(random))(random)


def draw_mix(random: Random) -> List[str]:
    """The traits of a mixed network, which go together."""
    while True:
        names = random.sample([LAYOUTS, *TRAITS], MIXED)
        if not any(pair <= frozenset(names) for pair in APART):
            return names


FAMILIES: Dict[str, Callable[[Random], Scenario]] = {
    "own-link": _draw_with("link"),
    "own-link-even": _draw_even_behind_link,
    "layouts-own-link": _draw_layout_behind_link,
    LAYOUTS: _draw_with(LAYOUTS),
    **{
        name: _draw_with(name)
        for name in (
            *("overhead", "window", "steps", "small-answers", "jitter", "sparse", "many"),
            *("bucket", "churn", "partial", "sizes"),
        )
    },
    "own-link-bytes": _draw_with("sizes", "link"),
    "mixed": _draw_mixed,
}
"""Each family by its name."""


def draw_network(family: str, seed: int) -> Scenario:
    """
    A network of a family; a function of both.

    :raise KeyError: there is no such family
    """
    drawn = FAMILIES[family](Random(f"{family}/{seed}"))
    return drawn._replace(name=f"{family}-{seed}", limit=LIMIT)
