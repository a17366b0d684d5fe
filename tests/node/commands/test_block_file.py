from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
import pytest

from blockio_plugin.node.commands.block_file import PART_SUFFIX, BlockFile

BLOCKS = st.lists(st.tuples(st.integers(0, 2 ** 63), st.binary(min_size=1, max_size=9)))


@given(BLOCKS, st.integers(0, 2 ** 63), st.integers(0, 2 ** 62))
def test_blocks_come_in_any_order_and_lie_in_theirs(
    tmp_path_factory: pytest.TempPathFactory, blocks: object, start: int, length: int
) -> None:
    assert isinstance(blocks, list)
    path = tmp_path_factory.mktemp("f") / "blocks.rlp"
    path.write_bytes(b"before")
    file = BlockFile(path)
    for view, rlp in blocks:
        file.add(view, rlp)
    assert path.read_bytes() == b"before"
    file.leave_out(start, start + length)
    holding = {
        view: rlp for view, rlp in blocks if not start <= view < start + length
    }
    expected = b"".join(rlp for _, rlp in sorted(holding.items()))
    assert (file.blocks, file.size) == (len(holding), len(expected))
    file.finish()
    assert path.read_bytes() == expected
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "blocks.rlp"):
        with pytest.raises(OSError):
            BlockFile(path)
    blocked = tmp_path / "blocks.rlp"
    blocked.with_name(blocked.name + PART_SUFFIX).mkdir()
    with pytest.raises(OSError):
        BlockFile(blocked)
