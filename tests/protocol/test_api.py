import asyncio
from typing import Any, Callable, Type

from p2p.disconnect import DisconnectReason
import pytest
import snappy

from blockio_plugin.protocol.api import (
    MAX_OPEN_REQUESTS,
    MAX_SENT_BLOCK_BYTES,
    MAX_UNANSWERED_REQUESTS,
    decline,
)
from blockio_plugin.protocol.commands import (
    AvailabilityCommand,
    BlocksByViewCommand,
    GetBlocksByViewCommand,
)
from blockio_plugin.protocol.peer import BlockIOPeer
from blockio_plugin.protocol.proto import BlockIOProtocol
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange

ADVERT = Availability("slot:30", 9, (ViewRange(0, 4), ViewRange(6, 10)))

Connect = Callable[..., Any]
Inbox = Any
MakeInbox = Type[Inbox]
SendFrame = Callable[[BlockIOPeer, int, bytes], None]
Ended = Callable[[BlockIOPeer], Any]


def request(request_id: int) -> GetBlocksByView:
    return GetBlocksByView(request_id, 5, 10, 3)


def answer(request_id: int) -> BlocksByView:
    return BlocksByView(request_id, 5, 4, 11, (b"one", b"two"))


def send(peer: BlockIOPeer, command: Any) -> None:
    """Send a command that the API would not."""
    peer.connection.get_protocol_by_type(BlockIOProtocol).send(command)


async def test_all_three_commands(connect: Connect, make_inbox: MakeInbox) -> None:
    async with connect() as (alice, bob):
        of_alice, of_bob = make_inbox(alice), make_inbox(bob)
        alice.blockio_api.send_availability(ADVERT)
        assert await of_bob.next() == [ADVERT]
        assert alice.blockio_api.send_request(request(1))
        assert await of_bob.next() == [request(1)]
        bob.blockio_api.send_answer(answer(1))
        assert await of_alice.next() == [answer(1)]


async def test_without_snappy(connect: Connect, make_inbox: MakeInbox) -> None:
    async with connect(alice_p2p_version=4) as (alice, bob):
        of_alice, of_bob = make_inbox(alice), make_inbox(bob)
        assert alice.blockio_api.send_request(request(1))
        assert await of_bob.next() == [request(1)]
        bob.blockio_api.send_answer(answer(1))
        assert await of_alice.next() == [answer(1)]


