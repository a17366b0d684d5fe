"""A picture of a run: who delivered which views when, and each peer's score over time."""
from bisect import bisect_left
from pathlib import Path
from statistics import median
from typing import Callable, Dict, List, Tuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.chain import Chain, make_shelf
from blockio_plugin.simulator.models import PeerModel, Scenario, views_at
from blockio_plugin.simulator.result import Result, Trace

SIZE = (11.0, 8.0)
"""Inches."""

LEAST_FACTOR = 2.1
"""The scale of scores reaches at least so far above and below their median: smaller changes are
noise, and look it."""

MAX_NAMED = 16
"""Peers named in the legend, most: more would hide the picture."""

MAX_HELD = 2
"""Ranges that a peer holds which the legend lists, most."""

COLOURS = tuple(f"C{number}" for number in range(10))
"""Colours of the peers, in turn."""


def draw(scenario: Scenario, result: Result, trace: Trace, path: Path) -> None:
    """
    Write the picture to ``path``, in the format of its suffix.

    Where the scenario counts bytes, a view is drawn as high up as there are bytes below it: so the
    slope of a stroke is a rate.
    """
    place = _make_place(trace.chain, scenario.in_bytes)
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    views, scores = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    colours = {
        model.name: COLOURS[number % len(COLOURS)] for number, model in enumerate(scenario.peers)
    }
    used: Dict[str, List[Tuple[Tuple[float, float], ...]]] = {}
    wasted: List[Tuple[Tuple[float, float], ...]] = []
    for delivery in trace.deliveries:
        line = (
            (delivery.issued, place(delivery.start)),
            (delivery.arrived, place(delivery.stop)),
        )
        if delivery.was_used:
            used.setdefault(delivery.peer, []).append(line)
        else:
            wasted.append(line)
    labels = {model.name: _describe(scenario, model) for model in scenario.peers[:MAX_NAMED]}
    for peer, colour in colours.items():
        label = labels.get(peer)
        lines = used.get(peer, [])
        views.add_collection(LineCollection(lines, colors=colour, linewidths=1.5, label=label))
    if wasted:
        views.add_collection(
            LineCollection(wasted, colors="0.7", linewidths=1.0, label="brought nothing new")
        )
    views.axvline(result.lower_bound, color="black", linestyle=":", label="lower bound")
    views.axvline(result.seconds, color="black", linestyle="--", label="finished")
    views.set_xlim(0, result.seconds * 1.02)
    views.set_ylim(0, place(scenario.all_views))
    views.set_ylabel("MB of the chain" if scenario.in_bytes else "views")
    views.set_title(
        f"{scenario.name}: {result.seconds:.2f} s, {result.ratio:.3f} times the lower bound\n"
        "A stroke is a request: from its first view, when asked, to its last, when answered",
        fontsize="medium",
    )
    views.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    for model in scenario.peers:
        samples = [sample for sample in trace.scores if sample.peer == model.name]
        times = [sample.time for sample in samples]
        scores.plot(times, [1000 * sample.score for sample in samples], color=colours[model.name])
    typical = 1000 * median([sample.score for sample in trace.scores] or [1.0])
    scores.set_yscale("log")
    low, high = scores.get_ylim()
    scores.set_ylim(min(low, typical / LEAST_FACTOR), max(high, typical * LEAST_FACTOR))
    scores.yaxis.set_major_formatter(ScalarFormatter())
    scores.yaxis.set_minor_formatter(ScalarFormatter())
    scores.set_ylabel("score, ms per block (lower is better)")
    scores.set_xlabel("virtual time, s")
    figure.savefig(path)


def _make_place(chain: Chain, in_bytes: bool) -> Callable[[int], float]:
    """How high up a view is: how many lie below it, or how many MB of the chain."""
    if not in_bytes:
        return float
    _, views, ends = make_shelf(chain.blocks)
    below = [0, *ends]
    return lambda view: below[bisect_left(views, view)] / 1e6


def _describe(scenario: Scenario, model: PeerModel) -> str:
    holds = views_at(model.holds, model.joins)
    if holds == (ViewRange(0, scenario.views),):
        return f"peer {model.name}"
    held = ", ".join(map(str, holds[:MAX_HELD]))
    return f"peer {model.name}: holds {held}" + (" ..." if len(holds) > MAX_HELD else "")
