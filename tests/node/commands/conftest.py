"""What a node may say of itself, made up."""
from typing import Any, Callable

from p2p.tools.factories import SessionFactory
import pytest

from blockio_plugin.events import BlockIOStatus, News, PeerStatus
from blockio_plugin.rules.view_bar import CACHED, HELD, IN_FLIGHT, MISSING, WANTED

MakeStatus = Callable[..., BlockIOStatus]


def make_peer(**changes: Any) -> PeerStatus:
    peer = PeerStatus(
        session=SessionFactory(),
        head_view=4_501_500,
        score=0.0152,
        blocks=527,
        open_requests=2,
        late_requests=0,
        disproved_claims=0,
        client="Trinity/v0.1.0a37/linux/cpython3.8.18",
        scheme="slot:30",
        covered_views=4_501_501,
        round_trip=0.039,
        state="asked",
        state_reason=None,
    )
    return peer._replace(**changes)


def make_status(**changes: Any) -> BlockIOStatus:
    status = BlockIOStatus(
        drives=True,
        scheme="slot:30",
        synced=False,
        starting_number=0,
        head_number=567,
        head_view=161_028,
        head_hash=bytes.fromhex("08b44ea0") + bytes(28),
        target_view=4_501_500,
        blocks_in_flight=64,
        blocks_cached=120,
        bytes_cached=4_200_000,
        idle_reason=None,
        peers=(
            make_peer(score=None, client="[red]no markup[/red]", state="new", head_view=None),
            make_peer(),
            make_peer(score=0.4, state="paused", state_reason="declines, asked again in 2.0 s"),
        ),
        syncing=True,
        head_timestamp=1_600_000_000,
        target_number=3000,
        percent=18.9,
        eta_seconds=7.8,
        blocks_per_second=312.4,
        bytes_per_second=420_000.0,
        wanted_views=4_300_000,
        memory_budget=2 ** 26,
        imported_blocks=567,
        served_blocks=12,
        served_bytes=7_000,
        imported_history=(0, 100, 900, 1500, 1562),
        view_bar=HELD * 20 + IN_FLIGHT * 5 + CACHED * 10 + MISSING * 5 + WANTED * 200,
        news=tuple(
            News(60.0 - index, f"{index}a2b3c4d@10.0.0.{index} joined: geth") for index in range(9)
        ),
    )
    return status._replace(**changes)


@pytest.fixture(name="make_status")
def make_status_fixture() -> MakeStatus:
    return make_status


@pytest.fixture(name="make_peer")
def make_peer_fixture() -> Callable[..., PeerStatus]:
    return make_peer
