"""A chain that go-ethereum made: dense under one scheme, 99.93 % empty under the other."""
from pathlib import Path
from typing import Iterator

import pytest

from blockio_plugin.tools.bench_sync import Bench, SourceChain, prepare
from blockio_plugin.tools.head_probe import HeadProbe
from blockio_plugin.tools.node_process import NodeProcess

pytestmark = pytest.mark.integration

SYNC_TIMEOUT = 200.0
"""Seconds for 3,000 blocks, most; it takes about 10 on two idle cores."""


@pytest.fixture(scope="module")
def source(chains: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceChain]:
    yield prepare(chains / "geth-2020", tmp_path_factory.mktemp("geth") / "source")


@pytest.mark.parametrize("scheme", ["number", "slot:30"])
async def test_a_fresh_node_syncs_it(source: SourceChain, directory: Path, scheme: str) -> None:
    bench = Bench(directory, source)
    async with NodeProcess.run(bench.configure(scheme, holds_chain=True)) as server:
        config = bench.configure(scheme, [server.enode()])
        async with NodeProcess.run(config):
            head = await HeadProbe(config.data_dir).wait_for(source.blocks, SYNC_TIMEOUT)
    assert head.number == 3000
    assert head.hash.hex().startswith("08b44ea0")
