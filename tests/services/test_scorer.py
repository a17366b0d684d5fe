import pytest

from blockio_plugin.rules.status import PeerState, PeerStatus
from blockio_plugin.services.scorer import find_reason

KNOWN = PeerStatus("alice", 0.01, 100, 1, 0, 0, 0.1, 50, PeerState.ASKED, None)


def test_a_peer_that_was_not_measured_is_not_told_of() -> None:
    assert find_reason(None, KNOWN._replace(score=None)) is None


@pytest.mark.parametrize(
    "now, reason",
    [
        (KNOWN._replace(score=0.02), "it became slower"),
        (KNOWN._replace(score=0.005), "it became quicker"),
        (KNOWN._replace(late_requests=1), "it let requests time out"),
        (KNOWN._replace(faults=1), "it called views empty that are not, or sent an invalid block"),
        (KNOWN._replace(score=0.015, blocks=900), None),
    ],
)
def test_reasons(now: PeerStatus, reason: str) -> None:
    assert find_reason(KNOWN, now) == reason
    assert find_reason(None, now) == "it supplied its first blocks"
