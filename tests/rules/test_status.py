import pytest

from blockio_plugin.rules.status import OpenViews
from blockio_plugin.rules.views import ViewRange


@pytest.mark.parametrize(
    "open_views, told",
    [
        (
            OpenViews(ViewRange(5, 9), 1, 0.04),
            "waiting for views 5-8 from 1 peer for 0.0 s",
        ),
        (
            OpenViews(ViewRange(5, 6), 2, 12.36),
            "waiting for views 5 from 2 peers for 12.4 s",
        ),
    ],
)
def test_what_is_waited_for_is_told_in_words(open_views: OpenViews, told: str) -> None:
    assert str(open_views) == told
