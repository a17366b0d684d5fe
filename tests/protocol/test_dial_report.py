import asyncio
import logging
from typing import Any, Callable, List

from p2p.abc import NodeAPI
from p2p.exceptions import HandshakeFailureTooManyPeers, UnreachablePeer
from p2p.tools.factories import NodeFactory
import pytest

from blockio_plugin.protocol.dial_report import PATIENCE, DialReport
from blockio_plugin.protocol.peer import BlockIOPeerFactory


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], List[str]]:
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records if "DialR" in record.name]


def dial(report: DialReport, remote: NodeAPI, *errors: BaseException) -> None:
    for error in errors:
        with pytest.raises(type(error)):
            with report.watch(remote):
                raise error


def test_a_preferred_node_that_cannot_be_reached_is_said_once(told: Any) -> None:
    remote, other = NodeFactory(), NodeFactory()
    report = DialReport([remote])
    refused = UnreachablePeer("Can't reach it")
    dial(report, other, refused)
    dial(report, remote, refused, refused, HandshakeFailureTooManyPeers())
    reason = "UnreachablePeer: Can't reach it"
    assert told() == [f"Cannot reach the preferred node {remote.uri()}: {reason}"]


def test_it_is_said_again_after_it_was_reached(told: Any) -> None:
    remote = NodeFactory()
    report = DialReport([remote])
    dial(report, remote, HandshakeFailureTooManyPeers())
    with report.watch(remote):
        pass
    dial(report, remote, asyncio.CancelledError())
    assert [line.partition(f"{remote.uri()}: ")[2] for line in told()] == [
        "HandshakeFailureTooManyPeers",
        PATIENCE,
    ]


async def test_the_factory_reports(told: Any, chain_context: Any) -> None:
    remote = NodeFactory()
    factory = BlockIOPeerFactory(None, chain_context, dials=DialReport([remote]))
    # It has no key, so that dialling fails at once.
    with pytest.raises(Exception):
        await factory.handshake(remote)
    assert len(told()) == 1
