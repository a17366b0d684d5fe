"""The bus events between the blockio process and the one that imports; not for other plugins."""
from dataclasses import dataclass
from typing import Tuple, Type

from lahja import BaseEvent, BaseRequestResponseEvent, BroadcastConfig

from blockio_plugin.services.abc import BackfillResult, ImportResult

IMPORT_ENDPOINT = "blockio-import"
"""The name of the importing process's endpoint on the event bus."""

TO_IMPORT_BROADCAST_CONFIG = BroadcastConfig(filter_endpoint=IMPORT_ENDPOINT)
"""Sends an event to the importing process alone."""


@dataclass
class ImportBlocksResponse(BaseEvent):
    """How far the import came."""

    result: ImportResult


@dataclass
class ImportBlocksRequest(BaseRequestResponseEvent[ImportBlocksResponse]):
    """Import these blocks (RLP) in order; see :meth:`ImporterAPI.import_blocks`."""

    blocks: Tuple[bytes, ...]
    announce: bool

    @staticmethod
    def expected_response_type() -> Type[ImportBlocksResponse]:
        return ImportBlocksResponse


@dataclass
class BackfillBlocksResponse(BaseEvent):
    """How far the backfill came."""

    result: BackfillResult


@dataclass
class BackfillBlocksRequest(BaseRequestResponseEvent[BackfillBlocksResponse]):
    """Store these blocks (RLP), descending; see :meth:`ImporterAPI.backfill_blocks`."""

    blocks: Tuple[bytes, ...]

    @staticmethod
    def expected_response_type() -> Type[BackfillBlocksResponse]:
        return BackfillBlocksResponse
