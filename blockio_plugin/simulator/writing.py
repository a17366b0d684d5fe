"""Writes a scenario as TOML that reads as the same scenario again."""
from typing import Any, Dict, List, Tuple

from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.models import Filled, PeerModel, Scenario, Spell, ViewsStep, always


def write_scenario(scenario: Scenario, comment: str) -> str:
    """
    The text of a scenario file, in which each peer has a table of its own and is named after its
    number; ``comment`` stands above it.
    """
    lines = [f"# {line}" for line in comment.splitlines()]
    for name, table in (
        ("chain", _write_chain(scenario)),
        ("client", _write_client(scenario)),
        ("simulation", _write_simulation(scenario)),
    ):
        lines += ["", f"[{name}]", *_write_table(table)]
    for model in scenario.peers:
        lines += ["", "[[peers]]", *_write_table(_write_peer(model, scenario))]
    return "\n".join(lines) + "\n"


def _write_table(table: Dict[str, Any]) -> List[str]:
    return [f"{key} = {_write_value(value)}" for key, value in table.items()]


def _write_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_write_value, value)) + "]"
    return repr(value)


def _write_chain(scenario: Scenario) -> Dict[str, Any]:
    table: Dict[str, Any] = {"views": scenario.views}
    if scenario.filled != (Filled(ViewRange(0, scenario.views), 1.0),):
        table["filled"] = [[*views, probability] for views, probability in scenario.filled]
    if scenario.grows is not None:
        table["grows"] = scenario.grows
    if scenario.sizes:
        table["bytes"] = [[*views, mean] for views, mean in scenario.sizes]
    return table


def _write_client(scenario: Scenario) -> Dict[str, Any]:
    table: Dict[str, Any] = {
        "download_bytes" if scenario.in_bytes else "download": scenario.download,
        "window": scenario.window,
    }
    if scenario.decode:
        table["decode"] = scenario.decode
    return table


def _write_simulation(scenario: Scenario) -> Dict[str, Any]:
    table: Dict[str, Any] = {"jitter": scenario.jitter, "limit": scenario.limit}
    if scenario.start is not None:
        table["start"] = scenario.start
    if scenario.stalls:
        table["stalls"] = scenario.stalls
    if scenario.restarts:
        table["restarts"] = scenario.restarts
    return table


def _write_peer(model: PeerModel, scenario: Scenario) -> Dict[str, Any]:
    rate = model.rate[0].rate if len(model.rate) == 1 else model.rate
    table: Dict[str, Any] = {
        "bytes_rate" if scenario.in_bytes else "rate": rate,
        "rtt": model.rtt,
    }
    if model.holds != always((ViewRange(0, scenario.views),)):
        table["holds"] = _write_views(model.holds)
    if model.adverts != model.holds:
        table["adverts"] = _write_views(model.adverts)
    for key, value in model._asdict().items():
        if key not in table and key not in ("name", "rate", "holds", "adverts"):
            if value != PeerModel._field_defaults[key]:
                table[key] = _write_spell(key, value) if isinstance(value, Spell) else value
    return table


def _write_views(steps: Tuple[ViewsStep, ...]) -> Any:
    return steps[0].ranges if len(steps) == 1 else steps


def _write_spell(key: str, spell: Spell) -> Any:
    what = "empty" if key == "lies" else spell.share
    if spell == Spell(spell.share):
        return what
    return [what, spell.start, spell.stop]
