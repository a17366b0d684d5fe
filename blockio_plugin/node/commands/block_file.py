"""A file of blocks in the form that ``trinity import`` takes: their RLP in a row, ascending."""
from pathlib import Path
import shutil
from typing import BinaryIO, Dict, NamedTuple

PART_SUFFIX = ".part"
"""What is added to the name of the file that blocks are kept in as they come, in no order."""


class _Place(NamedTuple):
    offset: int
    size: int


class BlockFile:
    """
    Takes blocks in any order and leaves a file that has them in order. Whatever happens meanwhile,
    the file is as it was before until ``finish``, and holds whole blocks only after it.

    :raise OSError: the file cannot be written
    """

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a directory", str(path))
        self._path = path
        self._part = path.with_name(path.name + PART_SUFFIX)
        self._file: BinaryIO = self._part.open("w+b")
        self._places: Dict[int, _Place] = {}

    def add(self, view: int, rlp: bytes) -> None:
        """Keep the block of ``view``; of several the last holds."""
        offset = self._file.seek(0, 2)
        self._file.write(rlp)
        self._places[view] = _Place(offset, len(rlp))

    def leave_out(self, start: int, stop: int) -> None:
        """Blocks from view ``start`` to before ``stop`` do not hold, where there are any."""
        for view in [view for view in self._places if start <= view < stop]:
            del self._places[view]

    @property
    def blocks(self) -> int:
        """Blocks that it holds."""
        return len(self._places)

    @property
    def size(self) -> int:
        """Bytes of these."""
        return sum(place.size for place in self._places.values())

    def finish(self) -> None:
        """Put the file in its place, with what it holds by now."""
        ordered = self._part.with_name(self._part.name + ".ordered")
        with ordered.open("wb") as out:
            for _, (offset, size) in sorted(self._places.items()):
                self._file.seek(offset)
                out.write(self._file.read(size))
        self._file.close()
        shutil.move(str(ordered), str(self._path))
        self._part.unlink()
