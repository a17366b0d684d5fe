import asyncio
import logging
import random
from typing import Callable, Dict, List, Optional

from async_service import background_asyncio_service
import pytest

from blockio_plugin.rules.branches import Branches
from blockio_plugin.rules.fetch import Fetch, Front, Limits
from blockio_plugin.rules.head_number import HeadNumber, Sounding
from blockio_plugin.rules.heads import BELIEF_TIME, Heads
from blockio_plugin.rules.neglect import MAX_NEGLECT_TIME
from blockio_plugin.rules.peer_log import PeerLog
from blockio_plugin.rules.traffic import Traffic
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.abc import ChainHead, PeerID
from blockio_plugin.services.observer import Observer
from blockio_plugin.services.reporter import NEGLECT_INTERVAL, Reporter, describe

HEAD = ChainHead(9, 7, bytes.fromhex("08b44ea0") + bytes(28))


class Scene:
    """A chain up to view 9, and what a test makes of its peers."""

    def __init__(self) -> None:
        self.fetch = Fetch(front=Front(10, HEAD.hash), limits=Limits(), random=random.Random(1))
        self.heads = Heads(BELIEF_TIME)
        self.heads.note_own(HEAD.view, 0.0)
        self.numbers = HeadNumber()
        self.log = PeerLog(0.0)
        self.schemes: Dict[PeerID, str] = {}
        self.now = 0.0
        self.observer = self.observe(lambda: self.now)

    def observe(self, clock: Callable[[], float]) -> Observer:
        return Observer(
            self.fetch,
            self,
            Branches(),
            self.heads,
            self.numbers,
            Traffic(0.0),
            self.log,
            lambda: HEAD,
            lambda: 1_000,
            "slot:12",
            clock,
        )

    def get_scheme(self, peer: PeerID) -> Optional[str]:
        return self.schemes.get(peer)

    def join(self, peer: str, head_view: Optional[int] = None) -> None:
        self.fetch.join(peer, 0.0)
        self.log.join(peer, "", 0.0)
        if head_view is not None:
            self.schemes[peer] = "slot:12"
            self.heads.advertise(peer, head_view, 0.0)
            self.fetch.set_target(self.heads.target)

    def describe(self, rate: float = 0.0) -> str:
        return describe(self.observer.look(), rate, 94_600.0)


class TestDescribe:
    def test_alone(self) -> None:
        line = Scene().describe()
        assert line == "At view 9, block 7 0x08b44ea0; no peers that enable block I/O"

    def test_alone_since_the_only_peer_was_dropped(self) -> None:
        scene = Scene()
        scene.log.join("mallory", "evil/v1", 1.0)
        scene.log.leave("mallory", "two blocks at view 7", 8.0)
        scene.now = 20.0
        assert scene.describe().endswith(
            "; no peers: one was dropped 12 s ago: two blocks at view 7"
        )

    def test_synced(self) -> None:
        scene = Scene()
        scene.join("alice", 9)
        assert scene.describe() == "Synced to view 9, block 7 0x08b44ea0"

    def test_a_head_that_nobody_gives(self) -> None:
        scene = Scene()
        scene.join("alice", 9)
        scene.join("liar", 99)
        scene.now = BELIEF_TIME + 1
        line = scene.describe()
        assert line.startswith("Synced to view 9, ")
        assert line.endswith("; a peer claims blocks up to view 99, but gives none")

    def test_before_the_first_advert(self) -> None:
        scene = Scene()
        scene.join("alice")
        assert scene.describe().endswith("; no peer has said yet which views it covers")

    def test_nobody_uses_our_view_scheme(self) -> None:
        scene = Scene()
        scene.join("alice")
        scene.schemes["alice"] = "number"
        told = "; the only peer uses another view scheme (number) than we do (slot:12)"
        assert scene.describe().endswith(told)
        scene.join("bob")
        assert scene.describe().endswith("; no peer has said yet which views it covers")
        scene.schemes["bob"] = "slot:5"
        assert "all 2 peers use another view scheme (number, slot:5)" in scene.describe()

    def test_nothing_moves_and_it_says_why(self) -> None:
        scene = Scene()
        scene.join("alice", 99)
        scene.fetch.advertise("alice", 99, (ViewRange(20, 100),), 0.0)
        line = scene.describe()
        assert line.startswith("Syncing: view 9 of 99, block 7, 0 blocks/s, 1d2h behind, 1 peer,")
        assert line.endswith("; no peer covers view 10")

    def test_while_it_moves_no_reason_is_given(self) -> None:
        scene = Scene()
        scene.join("alice", 99)
        scene.fetch.advertise("alice", 99, (ViewRange(20, 100),), 0.0)
        line = scene.describe(31.4)
        assert "31 blocks/s" in line and "no peer" not in line

    def test_the_share_of_blocks_once_the_number_at_the_target_is_known(self) -> None:
        scene = Scene()
        scene.join("alice", 99)
        scene.numbers.note(Sounding(99, 70), Sounding(HEAD.view, HEAD.number))
        assert "view 9 of 99, block 7 of 70 (10.0 %), " in scene.describe()


async def lines_of(
    scene: Scene, seconds: float, caplog: pytest.LogCaptureFixture
) -> List[str]:
    caplog.clear()
    caplog.set_level(logging.INFO)
    clock = asyncio.get_event_loop().time
    reporter = Reporter(scene.observe(clock), scene.log, clock)
    async with background_asyncio_service(reporter):
        await asyncio.sleep(seconds)
    return [record.getMessage() for record in caplog.records if "Reporter" in record.name]


async def test_eight_lines_a_minute_while_syncing(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.join("alice", 99)
    assert len(await lines_of(scene, 61, caplog)) == 8


async def test_one_line_when_synced(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.join("alice", 9)
    assert len(await lines_of(scene, 301, caplog)) == 1
    assert [news.text for news in scene.log.news()] == ["alice joined", "synced to block 7"]


async def test_a_head_that_nobody_gives_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.join("alice", 9)
    scene.join("liar", 99)
    lines = await lines_of(scene, 301, caplog)
    assert "gives none" in lines[-1]
    assert [line.startswith("Synced") for line in lines].count(True) == 1
    assert len(lines) <= BELIEF_TIME / 5 + 1


async def test_now_and_then_when_alone(caplog: pytest.LogCaptureFixture) -> None:
    assert len(await lines_of(Scene(), 301, caplog)) == 5


async def test_that_somebody_is_neglected_is_told_once_a_minute(
    caplog: pytest.LogCaptureFixture, blamed_on_us: List[str]
) -> None:
    scene = Scene()
    scene.join("alice", 99)
    fetch = scene.fetch
    fetch.advertise("alice", 99, (ViewRange(0, 100),), 0.0)

    async def look() -> None:
        # As a scheduler does, but for the asking.
        while True:
            fetch.expire(asyncio.get_event_loop().time())
            await asyncio.sleep(1.0)

    looking = asyncio.ensure_future(look())
    await lines_of(scene, MAX_NEGLECT_TIME, caplog)
    assert blamed_on_us == []
    lines = await lines_of(scene, 3 * NEGLECT_INTERVAL + 1, caplog)
    looking.cancel()
    assert [line for line in lines if "fault of ours" in line] == blamed_on_us
    assert 3 <= len(blamed_on_us) <= 4
    assert "though alice could be asked" in blamed_on_us[0]
    blamed_on_us.clear()
