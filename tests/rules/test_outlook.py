import pytest

from blockio_plugin.rules.outlook import compute_eta, compute_percent


@pytest.mark.parametrize(
    "done, total, percent",
    [(0, 10, 0.0), (5, 10, 50.0), (10, 10, 100.0), (12, 10, 100.0), (0, 0, 100.0)],
)
def test_percent(done: int, total: int, percent: float) -> None:
    assert compute_percent(done, total) == percent


def test_what_is_not_known_is_not_told() -> None:
    assert compute_percent(5, None) is None
    assert compute_eta(5, None, 10.0) is None
    assert compute_eta(5, 10, 0.0) is None


def test_eta() -> None:
    assert compute_eta(5, 10, 2.0) == 2.5
    assert compute_eta(10, 10, 0.0) == compute_eta(11, 10, 0.0) == 0.0
