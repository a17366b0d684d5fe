"""A scenario: a chain, our own link, and peers with their speeds and faults; read from TOML."""
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

import tomli

from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, ViewRanges, normalise

MAX_VIEWS = 2 ** 32
"""Views of a simulated chain, most."""

MAX_BLOCKS = 5_000_000
"""Blocks of a simulated chain, most: they are all in memory."""

MAX_PEERS = 10_000
"""Peers of a scenario, most."""


class ScenarioError(ValueError):
    """A scenario cannot be used. The message names the file, the key and the value."""


class Filled(NamedTuple):
    """Each of ``views`` holds a block with this probability."""

    views: ViewRange
    probability: float


class RateStep(NamedTuple):
    """From ``time`` (s) on, a peer sends ``rate`` blocks/s."""

    time: float
    rate: float


class Bucket(NamedTuple):
    """A token bucket: this many blocks at once, and ``refill`` blocks/s in the long run."""

    burst: float
    refill: float


class PeerModel(NamedTuple):
    """One modelled peer; times in seconds, see ``fixtures/scenarios/README.md``."""

    name: str
    rate: Tuple[RateStep, ...]
    rtt: float
    overhead: float
    holds: ViewRanges
    adverts: ViewRanges
    max_blocks: int
    hints: bool
    joins: float
    leaves: Optional[float]
    bucket: Optional[Bucket]
    silent_after: Optional[float]
    lies: bool
    omits: float
    forges: bool

    @property
    def is_honest(self) -> bool:
        """Whether all it says is true, and it says all it knows."""
        return not (self.lies or self.forges or self.omits)


class Scenario(NamedTuple):
    """A whole simulated network."""

    name: str
    views: int
    filled: Tuple[Filled, ...]
    download: float
    window: int
    jitter: float
    limit: float
    peers: Tuple[PeerModel, ...]


