"""Why the chain database cannot be written: what the disk that holds it says."""
import os
from pathlib import Path
from typing import Optional

LEAST_FREE = 8 * 1024 * 1024
"""Bytes that have to be free on the disk: LevelDB begins files of 4 MiB, two at a time."""


def describe_trouble(directory: Path) -> Optional[str]:
    """What is wrong with the disk of an existing directory; None where nothing can be seen."""
    try:
        disk = os.statvfs(directory)
    except OSError as err:
        return f"{directory} cannot be reached: {err.strerror}"
    if disk.f_flag & os.ST_RDONLY:
        return f"the disk of {directory} is read-only"
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST_FREE:
        return f"no space is left on the disk of {directory}: {free // 1024} KiB are free"
    return None
