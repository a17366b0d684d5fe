"""What must arrive in a run, and who could bring it from when to when."""
from bisect import bisect_left
from math import inf
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from blockio_plugin.rules.messages import MAX_ANSWER_BYTES
from blockio_plugin.rules.views import ViewRange, range_at
from blockio_plugin.simulator.bound import (
    LONGEST,
    DemandClass,
    Parcel,
    Window,
    delay_supply,
    first_arrival,
    least_delay,
    link_supply,
    lower_bound,
    peer_supply,
    window_supply,
)
from blockio_plugin.simulator.chain import Chain, Library
from blockio_plugin.simulator.crossing import cross_window
from blockio_plugin.simulator.models import PeerModel, Scenario, ViewsStep, extend

ALWAYS = Window(0.0, None)
"""The window of views that a peer holds at all times."""


MAX_OMITTERS = 8
"""Most peers that leave out some of their blocks for ever for which it counts who has which: each
doubles the classes. With more of them the bound takes them to have all that they hold."""


class Sizing(NamedTuple):
    """What the smallest and the largest block come to, and an answer at most, by its bytes."""

    smallest: float
    largest: float
    answer: float

    @classmethod
    def of(cls, scenario: Scenario, chain: Chain) -> "Sizing":
        """Those of a chain, as the scenario counts."""
        if not (scenario.in_bytes and chain.blocks):
            return cls(1.0, 1.0, inf)
        sizes = [len(block.rlp) for block in chain.blocks]
        return cls(min(sizes), max(sizes), max(MAX_ANSWER_BYTES, *sizes))

    def parcel(self, blocks: int) -> Parcel:
        """How it comes from a peer that puts so many ``blocks`` in an answer at most."""
        return Parcel(min(self.answer, blocks * self.largest), self.answer == inf)


class Demand(NamedTuple):
    """
    The ``views`` whose blocks must arrive, their classes, the last one's birth (s), and what
    blocks come to.
    """

    views: FrozenSet[int]
    classes: Tuple[DemandClass, ...]
    last_birth: float
    sizing: Sizing


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
    sizing = Sizing.of(scenario, chain)
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
                amount = len(chain.blocks[index].rlp) if scenario.in_bytes else 1
                held[lacking] = held.get(lacking, 0) + amount
                if view >= scenario.views:
                    way = min(least_delay(offer.model, scenario.jitter) for offer, _ in suppliers)
                    last_birth = max(last_birth, chain.births[view - scenario.views] + way)
            index += 1
        for lacking, amount in held.items():
            key = tuple(
                (offer.number, window)
                for offer, window in suppliers
                if offer.number not in lacking
            )
            counts[key] = counts.get(key, 0) + amount
    classes = tuple(
        _make_class(scenario, sizing, amount, key) for key, amount in counts.items()
    )
    return Demand(frozenset(needed), classes, last_birth, sizing)


def _omits_always(model: PeerModel) -> bool:
    return model.omits.share > 0 and model.omits.start <= model.joins and model.omits.stop == inf


def _make_class(
    scenario: Scenario, sizing: Sizing, amount: int, suppliers: Tuple[Tuple[int, Window], ...]
) -> DemandClass:
    limits = {}
    for number, window in suppliers:
        if window != ALWAYS:
            model = scenario.peers[number]
            parcel = sizing.parcel(model.max_blocks)
            supply = window_supply(model, scenario.jitter, window, parcel)
            limits[number] = delay_supply(supply, _passing(scenario, sizing))
    return DemandClass(amount, frozenset(number for number, _ in suppliers), limits)


def _passing(scenario: Scenario, sizing: Sizing) -> float:
    """Seconds that the smallest block takes at least through our own link and decoding."""
    link = sizing.smallest / scenario.download if scenario.download else 0.0
    return link + scenario.decode


def _count_densest(views: Sequence[int], length: int) -> int:
    """Most of ``views``, which ascend, that any ``length`` views in a row hold."""
    most = first = 0
    for index, view in enumerate(views):
        while views[first] <= view - length:
            first += 1
        most = max(most, index + 1 - first)
    return most


def _longest_run(offer: _Offer, views: Sequence[int]) -> int:
    """Most of ``views``, which ascend, that a peer ever holds in a row."""
    return max(
        bisect_left(views, stop) - bisect_left(views, start)
        for step in offer.holds
        for start, stop in step.ranges or (ViewRange(0, 0),)
    )


def compute_bound(scenario: Scenario, demand: Demand) -> float:
    """The lower bound (s): the least time by which the demand can have been met."""
    if not demand.views:
        return demand.last_birth
    views, sizing = sorted(demand.views), demand.sizing
    passing = _passing(scenario, sizing)
    places = _count_densest(views, scenario.window) if scenario.window else len(views)
    runs = {offer.number: _longest_run(offer, views) for offer in _make_offers(scenario)}
    supplies = []
    for number, model in enumerate(scenario.peers):
        parcel = sizing.parcel(max(1, min(model.max_blocks, places, runs.get(number, 0))))
        supplies.append(delay_supply(peer_supply(model, scenario.jitter, parcel), passing))
    link = delay_supply(link_supply(scenario, sizing.smallest), scenario.decode)
    times = [demand.last_birth, lower_bound(demand.classes, supplies, link)]
    if scenario.decode:
        # One after another, from when the first one is through our link.
        first = first_arrival(scenario, sizing.smallest) + passing - scenario.decode
        times.append(first + len(views) * scenario.decode)
    if scenario.window:
        amount = sum(item.amount for item in demand.classes)
        times.append(cross_window(scenario, supplies, len(views), amount, places))
    return max(times)
