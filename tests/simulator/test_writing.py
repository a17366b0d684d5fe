"""What is written reads as the same scenario again."""
from pathlib import Path

import pytest
import tomli

from blockio_plugin.simulator.chaos import draw_chaos
from blockio_plugin.simulator.scenario import load_scenario, read_scenario
from blockio_plugin.simulator.writing import write_scenario

SCENARIOS = Path(__file__).parents[2] / "fixtures" / "scenarios"


@pytest.mark.parametrize("seed", range(50))
def test_a_drawn_network_reads_as_it_was(seed: int) -> None:
    # Between them the draws have every key of the format.
    drawn = draw_chaos(seed)
    text = write_scenario(drawn, f"seed {seed}\nof chaos")
    assert text.startswith(f"# seed {seed}\n# of chaos\n\n[chain]\n")
    assert read_scenario(tomli.loads(text), drawn.name) == drawn


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_standing_scenario_reads_as_it_was_but_for_names(path: Path) -> None:
    scenario = load_scenario(path)
    again = read_scenario(tomli.loads(write_scenario(scenario, "")), scenario.name)
    assert again.peers == tuple(
        model._replace(name=str(number)) for number, model in enumerate(scenario.peers, 1)
    )
    assert again._replace(peers=()) == scenario._replace(peers=())
