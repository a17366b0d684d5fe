"""
View schemes: how a header maps to the view that holds its block.

A scheme is named on the command line and on the wire by the same ASCII text: ``number``, or
``slot:S`` with S a positive number of seconds. Genesis is always view 0.
"""
from abc import ABC, abstractmethod
from typing import Callable, NamedTuple

from typing_extensions import Protocol

from blockio_plugin.rules.views import VIEW_LIMIT

MAX_SCHEME_NAME_LENGTH = 64
"""Bytes of a scheme's name on the wire, most; ours are shorter, so longer ones are not ours."""

NO_VIEW = -1
"""What a scheme gives for a header that has no view: no block may have it."""


class HeaderFields(Protocol):
    """The fields of a block header that a scheme may look at; py-evm's headers have them."""

    @property
    def block_number(self) -> int:
        """The height of the block."""

    @property
    def timestamp(self) -> int:
        """Seconds since 1970."""

    @property
    def extra_data(self) -> bytes:
        """What the proposer wrote into the header."""


class InvalidScheme(ValueError):
    """The text names no view scheme. The message says what is wrong with it."""


class ViewScheme(ABC):
    """Maps headers of one chain to views."""

    name: str
    """The scheme's name on the wire."""

    @abstractmethod
    def view_of(self, header: HeaderFields) -> int:
        """The view that holds the block of ``header``."""


class NumberScheme(ViewScheme):
    """The view is the block number, so no view is empty."""

    name = "number"

    def view_of(self, header: HeaderFields) -> int:
        return header.block_number


class SlotScheme(ViewScheme):
    """The view is the slot of ``seconds`` seconds, counted from genesis, of the timestamp."""

    def __init__(self, seconds: int, genesis_timestamp: int) -> None:
        self.name = f"slot:{seconds}"
        self._seconds = seconds
        self._genesis_timestamp = genesis_timestamp

    def view_of(self, header: HeaderFields) -> int:
        return (header.timestamp - self._genesis_timestamp) // self._seconds


class NamedScheme(ViewScheme):
    """A scheme that somebody else brings: ``view_of`` is theirs, and may do anything."""

    def __init__(self, name: str, view_of: Callable[[HeaderFields], int]) -> None:
        self.name = name
        self._view_of = view_of

    def view_of(self, header: HeaderFields) -> int:
        """:data:`NO_VIEW` for a header that the scheme fails on: strangers choose what is in it."""
        if header.block_number == 0:
            return 0
        try:
            view = self._view_of(header)
        except Exception:
            return NO_VIEW
        return view if type(view) is int and 0 <= view < VIEW_LIMIT else NO_VIEW


class SchemeSpec(NamedTuple):
    """A scheme as the user named it, before the chain is known. ``bind`` gives it its genesis."""

    name: str
    bind: Callable[[HeaderFields], ViewScheme]


def parse_scheme(text: str) -> SchemeSpec:
    """
    Read a scheme's name.

    :raise InvalidScheme: where ``text`` is neither ``number`` nor ``slot:`` and a positive number
    """
    if text == NumberScheme.name:
        return SchemeSpec(text, lambda genesis: NumberScheme())
    kind, _, argument = text.partition(":")
    if kind != "slot":
        raise InvalidScheme("a view scheme is 'number' or 'slot:SECONDS'")
    # str.isdigit() alone would accept digits of other scripts.
    if not (argument.isascii() and argument.isdigit()):
        raise InvalidScheme("SECONDS in 'slot:SECONDS' must be a whole number")
    seconds = int(argument)
    if not 0 < seconds < VIEW_LIMIT:
        raise InvalidScheme("SECONDS in 'slot:SECONDS' must be at least 1")
    return SchemeSpec(f"slot:{seconds}", lambda genesis: SlotScheme(seconds, genesis.timestamp))
