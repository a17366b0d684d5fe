"""Durations as people say them."""
from typing import List

UNITS = (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
"""Names of units and their seconds, the longest first."""


def describe_seconds(seconds: float) -> str:
    """The two largest units that are not zero, such as ``3d4h``; nothing below a second."""
    left = max(0, int(seconds))
    parts: List[str] = []
    for name, size in UNITS:
        amount, left = divmod(left, size)
        if amount or parts:
            parts.append(f"{amount}{name}" if amount else "")
        if len(parts) == 2:
            break
    return "".join(parts) or "0s"