class TestOurRequests:
    async def test_as_many_as_may_be_open(self, connect: Connect, make_inbox: MakeInbox) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            api = alice.blockio_api
            for request_id in range(MAX_OPEN_REQUESTS):
                assert api.send_request(request(request_id))
            assert not api.send_request(request(MAX_OPEN_REQUESTS))
            # Bob declines what is too much for him, and so it is open no more.
            declined = MAX_OPEN_REQUESTS - MAX_UNANSWERED_REQUESTS
            await of_alice.next(declined)
            assert len(of_bob.payloads) == MAX_UNANSWERED_REQUESTS
            for request_id in range(declined):
                assert api.send_request(request(MAX_OPEN_REQUESTS + request_id))
            assert not api.send_request(request(2 * MAX_OPEN_REQUESTS))

    async def test_an_open_identifier_is_not_used_again(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            of_bob = make_inbox(bob)
            assert alice.blockio_api.send_request(request(1))
            assert not alice.blockio_api.send_request(request(1))
            assert alice.blockio_api.send_request(request(2))
            assert await of_bob.next(2) == [request(1), request(2)]

    async def test_late_answer_is_an_answer(self, connect: Connect, make_inbox: MakeInbox) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            alice.blockio_api.send_request(request(1))
            await of_bob.next()
            await asyncio.sleep(600)
            bob.blockio_api.send_answer(answer(1))
            assert await of_alice.next() == [answer(1)]


class TestTheirRequests:
    async def test_one_answer_for_each(self, connect: Connect, make_inbox: MakeInbox) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            alice.blockio_api.send_request(request(1))
            await of_bob.next()
            bob.blockio_api.send_answer(answer(1))
            bob.blockio_api.send_answer(answer(1))
            bob.blockio_api.send_answer(answer(2))
            bob.blockio_api.send_availability(ADVERT)
            assert await of_alice.next(2) == [answer(1), ADVERT]

    async def test_declined_while_nobody_listens(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            of_alice = make_inbox(alice)
            alice.blockio_api.send_request(request(1))
            assert await of_alice.next() == [decline(1, 5)]

    async def test_too_many_are_declined_and_in_order(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            for request_id in range(MAX_UNANSWERED_REQUESTS + 2):
                alice.blockio_api.send_request(request(request_id))
            declined = await of_alice.next(2)
            assert [one.request_id for one in declined] == [
                MAX_UNANSWERED_REQUESTS,
                MAX_UNANSWERED_REQUESTS + 1,
            ]
            assert all(one.length == 0 and not one.blocks for one in declined)
            passed = await of_bob.next(MAX_UNANSWERED_REQUESTS)
            assert [one.request_id for one in passed] == list(range(MAX_UNANSWERED_REQUESTS))
            bob.blockio_api.send_answer(answer(7))
            await of_alice.next()
            alice.blockio_api.send_request(request(1000))
            assert await of_bob.next() == [request(1000)]

    async def test_an_identifier_twice_is_declined_once(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            alice.blockio_api.send_request(request(1))
            alice.blockio_api.send_request(request(2))
            send(alice, GetBlocksByViewCommand(request(1)))
            assert await of_alice.next() == [decline(1, 5)]
            assert await of_bob.next(2) == [request(1), request(2)]
            assert of_bob.payloads == []

    async def test_a_block_that_fits_no_frame_is_declined(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            alice.blockio_api.send_request(request(1))
            await of_bob.next()
            huge = bytes(MAX_SENT_BLOCK_BYTES + 1)
            bob.blockio_api.send_answer(answer(1)._replace(blocks=(huge,)))
            assert await of_alice.next() == [decline(1, 5)]


class TestAdverts:
    async def test_the_last_one_waits_for_who_comes_late(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            alice.blockio_api.send_availability(ADVERT._replace(head_view=1))
            alice.blockio_api.send_availability(ADVERT)
            await asyncio.sleep(5)
            assert bob.blockio_api.latest_advert == ADVERT
            assert await make_inbox(bob).next() == [ADVERT]

    async def test_a_flood_is_passed_on_once_a_second(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            of_bob = make_inbox(bob)
            for head_view in range(1, 501):
                alice.blockio_api.send_availability(ADVERT._replace(head_view=head_view))
            await asyncio.sleep(10)
            assert [advert.head_view for advert in of_bob.payloads] == [1, 500]

    async def test_nothing_is_passed_on_after_the_end(
        self, connect: Connect, make_inbox: MakeInbox, ended: Ended
    ) -> None:
        async with connect() as (alice, bob):
            of_bob = make_inbox(bob)
            alice.blockio_api.send_availability(ADVERT)
            alice.blockio_api.send_availability(ADVERT._replace(head_view=10))
            await of_bob.next()
            bob.drop("enough")
            await ended(bob)
            await asyncio.sleep(10)
            assert of_bob.payloads == []


class TestEnd:
    async def test_sending_after_it_raises_nothing(
        self, connect: Connect, make_inbox: MakeInbox, ended: Ended
    ) -> None:
        async with connect() as (alice, bob):
            of_bob = make_inbox(bob)
            alice.blockio_api.send_request(request(1))
            await of_bob.next()
            bob.drop("enough")
            await ended(bob)
            bob.blockio_api.send_availability(ADVERT)
            bob.blockio_api.send_answer(answer(1))
            assert not bob.blockio_api.send_request(request(1))

    async def test_sending_while_the_transport_closes_raises_nothing(
        self, connect: Connect, make_inbox: MakeInbox
    ) -> None:
        async with connect() as (alice, bob):
            await alice.connection.get_multiplexer().close()
            alice.blockio_api.send_availability(ADVERT)
            alice.blockio_api.send_request(request(1))


OFFENCES = {
    "body that is not snappy": (0, b"\x05garbage"),
    "body without a length": (1, b"\xff" * 20),
    "payload that is not RLP": (0, snappy.compress(b"\xff\xff")),
    "nested list for an integer": (1, snappy.compress(bytes.fromhex("c4c0800101"))),
    "request for no views": (1, snappy.compress(bytes.fromhex("c401058001"))),
    "unassigned identifier": (3, snappy.compress(b"\xc0")),
    "last unassigned identifier": (7, b""),
    "answer that nobody asked for": (2, snappy.compress(bytes.fromhex("c501058080c0"))),
}


class TestOffences:
    @pytest.mark.parametrize("command_id, body", OFFENCES.values(), ids=OFFENCES)
    async def test_a_frame_ends_its_connection_and_no_other(
        self,
        connect: Connect,
        make_inbox: MakeInbox,
        send_frame: SendFrame,
        ended: Ended,
        command_id: int,
        body: bytes,
    ) -> None:
        async with connect() as (carol, dave), connect() as (alice, bob):
            of_bob, of_dave = make_inbox(bob), make_inbox(dave)
            send_frame(alice, command_id, body)
            await ended(bob)
            await ended(alice)
            assert bob.local_disconnect_reason is DisconnectReason.BAD_PROTOCOL
            assert alice.remote_disconnect_reason is DisconnectReason.BAD_PROTOCOL
            assert of_bob.payloads == []
            carol.blockio_api.send_availability(ADVERT)
            assert await of_dave.next() == [ADVERT]

    async def test_answer_to_another_request(
        self, connect: Connect, make_inbox: MakeInbox, ended: Ended
    ) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            alice.blockio_api.send_request(request(1))
            await of_bob.next()
            send(bob, BlocksByViewCommand(answer(2)))
            await ended(alice)
            assert alice.local_disconnect_reason is DisconnectReason.BAD_PROTOCOL
            assert of_alice.payloads == []

    async def test_second_answer(
        self, connect: Connect, make_inbox: MakeInbox, ended: Ended
    ) -> None:
        async with connect() as (alice, bob):
            of_alice, of_bob = make_inbox(alice), make_inbox(bob)
            alice.blockio_api.send_request(request(1))
            alice.blockio_api.send_request(request(2))
            await of_bob.next(2)
            send(bob, BlocksByViewCommand(answer(1)))
            send(bob, BlocksByViewCommand(answer(1)))
            await ended(alice)
            assert alice.local_disconnect_reason is DisconnectReason.BAD_PROTOCOL
            assert of_alice.payloads == [answer(1)]

    async def test_nothing_after_an_offence_is_passed_on(
        self, connect: Connect, make_inbox: MakeInbox, send_frame: SendFrame, ended: Ended
    ) -> None:
        async with connect() as (alice, bob):
            of_bob = make_inbox(bob)
            send_frame(alice, 3, b"")
            send(alice, AvailabilityCommand(ADVERT))
            send(alice, GetBlocksByViewCommand(request(1)))
            await ended(bob)
            assert of_bob.payloads == []
