"""A mined chain, and directories whose paths are short enough for the sockets in them."""
from pathlib import Path
import shutil
import tempfile
from typing import Any, Generator, Iterator, NamedTuple

import pytest

from blockio_plugin.tools.chain_builder import Recipe, build_data_dir, read_recipe
from blockio_plugin.tools.node_process import NodeConfig

ROOT = Path(__file__).parent.parent.parent


class MinedChain(NamedTuple):
    """A chain that a node can start on a copy of."""

    recipe: Recipe
    data_dir: Path
    head_hash: bytes

    def configure(self, directory: Path, holds_chain: bool, *enodes: str) -> NodeConfig:
        """A plugin node in ``directory``, with the whole chain or with nothing."""
        if holds_chain:
            shutil.copytree(self.data_dir, directory)
        return NodeConfig(
            data_dir=directory,
            genesis=self.recipe.genesis,
            network_id=self.recipe.network_id,
            view_scheme=self.recipe.scheme,
            preferred_nodes=enodes,
        )


LOG_LINES = 40
"""Lines of each node's log that are told of a test that failed."""

HAS_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    item.stash[HAS_FAILED] = item.stash.get(HAS_FAILED, False) or report.failed


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bio-") as path:
        yield Path(path)
        if request.node.stash.get(HAS_FAILED, False):
            for log in sorted(Path(path).glob("*.log")):
                lines = log.read_text(errors="replace").splitlines()
                print(f"-- the end of {log.name}:", *lines[-LOG_LINES:], sep="\n")


@pytest.fixture(scope="session")
def mined() -> Iterator[MinedChain]:
    recipe = read_recipe(ROOT / "fixtures" / "demo" / "chain.toml")._replace(blocks=400)
    with tempfile.TemporaryDirectory(prefix="bio-") as path:
        data_dir = Path(path) / "mined"
        yield MinedChain(recipe, data_dir, build_data_dir(recipe, data_dir))
