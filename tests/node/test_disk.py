import os
from pathlib import Path

import pytest

from blockio_plugin.node.disk import LEAST_FREE, describe_trouble


def statvfs_result(free: int, flags: int = 0) -> os.statvfs_result:
    block = 4096
    return os.statvfs_result((block, block, 10 ** 6, 0, free // block, 0, 0, 0, flags, 255))


def test_nothing_is_wrong_with_a_disk_that_has_room(tmp_path: Path) -> None:
    assert describe_trouble(tmp_path) is None


def test_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: statvfs_result(LEAST_FREE))
    assert describe_trouble(tmp_path) is None
    monkeypatch.setattr(os, "statvfs", lambda path: statvfs_result(LEAST_FREE - 4096))
    said = f"no space is left on the disk of {tmp_path}: 8188 KiB are free"
    assert describe_trouble(tmp_path) == said
    monkeypatch.setattr(os, "statvfs", lambda path: statvfs_result(2 ** 30, os.ST_RDONLY))
    assert describe_trouble(tmp_path) == f"the disk of {tmp_path} is read-only"


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    assert describe_trouble(tmp_path / "none") == (
        f"{tmp_path / 'none'} cannot be reached: No such file or directory"
    )
