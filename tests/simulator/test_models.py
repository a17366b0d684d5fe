"""What models say of themselves."""
from math import inf
from typing import Any

import pytest

from blockio_plugin.rules.views import ViewRange
from blockio_plugin.simulator.models import PeerModel, Spell, ViewsStep, extend, views_at
from blockio_plugin.simulator.scenario import read_scenario


def model(**values: Any) -> PeerModel:
    return read_scenario({"peers": [values]}, "x").peers[0]


def test_a_spell_has_its_share_from_its_start_until_its_stop() -> None:
    spell = Spell(0.5, 1.0, 2.0)
    assert [spell.share_at(time) for time in (0.9, 1.0, 1.9, 2.0)] == [0.0, 0.5, 0.5, 0.0]
    assert not Spell(1.0, 5.0, 9.0).is_lasting and not Spell(0.9).is_lasting
    assert Spell(1.0, 5.0, inf).is_lasting


def test_steps_hold_until_the_next() -> None:
    steps = (ViewsStep(0.0, (ViewRange(0, 5),)), ViewsStep(2.0, ()), ViewsStep(4.0, ()))
    assert views_at(steps, 1.9) == (ViewRange(0, 5),)
    assert views_at(steps, 2.0) == views_at(steps, 9.0) == ()


def test_what_reaches_the_last_view_grows_with_the_chain() -> None:
    ranges = (ViewRange(0, 5), ViewRange(8, 10), ViewRange(12, 15))
    assert extend(ranges, 9, 12) == (ViewRange(0, 5), ViewRange(8, 15))
    assert extend(ranges, 9, 10) == extend(ranges, 6, 8) == ranges


@pytest.mark.parametrize(
    "values, is_honest, is_answering",
    [
        ({}, True, True),
        ({"loses": 0.9, "declines": 0.9, "quota": [1.0, 1]}, True, True),
        ({"loses": [0.0, 9.0], "declines": [1.0, 0.0, 9.0]}, True, True),
        ({"loses": 1.0}, True, False),
        ({"declines": [1.0, 5.0, inf]}, True, False),
        ({"silent_after": 5.0}, True, False),
        ({"lies": "empty"}, False, False),
        ({"lies": ["empty", 1.0, 2.0]}, False, True),
        ({"omits": 0.1}, False, True),
        ({"hint_error": 1}, False, True),
        ({"forges": True}, False, False),
        ({"overclaims": True}, False, True),
    ],
)
def test_who_is_honest_and_who_goes_on_answering(
    values: Any, is_honest: bool, is_answering: bool
) -> None:
    tested = model(**values)
    assert (tested.is_honest, tested.is_answering) == (is_honest, is_answering)
