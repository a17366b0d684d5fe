"""Reads a scenario from TOML; what cannot be used is told by its key and value."""
from math import inf
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import tomli

from blockio_plugin.rules.messages import MAX_ANSWER_BLOCKS, MAX_ANSWER_BYTES
from blockio_plugin.rules.views import VIEW_LIMIT, ViewRange, ViewRanges, normalise
from blockio_plugin.simulator.models import (
    MEAN_BLOCK_BYTES,
    NEVER,
    Bucket,
    Filled,
    Growth,
    PeerModel,
    Quota,
    RateStep,
    Scenario,
    Sizes,
    Spell,
    Stall,
    ViewsStep,
    always,
)

MAX_VIEWS = 2 ** 32
"""Views of a simulated chain, most."""

MAX_BLOCKS = 5_000_000
"""Blocks of a simulated chain, most: they are all in memory."""

MAX_PEERS = 10_000
"""Peers of a scenario, most."""

MAX_MEAN_BYTES = 4 * MAX_ANSWER_BYTES
"""Bytes of a block in the mean, most: the largest of them still fits in a message of 16 MiB."""

DEFAULT_RATE = 100.0
"""Blocks/s that a peer sends where a scenario does not say; in bytes/s, of blocks of mean size."""


class ScenarioError(ValueError):
    """A scenario cannot be used. The message names the file, the key and the value."""


