import asyncio
from typing import Optional, Tuple

import pytest

from blockio_plugin.rules.blocks import Block
from blockio_plugin.rules.messages import BlocksByView, GetBlocksByView, Offence
from blockio_plugin.rules.views import ViewRange
from blockio_plugin.services.peer_requests import ANSWER_TIMEOUT, PeerAnswer, PeerRequests
from blockio_plugin.tools.recording_wire import RecordingWire

BLOCK = Block(7, 7, b"h" * 32, b"p" * 32, b"rlp")


async def ask() -> Tuple[PeerRequests, "asyncio.Future[Optional[PeerAnswer]]", GetBlocksByView]:
    wire = RecordingWire()
    requests = PeerRequests(wire)
    requests.join("alice")
    answer = asyncio.ensure_future(requests.fetch("alice", ViewRange(7, 9), 1))
    await asyncio.sleep(0)
    (sent,) = wire.sent
    assert sent.peer == "alice"
    return requests, answer, sent.payload


async def test_gives_what_the_peer_answers() -> None:
    requests, answer, asked = await ask()
    given = BlocksByView(asked.request_id, 7, 1, 0, (b"rlp",))
    assert requests.is_own(given)
    assert not requests.is_own(given._replace(request_id=1))
    requests.take("bob", given, [BLOCK])
    assert not answer.done()
    requests.take("alice", given, [BLOCK])
    assert await answer == PeerAnswer(ViewRange(7, 8), (BLOCK,))


async def test_a_decline_a_departure_and_silence_give_nothing() -> None:
    requests, answer, asked = await ask()
    requests.take("alice", BlocksByView(asked.request_id, 7, 0, 0, ()), [])
    assert await answer is None
    requests, answer, asked = await ask()
    requests.leave("bob")
    requests.leave("alice")
    assert await answer is None
    requests, answer, asked = await ask()
    started_at = asyncio.get_event_loop().time()
    assert await answer is None
    assert asyncio.get_event_loop().time() == pytest.approx(started_at + ANSWER_TIMEOUT)
    # An answer that comes too late is no offence, and of no use.
    requests.take("alice", BlocksByView(asked.request_id, 7, 1, 0, (b"rlp",)), [BLOCK])


async def test_who_is_not_there_is_not_waited_for() -> None:
    wire = RecordingWire()
    requests = PeerRequests(wire)
    requests.join("alice")
    requests.leave("alice")
    for peer in ("alice", "bob"):
        assert await requests.fetch(peer, ViewRange(7, 9), 1) is None
    assert asyncio.get_event_loop().time() == 0.0
    assert wire.sent == []


async def test_an_answer_that_does_not_fit_is_an_offence() -> None:
    requests, answer, asked = await ask()
    with pytest.raises(Offence):
        requests.take("alice", BlocksByView(asked.request_id, 8, 1, 0, (b"rlp",)), [BLOCK])
    answer.cancel()