class _Table:
    """One table of the file: its keys are taken out one by one, so that unknown ones are left."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = dict(values)
        self._where = where

    def fail(self, key: str, value: object, problem: str) -> ScenarioError:
        return ScenarioError(f"{self._where}{key} = {value!r}: {problem}")

    def take(self, key: str, default: Any, read: Callable[[Any], Any], problem: str) -> Any:
        """The value of ``key`` as ``read`` returns it; ``read`` raises ``ValueError``."""
        if key not in self._values:
            return default
        value = self._values.pop(key)
        try:
            return read(value)
        except (ValueError, TypeError, IndexError):
            raise self.fail(key, value, problem) from None

    def finish(self) -> None:
        for key, value in self._values.items():
            raise self.fail(key, value, "unknown key")


def _check(condition: bool) -> None:
    if not condition:
        raise ValueError


def _number(value: Any, least: float = 0.0, most: float = float("inf")) -> float:
    _check(isinstance(value, (int, float)) and not isinstance(value, bool))
    _check(least <= value <= most and abs(value) != float("inf"))
    return float(value)


def _positive(value: Any) -> float:
    number = _number(value)
    _check(number > 0)
    return number


def _count(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        _check(isinstance(value, int) and not isinstance(value, bool) and least <= value <= most)
        return int(value)

    return read


def _flag(value: Any) -> bool:
    _check(isinstance(value, bool))
    return bool(value)


def _list(value: Any, length: Optional[int] = None) -> List[Any]:
    _check(isinstance(value, list) and (length is None or len(value) == length))
    return list(value)


def _range(value: Any) -> ViewRange:
    start, stop = (_count(0, VIEW_LIMIT)(bound) for bound in _list(value, 2))
    _check(start < stop)
    return ViewRange(start, stop)


def _ranges(value: Any) -> ViewRanges:
    return normalise(_range(item) for item in _list(value))


def _filled(value: Any) -> Tuple[Filled, ...]:
    filled = []
    for item in _list(value):
        start, stop, probability = _list(item, 3)
        filled.append(Filled(_range([start, stop]), _number(probability, 0.0, 1.0)))
    return tuple(filled)


def _rate(value: Any) -> Tuple[RateStep, ...]:
    if not isinstance(value, list):
        return (RateStep(0.0, _positive(value)),)
    steps = tuple(RateStep(_number(time), _positive(rate)) for time, rate in value)
    times = [step.time for step in steps]
    _check(bool(steps) and times[0] == 0.0 and times == sorted(set(times)))
    return steps


def _bucket(value: Any) -> Bucket:
    burst, refill = _list(value, 2)
    return Bucket(_number(burst), _positive(refill))


def _lies(value: Any) -> bool:
    _check(value == "empty")
    return True


NOT_NEGATIVE = "not a number, or below 0"
RANGES = "not a list of [from, to] with 0 <= from < to"


def _read_peers(values: Mapping[str, Any], number: int, views: int) -> Tuple[PeerModel, ...]:
    table = _Table(values, f"peers[{number}].")
    count = table.take("count", 1, _count(1, MAX_PEERS), f"not a count from 1 to {MAX_PEERS}")
    holds = table.take("holds", (ViewRange(0, views),), _ranges, RANGES)
    joins = table.take("joins", 0.0, _number, NOT_NEGATIVE)
    leaves = table.take("leaves", None, _number, NOT_NEGATIVE)
    if leaves is not None and leaves <= joins:
        raise table.fail("leaves", leaves, f"not after it joins ({joins})")
    model = PeerModel(
        name="",
        rate=table.take(
            "rate",
            (RateStep(0.0, 100.0),),
            _rate,
            "not a number above 0, nor steps [[0.0, rate], [time, rate], ...]",
        ),
        rtt=table.take("rtt", 0.1, _number, NOT_NEGATIVE),
        overhead=table.take("overhead", 0.002, _number, NOT_NEGATIVE),
        holds=holds,
        adverts=table.take("adverts", holds, _ranges, RANGES),
        max_blocks=table.take(
            "max_blocks",
            MAX_ANSWER_BLOCKS,
            _count(1, MAX_ANSWER_BLOCKS),
            f"not a count from 1 to {MAX_ANSWER_BLOCKS}",
        ),
        hints=table.take("hints", True, _flag, "neither true nor false"),
        joins=joins,
        leaves=leaves,
        bucket=table.take("bucket", None, _bucket, "not [burst, refill above 0]"),
        silent_after=table.take("silent_after", None, _number, NOT_NEGATIVE),
        lies=table.take("lies", False, _lies, 'the only lie known is "empty"'),
        omits=table.take(
            "omits", 0.0, lambda value: _number(value, 0.0, 1.0), "not a share from 0 to 1"
        ),
        forges=table.take("forges", False, _flag, "neither true nor false"),
    )
    table.finish()
    names = [f"{number}"] if count == 1 else [f"{number}.{copy}" for copy in range(count)]
    return tuple(model._replace(name=name) for name in names)


def _subtable(document: Dict[str, Any], key: str) -> _Table:
    values = document.pop(key, {})
    if not isinstance(values, dict):
        raise ScenarioError(f"{key} = {values!r}: not a table")
    return _Table(values, f"{key}.")


def read_scenario(document: Mapping[str, Any], name: str) -> Scenario:
    """
    Read a scenario from what TOML parsed to.

    :raise ScenarioError: names the key and the value that cannot be used
    """
    left = dict(document)
    chain, client = _subtable(left, "chain"), _subtable(left, "client")
    simulation = _subtable(left, "simulation")
    peers = left.pop("peers", [])
    for key, value in left.items():
        raise ScenarioError(f"{key} = {value!r}: unknown key")
    views = chain.take("views", 8000, _count(1, MAX_VIEWS), f"not a count from 1 to {MAX_VIEWS}")
    filled = chain.take(
        "filled",
        (Filled(ViewRange(0, views), 1.0),),
        _filled,
        "not a list of [from, to, probability] with 0 <= from < to and 0 <= probability <= 1",
    )
    expected = sum(min(item.views.length, views) * item.probability for item in filled)
    if expected > MAX_BLOCKS:
        raise chain.fail("filled", f"{expected:.0f} blocks", f"more than {MAX_BLOCKS} blocks")
    if not isinstance(peers, list) or not peers:
        raise ScenarioError(f"peers = {peers!r}: there are no peers")
    models: List[PeerModel] = []
    for number, values in enumerate(peers, 1):
        if not isinstance(values, dict):
            raise ScenarioError(f"peers[{number}] = {values!r}: not a table")
        models.extend(_read_peers(values, number, views))
    scenario = Scenario(
        name=name,
        views=views,
        filled=filled,
        download=client.take("download", 0.0, _number, NOT_NEGATIVE),
        window=client.take("window", 0, _count(0, MAX_VIEWS), "not a count of views"),
        jitter=simulation.take(
            "jitter", 0.1, lambda value: _number(value, 0.0, 2.0), "not a number from 0 to 2"
        ),
        limit=simulation.take("limit", 600.0, _positive, "not a number above 0"),
        peers=tuple(models),
    )
    for table in (chain, client, simulation):
        table.finish()
    return scenario


def load_scenario(path: Path) -> Scenario:
    """
    Read a scenario file.

    :raise ScenarioError: names the file, the key and the value that cannot be used
    """
    try:
        document = tomli.loads(path.read_text(encoding="utf-8"))
        return read_scenario(document, path.stem)
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from None
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None