class _Table:
    """One table of the file: its keys are taken out one by one, so that unknown ones are left."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.given = values
        self.where = where
        self._values = dict(values)

    def fail(self, key: str, value: object, problem: str) -> ScenarioError:
        return ScenarioError(f"{self.where}{key} = {value!r}: {problem}")

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


def _sizes(value: Any) -> Tuple[Sizes, ...]:
    sizes = []
    for item in _list(value):
        start, stop, mean = _list(item, 3)
        sizes.append(Sizes(_range([start, stop]), _number(mean, 1.0, MAX_MEAN_BYTES)))
    return tuple(sizes)


def _ascending(times: List[float]) -> None:
    _check(bool(times) and times[0] == 0.0 and times == sorted(set(times)))


def _rate(value: Any) -> Tuple[RateStep, ...]:
    if not isinstance(value, list):
        return (RateStep(0.0, _positive(value)),)
    steps = tuple(RateStep(_number(time), _positive(rate)) for time, rate in value)
    _ascending([step.time for step in steps])
    return steps


def _views(value: Any) -> Tuple[ViewsStep, ...]:
    if not any(isinstance(part, list) for item in _list(value) for part in _list(item)):
        return always(_ranges(value))
    steps = tuple(ViewsStep(_number(time), _ranges(ranges)) for time, ranges in value)
    _ascending([step.time for step in steps])
    return steps


def _bucket(value: Any) -> Bucket:
    burst, refill = _list(value, 2)
    return Bucket(_number(burst), _positive(refill))


def _quota(value: Any) -> Quota:
    rate, burst = _list(value, 2)
    return Quota(_positive(rate), _number(burst, 1.0))


def _growth(value: Any) -> Growth:
    interval, blocks = _list(value, 2)
    return Growth(_positive(interval), _count(1, MAX_BLOCKS)(blocks))


def _stalls(value: Any) -> Tuple[Stall, ...]:
    stalls = [_list(item, 2) for item in _list(value)]
    return tuple(sorted(Stall(_number(start), _positive(length)) for start, length in stalls))


def _times(value: Any) -> Tuple[float, ...]:
    return tuple(sorted(_positive(time) for time in _list(value)))


def _share(value: Any) -> float:
    return _number(value, 0.0, 1.0)


def _spell(value: Any) -> Spell:
    """A share at all times, or ``[share, from, to]``."""
    if not isinstance(value, list):
        return Spell(_share(value))
    share, start, stop = value
    return _bounded(_share(share), start, stop)


def _bounded(share: float, start: Any, stop: Any) -> Spell:
    spell = Spell(share, _number(start), inf if stop == inf else _number(stop))
    _check(spell.start < spell.stop)
    return spell


def _loses(value: Any) -> Spell:
    """As ``_spell``; ``[from, to]`` is everything in that time."""
    if isinstance(value, list) and len(value) == 2:
        return _bounded(1.0, *value)
    return _spell(value)


def _lies(value: Any) -> Spell:
    """``"empty"`` at all times, or ``["empty", from, to]``."""
    lie, *bounds = value if isinstance(value, list) else [value]
    _check(lie == "empty")
    return _bounded(1.0, *bounds) if bounds else Spell(1.0)


NOT_NEGATIVE = "not a number, or below 0"
"""What is wrong with a time that is refused."""

NOT_POSITIVE = "not a number above 0"
"""What is wrong with a rate that is refused."""

NEITHER = "neither true nor false"
"""What is wrong with a switch that is refused."""

VIEWS = (
    "not a list of [from, to] with 0 <= from < to, nor steps [[0.0, ranges], [time, ranges], ...]"
)
"""What is wrong with views that are refused."""

RATE = "not a number above 0, nor steps [[0.0, rate], [time, rate], ...]"
"""What is wrong with a rate that may change and is refused."""

LIES = 'neither "empty", the only lie known, nor ["empty", from, to]'
"""What is wrong with lies that are refused."""

SPELL = "not a share from 0 to 1, nor [share, from, to]"
"""What is wrong with a share, be it for a time, that is refused."""


class _Units:
    """Whether a scenario counts blocks or bytes; the first key that says so decides."""

    def __init__(self) -> None:
        self._decided_by: Dict[bool, str] = {}

    @property
    def in_bytes(self) -> bool:
        return True in self._decided_by

    def take(
        self, table: _Table, keys: Tuple[str, str], read: Callable[[Any], Any], problem: str
    ) -> Any:
        """
        The value of the one of ``keys`` (in blocks, in bytes) that is there; None: neither is.

        :raise ScenarioError: both are, or the scenario counts the other
        """
        found = None
        for in_bytes, key in enumerate(keys):
            value = table.take(key, None, read, problem)
            # No rate at all is in no unit.
            if value is None or value == 0.0:
                continue
            other = self._decided_by.get(not in_bytes)
            if other is not None:
                unit, others = ("bytes", "blocks") if in_bytes else ("blocks", "bytes")
                raise table.fail(key, table.given[key], f"in {unit}, and {other} in {others}")
            self._decided_by.setdefault(bool(in_bytes), table.where + key)
            found = value
        return found


def _read_peers(
    values: Mapping[str, Any], number: int, views: int, units: _Units
) -> Tuple[PeerModel, ...]:
    table = _Table(values, f"peers[{number}].")
    count = table.take("count", 1, _count(1, MAX_PEERS), f"not a count from 1 to {MAX_PEERS}")
    holds = table.take("holds", always((ViewRange(0, views),)), _views, VIEWS)
    joins = table.take("joins", 0.0, _number, NOT_NEGATIVE)
    leaves = table.take("leaves", None, _number, NOT_NEGATIVE)
    if leaves is not None and leaves <= joins:
        raise table.fail("leaves", leaves, f"not after it joins ({joins})")
    model = PeerModel(
        name="",
        rate=units.take(table, ("rate", "bytes_rate"), _rate, RATE) or (),
        rtt=table.take("rtt", 0.1, _number, NOT_NEGATIVE),
        overhead=table.take("overhead", 0.002, _number, NOT_NEGATIVE),
        holds=holds,
        adverts=table.take("adverts", holds, _views, VIEWS),
        max_blocks=table.take(
            "max_blocks",
            MAX_ANSWER_BLOCKS,
            _count(1, MAX_ANSWER_BLOCKS),
            f"not a count from 1 to {MAX_ANSWER_BLOCKS}",
        ),
        hints=table.take("hints", True, _flag, NEITHER),
        joins=joins,
        leaves=leaves,
        bucket=table.take("bucket", None, _bucket, "not [burst, refill above 0]"),
        silent_after=table.take("silent_after", None, _number, NOT_NEGATIVE),
        lies=table.take("lies", NEVER, _lies, LIES),
        omits=table.take("omits", NEVER, _spell, SPELL),
        forges=table.take("forges", False, _flag, NEITHER),
        overclaims=table.take("overclaims", False, _flag, NEITHER),
        loses=table.take("loses", NEVER, _loses, f"{SPELL}, nor [from, to]"),
        declines=table.take("declines", NEVER, _spell, SPELL),
        quota=table.take(
            "quota", None, _quota, "not [requests/s above 0, burst of at least 1]"
        ),
        hint_error=table.take("hint_error", 0, _count(0, MAX_VIEWS), "not a count of views"),
        advert_every=table.take("advert_every", None, _positive, NOT_POSITIVE),
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
    units = _Units()
    download = units.take(client, ("download", "download_bytes"), _number, NOT_NEGATIVE)
    models: List[PeerModel] = []
    for number, values in enumerate(peers, 1):
        if not isinstance(values, dict):
            raise ScenarioError(f"peers[{number}] = {values!r}: not a table")
        models.extend(_read_peers(values, number, views, units))
    usual = DEFAULT_RATE * (MEAN_BLOCK_BYTES if units.in_bytes else 1.0)
    models = [
        model if model.rate else model._replace(rate=(RateStep(0.0, usual),)) for model in models
    ]
    grows = chain.take(
        "grows", None, _growth, f"not [seconds above 0, blocks from 1 to {MAX_BLOCKS}]"
    )
    scenario = Scenario(
        name=name,
        views=views,
        filled=filled,
        grows=grows,
        download=download or 0.0,
        decode=client.take("decode", 0.0, _number, NOT_NEGATIVE),
        window=client.take("window", 0, _count(0, MAX_VIEWS), "not a count of views"),
        jitter=simulation.take(
            "jitter", 0.1, lambda value: _number(value, 0.0, 2.0), "not a number from 0 to 2"
        ),
        limit=simulation.take("limit", 600.0, _positive, NOT_POSITIVE),
        start=simulation.take("start", None, _number, NOT_NEGATIVE),
        stalls=simulation.take("stalls", (), _stalls, "not a list of [from, seconds above 0]"),
        restarts=simulation.take("restarts", (), _times, "not a list of times above 0"),
        peers=tuple(models),
        sizes=chain.take(
            "bytes",
            (),
            _sizes,
            f"not a list of [from, to, mean bytes from 1 to {MAX_MEAN_BYTES}] with 0 <= from < to",
        ),
        in_bytes=units.in_bytes,
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
