"""Figures, each beside the one it is measured against in the same run."""
from pathlib import Path
from typing import (
    Awaitable,
    Callable,
    Dict,
    FrozenSet,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from rich.table import Table

from blockio_plugin.tools.display import Display


class Figure(NamedTuple):
    """A measured value and what it stands beside."""

    name: str
    """What was measured."""
    value: float
    """The measured value."""
    unit: str
    """Its unit."""
    beside: float
    """The peer or the limit, measured in the same run, in the same unit."""
    wanted: Optional[float]
    """The least ratio of value and ``beside`` that is good enough; None where nothing is asked."""

    @property
    def ratio(self) -> float:
        """Value over its peer."""
        return self.value / self.beside

    @property
    def is_met(self) -> bool:
        """Whether it is good enough."""
        return self.wanted is None or self.ratio >= self.wanted

    def as_dict(self) -> Dict[str, Union[str, float, bool, None]]:
        """For JSON."""
        return {**self._asdict(), "ratio": self.ratio, "met": self.is_met}


def make_median_figure(
    name: str,
    values: Sequence[float],
    unit: str,
    besides: Sequence[float],
    wanted: Optional[float],
) -> Figure:
    """
    The figure of the round whose ratio is the median of all rounds'.

    Rounds that only one of the two took part in do not count. The two of a round ran one soon after
    the other: the speed of a shared machine changes over minutes, so the ratios of rounds agree
    better than the ratio of any two rounds' values.
    """
    rounds = [
        Figure(name, value, unit, beside, wanted) for value, beside in zip(values, besides)
    ]
    return sorted(rounds, key=lambda figure: figure.ratio)[len(rounds) // 2]


class BenchRun(NamedTuple):
    """What a part of the bench measures with, and where its figures go."""

    directory: Path
    """For data; empty at first."""
    display: Display
    """Says how it goes."""
    sections: FrozenSet[str]
    """The sections that are measured."""
    figures: List[Figure]
    """What was measured so far: it is of use even where a later section fails."""


class Part(NamedTuple):
    """A part of the bench that runs processes of its own."""

    sections: Tuple[str, ...]
    """What can be measured by itself."""
    measure: Callable[[BenchRun], Awaitable[None]]
    """Measures the sections that are asked for."""


def make_table(title: str, figures: Sequence[Figure]) -> Table:
    """The figures for people."""
    table = Table(title=title)
    table.add_column("figure")
    for column in ("value", "beside", "ratio", "at least", "met"):
        table.add_column(column, justify="right")
    for figure in figures:
        wanted = "" if figure.wanted is None else f"{figure.wanted:.2f}"
        met = "" if figure.wanted is None else ("yes" if figure.is_met else "NO")
        table.add_row(
            figure.name,
            f"{figure.value:.1f} {figure.unit}",
            f"{figure.beside:.1f} {figure.unit}",
            f"{figure.ratio:.2f}",
            wanted,
            met,
        )
    return table
