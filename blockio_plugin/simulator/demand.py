"""What must arrive in a run, and who could bring it from when to when."""
from math import inf
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from blockio_plugin.rules.views import ViewRange, range_at
from blockio_plugin.simulator.bound import (
    LONGEST,
    DemandClass,
    Window,
    least_delay,
    link_supply,
    lower_bound,
    peer_supply,
    window_supply,
)
from blockio_plugin.simulator.chain import Chain, Library
from blockio_plugin.simulator.models import PeerModel, Scenario, ViewsStep, extend

ALWAYS = Window(0.0, None)
"""The window of views that a peer holds at all times."""


MAX_OMITTERS = 8
"""Most peers that leave out some of their blocks for ever for which it counts who has which: each
doubles the classes. With more of them the bound takes them to have all that they hold."""


class Demand(NamedTuple):
    """The ``views`` whose blocks must arrive, their classes, and the last one's birth (s)."""

    views: FrozenSet[int]
    classes: Tuple[DemandClass, ...]
    last_birth: float


class _Offer(NamedTuple):
    """What a peer holds and advertises, with all that the chain grows by."""

    number: int
    model: PeerModel
    holds: Tuple[ViewsStep, ...]
    adverts: Tuple[ViewsStep, ...]

    def find_window(self, view: int, jitter: float) -> Optional[Window]:
        """From when until when it may turn to a request for ``view``; None: at no time."""
        steps = [step for step in self.holds if range_at(step.ranges, view)]
        told = [step for step in self.adverts if range_at(step.ranges, view)]
        if not steps or not told:
            return None
        start = steps[0].time
        if told[0].time > self.model.joins:
            # The advert has to get here, and what is asked then has to get there.
            start = max(start, told[0].time + 2 * least_delay(self.model, jitter))
        if steps[-1] is self.holds[-1]:
            return Window(start, None)
        following = self.holds[self.holds.index(steps[-1]) + 1]
        return Window(start, following.time)

    def is_lasting(self, view: int) -> bool:
        """Whether it can be asked for ``view`` in the end, and goes on answering truly."""
        return self.model.is_answering and all(
            range_at(steps[-1].ranges, view) is not None for steps in (self.holds, self.adverts)
        )


def _make_offers(scenario: Scenario) -> List[_Offer]:
    def grow(steps: Tuple[ViewsStep, ...]) -> Tuple[ViewsStep, ...]:
        last, stop = scenario.views - 1, scenario.all_views
        if last + 1 == stop:
            return steps
        return tuple(step._replace(ranges=extend(step.ranges, last, stop)) for step in steps)

    return [
        _Offer(number, model, grow(model.holds), grow(model.adverts))
        for number, model in enumerate(scenario.peers)
        if not model.forges
    ]


def _cut(scenario: Scenario, offers: Sequence[_Offer]) -> List[ViewRange]:
    """The view line, cut wherever a holding or an advert ends."""
    cuts: Set[int] = {0, scenario.views, scenario.all_views}
    for offer in offers:
        for step in {*offer.holds, *offer.adverts}:
            cuts.update(view for views in step.ranges for view in views)
    bounds = sorted(view for view in cuts if view <= scenario.all_views)
    return [ViewRange(start, stop) for start, stop in zip(bounds, bounds[1:])]


def compute_demand(
    scenario: Scenario, chain: Chain, libraries: Mapping[str, Library]
) -> Demand:
    """What must arrive: each block that somebody can be asked for in the end, who then gives it."""
    offers = _make_offers(scenario)
    needed: Set[int] = set()
    counts: Dict[Tuple[Tuple[int, Window], ...], int] = {}
    last_birth = 0.0
    index = 0
    for start, stop in _cut(scenario, offers):
        windows = [(offer, offer.find_window(start, scenario.jitter)) for offer in offers]
        suppliers = [(offer, window) for offer, window in windows if window is not None]
        lasting = [offer.model for offer in offers if offer.is_lasting(start)]
        is_sure = any(not model.omits.share_at(LONGEST) for model in lasting)
        omitters = [offer for offer, _ in suppliers if _omits_always(offer.model)]
        if len(omitters) > MAX_OMITTERS:
            omitters = []
        held: Dict[FrozenSet[int], int] = {}
        while index < len(chain.blocks) and chain.blocks[index].view < stop:
            view = chain.blocks[index].view
            if is_sure or any(libraries[model.name].gives(view, LONGEST) for model in lasting):
                needed.add(view)
                lacking = frozenset(
                    offer.number
                    for offer in omitters
                    if not libraries[offer.model.name].gives(view, LONGEST)
                )
                held[lacking] = held.get(lacking, 0) + 1
                if view >= scenario.views:
                    way = min(least_delay(offer.model, scenario.jitter) for offer, _ in suppliers)
                    last_birth = max(last_birth, chain.births[view - scenario.views] + way)
            index += 1
        for lacking, blocks in held.items():
            key = tuple(
                (offer.number, window)
                for offer, window in suppliers
                if offer.number not in lacking
            )
            counts[key] = counts.get(key, 0) + blocks
    classes = tuple(_make_class(scenario, blocks, key) for key, blocks in counts.items())
    return Demand(frozenset(needed), classes, last_birth)


def _omits_always(model: PeerModel) -> bool:
    return model.omits.share > 0 and model.omits.start <= model.joins and model.omits.stop == inf


def _make_class(
    scenario: Scenario, blocks: int, suppliers: Tuple[Tuple[int, Window], ...]
) -> DemandClass:
    limits = {
        number: window_supply(scenario.peers[number], scenario.jitter, window)
        for number, window in suppliers
        if window != ALWAYS
    }
    return DemandClass(blocks, frozenset(number for number, _ in suppliers), limits)


def compute_bound(scenario: Scenario, demand: Demand) -> float:
    """The lower bound (s): the least time by which the demand can have been met."""
    supplies = [peer_supply(model, scenario.jitter) for model in scenario.peers]
    time = lower_bound(demand.classes, supplies, link_supply(scenario))
    return max(time, demand.last_birth)
