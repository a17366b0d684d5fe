import asyncio
import random

from async_service import background_asyncio_service

from blockio_plugin.rules.messages import Availability
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.advertiser import (
    ADVERT_INTERVAL_BOUNDS,
    MIN_ADVERT_INTERVAL,
    Advertiser,
)
from blockio_plugin.tools.recording_wire import RecordingWire


def advert(head: int) -> Availability:
    return Availability("number", head, (ViewRange(0, head + 1),))


async def test_a_new_peer_hears_at_once() -> None:
    wire = RecordingWire()
    advertiser = Advertiser(wire, random.Random(1))
    advertiser.join("early")
    assert wire.sent == []
    advertiser.update(advert(5))
    advertiser.join("late")
    assert [(sent.peer, sent.payload) for sent in wire.sent] == [("late", advert(5))]


async def test_a_change_is_told_to_all_but_at_most_once_a_second() -> None:
    wire = RecordingWire()
    advertiser = Advertiser(wire, random.Random(1))
    advertiser.join("alice")
    async with background_asyncio_service(advertiser):
        for head in range(40):
            advertiser.update(advert(head))
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.1)
    times = [sent.at for sent in wire.sent]
    assert all(later - earlier >= MIN_ADVERT_INTERVAL for earlier, later in zip(times, times[1:]))
    assert len(times) >= 4
    assert wire.sent[-1].payload == advert(39)


async def test_it_repeats_itself_at_random_intervals() -> None:
    wire = RecordingWire()
    advertiser = Advertiser(wire, random.Random(1))
    advertiser.join("alice")
    advertiser.update(advert(1))
    async with background_asyncio_service(advertiser):
        await asyncio.sleep(2000)
    times = [sent.at for sent in wire.sent]
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    shortest, longest = ADVERT_INTERVAL_BOUNDS
    assert min(pauses) >= shortest
    assert max(pauses) <= longest + MIN_ADVERT_INTERVAL
    assert len(set(pauses)) == len(pauses)
    assert 9 < sum(pauses) / len(pauses) < 12


async def test_a_peer_that_left_hears_nothing() -> None:
    wire = RecordingWire()
    advertiser = Advertiser(wire, random.Random(1))
    advertiser.join("alice")
    advertiser.leave("alice")
    advertiser.update(advert(1))
    async with background_asyncio_service(advertiser):
        await asyncio.sleep(30)
    assert wire.sent == []
