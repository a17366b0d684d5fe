"""What peers send, from the event bus, in one order."""
import asyncio
from typing import AsyncIterator, Set

from lahja import BaseEvent, EndpointAPI
from p2p.abc import SessionAPI

from blockio_plugin.protocol.events import (
    AvailabilityReceived,
    BlockIOPeerJoined,
    BlockIOPeerLeft,
    BlocksReceived,
    BlocksRequested,
    GetBlockIOPeersRequest,
)
from blockio_plugin.services.abc import (
    AdvertReceived,
    AnswerReceived,
    InboxAPI,
    PeerEvent,
    PeerJoined,
    PeerLeft,
    RequestReceived,
)
