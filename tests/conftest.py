"""
Where the chains of other clients are, how hypothesis searches, who may be neglected, and a repair.

The trio that Trinity pins and the exceptiongroup that pytest brings both replace parts of the
`traceback` module, and fail each other: a failing test would show that instead of its own error.
"""
import logging
import os
from pathlib import Path
import traceback
from typing import Iterator, List

from hypothesis import Phase, settings
import pytest

originals = {
    name: traceback.TracebackException.__dict__[name]
    for name in ("__init__", "format")
}
try:
    import trio  # noqa: E402, F401  isort: skip
except ImportError:
    # The rules and the simulator are tested without Trinity too, and so without trio.
    pass

for name, original in originals.items():
    setattr(traceback.TracebackException, name, original)

WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target)

# README.md in this folder says when to use which.
settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    max_examples=40,
    stateful_step_count=30,
    phases=WITHOUT_SHRINKING,
)
settings.register_profile("shrink", settings.get_profile("fixed"), phases=tuple(Phase))
settings.register_profile(
    "search",
    derandomize=False,
    deadline=None,
    max_examples=3000,
    stateful_step_count=50,
    print_blob=True,
    phases=WITHOUT_SHRINKING,
)
settings.load_profile("fixed")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def chains() -> Path:
    """Real chains of other clients, which are not part of the repository."""
    path = Path(os.environ.get("BLOCKIO_CHAINS", ROOT.parent / "shared" / "chains"))
    if not path.exists():
        pytest.skip(f"no chains of other clients in {path}; BLOCKIO_CHAINS names another place")
    return path


class _Recorder(logging.Handler):
    def __init__(self, messages: List[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


@pytest.fixture(autouse=True)
def blamed_on_us() -> Iterator[List[str]]:
    """
    What a node in a test warns of as a fault of ours, which fails the test. One that provokes such
    a warning takes it out of the list.
    """
    messages: List[str] = []
    recorder = _Recorder(messages)
    logger = logging.getLogger("blockio_plugin.services.Reporter")
    logger.addHandler(recorder)
    yield messages
    logger.removeHandler(recorder)
    assert messages == []
