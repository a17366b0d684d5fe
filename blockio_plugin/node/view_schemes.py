"""
Finds the view scheme that the user named: one of ours, or one that an installed package brings.

Such a package has an entry point in the group ``blockio_plugin.view_schemes``: its name is the name
of the scheme, on the command line and on the wire, and it points to a class that takes no argument
and has ``view_of(header)``.
"""
from importlib.metadata import EntryPoint, entry_points
from typing import Dict

from blockio_plugin.rules.schemes import (
    MAX_SCHEME_NAME_LENGTH,
    InvalidScheme,
    NamedScheme,
    SchemeSpec,
    parse_scheme,
)

ENTRY_POINT_GROUP = "blockio_plugin.view_schemes"
"""The group of entry points that bring view schemes."""


def find_scheme(text: str) -> SchemeSpec:
    """
    The scheme that ``text`` names.

    :raise InvalidScheme: it names none, or one whose package cannot be used
    """
    try:
        return parse_scheme(text)
    except InvalidScheme as err:
        brought = _find_entry_points()
        if text not in brought:
            if not brought:
                raise
            names = ", ".join(repr(name) for name in sorted(brought))
            raise InvalidScheme(f"{err}, or a scheme of a package: {names}") from None
    if not (text.isascii() and text.isprintable() and len(text) <= MAX_SCHEME_NAME_LENGTH):
        raise InvalidScheme(
            f"a scheme's name is printable ASCII of at most {MAX_SCHEME_NAME_LENGTH} characters"
        )
    try:
        view_of = brought[text].load()().view_of
    except Exception as err:
        # Whatever goes wrong in it is the package's fault, and the user needs to know which.
        raise InvalidScheme(
            f"{brought[text].value} cannot be used: {type(err).__name__}: {err}"
        ) from err
    return SchemeSpec(text, lambda genesis: NamedScheme(text, view_of))


def _find_entry_points() -> Dict[str, EntryPoint]:
    return {point.name: point for point in entry_points().get(ENTRY_POINT_GROUP, ())}
