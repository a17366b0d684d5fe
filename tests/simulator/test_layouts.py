"""Random networks are what they are said to be."""
import pytest

from blockio_plugin.rules.views import range_at
from blockio_plugin.simulator.layouts import (
    LAYOUT_PEERS,
    LAYOUT_RATES,
    LAYOUT_RTTS,
    LEAST_BOUND,
    MAX_FAULTY,
    draw_layout,
    perturb,
)
from blockio_plugin.simulator.run import Run


@pytest.mark.parametrize("seed", [1, 2, 10, 11])
def test_a_layout_keeps_its_promises(seed: int) -> None:
    layout = draw_layout(seed)
    assert layout == draw_layout(seed)
    assert LAYOUT_PEERS[0] <= len(layout.peers) <= LAYOUT_PEERS[1]
    faulty = [
        peer
        for peer in layout.peers
        if not peer.is_honest or peer.silent_after is not None or peer.adverts != peer.holds
    ]
    assert len(faulty) <= MAX_FAULTY * len(layout.peers)
    for peer in layout.peers:
        assert LAYOUT_RATES[0] <= peer.rate[0].rate <= LAYOUT_RATES[1]
        assert LAYOUT_RTTS[0] <= peer.rtt <= LAYOUT_RTTS[1]
    honest = [peer for peer in layout.peers if peer not in faulty]
    for view in range(0, layout.views, max(1, layout.views // 500)):
        assert any(range_at(peer.holds[0].ranges, view) for peer in honest)
    assert Run(layout, seed).compute_bound() >= LEAST_BOUND


def test_perturbing_changes_rates_and_ways_alone() -> None:
    layout = draw_layout(1)
    changed = perturb(layout, 1)
    assert changed == perturb(layout, 1) != perturb(layout, 2)
    for before, after in zip(layout.peers, changed.peers):
        assert 0.7 <= after.rate[0].rate / before.rate[0].rate <= 1.4
        assert 0.5 <= after.rtt / before.rtt <= 2.0
        assert after._replace(rate=before.rate, rtt=before.rtt) == before
