import pickle
import subprocess
import sys
from typing import Any, Set, Type

from lahja import BaseEvent, BaseRequestResponseEvent
from p2p.tools.factories import SessionFactory
import pytest

from blockio_plugin.protocol import events
from blockio_plugin.rules.messages import Availability, BlocksByView, GetBlocksByView
from blockio_plugin.rules.views import ViewRange

SESSION = SessionFactory()
ADVERT = Availability("number", 7, (ViewRange(0, 8),))
REQUEST = GetBlocksByView(1, 2, 3, 4)
ANSWER = BlocksByView(1, 2, 3, 0, (b"block",))

EVENTS = (
    events.BlockIOPeerJoined(SESSION, "Trinity/v1"),
    events.BlockIOPeerLeft(SESSION, "two blocks at view 7"),
    events.AvailabilityReceived(SESSION, ADVERT),
    events.BlocksRequested(SESSION, REQUEST),
    events.BlocksReceived(SESSION, ANSWER, 12.5),
    events.RequestVoided(SESSION, 7),
    events.SendAvailabilityCommand(SESSION, ADVERT),
    events.SendGetBlocksByViewCommand(SESSION, REQUEST),
    events.SendBlocksByViewCommand(SESSION, ANSWER),
    events.DropPeerCommand(SESSION, "two blocks at view 7"),
    events.GetBlockIOPeersResponse((events.BlockIOPeerJoined(SESSION, ""),)),
    events.GetBlockIOPeersRequest(),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_pickles(event: BaseEvent) -> None:
    again = pickle.loads(pickle.dumps(event, protocol=pickle.HIGHEST_PROTOCOL))
    assert type(again) is type(event)
    assert again == event


def test_every_event_is_tried() -> None:
    defined: Set[Type[Any]] = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and issubclass(value, BaseEvent)
    }
    assert {type(event) for event in EVENTS} == defined - {BaseEvent, BaseRequestResponseEvent}


def test_import_is_cheap() -> None:
    """The bus makes every process of the node import it."""
    code = "import sys, blockio_plugin.protocol.events; print(' '.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    tops = {name.split(".")[0] for name in output.stdout.decode().split()}
    assert "lahja" in tops
    assert not tops & {"trinity", "p2p", "eth", "rlp", "pyroaring", "async_service"}
