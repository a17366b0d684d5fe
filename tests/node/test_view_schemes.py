import argparse
from pathlib import Path
from typing import Callable, NamedTuple

from eth_utils import ValidationError
import pytest

from blockio_plugin.node.cli import add_flags, validate_flags
from blockio_plugin.node.view_schemes import find_scheme
from blockio_plugin.rules.schemes import NO_VIEW, InvalidScheme
from blockio_plugin.tools.plugin_install import install_package

PLUGIN = Path(__file__).parent.parent.parent / "fixtures" / "plugins" / "extra_data_scheme"


class Header(NamedTuple):
    block_number: int
    timestamp: int = 0
    extra_data: bytes = b""


GENESIS = Header(0)

Bring = Callable[[str, str], None]


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bring:
    """Installs a scheme of some name whose module is ``code``."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def bring(name: str, code: str) -> None:
        module = f"scheme_{abs(hash((name, code)))}"
        (tmp_path / f"{module}.py").write_text(code)
        metadata = tmp_path / f"{module}.egg-info"
        metadata.mkdir()
        (metadata / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(
            f"[blockio_plugin.view_schemes]\n{name} = {module}:Scheme\n"
        )

    return bring


def test_ours_need_no_package() -> None:
    assert find_scheme("number").name == "number"
    assert find_scheme("slot:30").name == "slot:30"


def test_the_example_reads_the_view_from_extra_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(PLUGIN, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    scheme = find_scheme("extra-data").bind(GENESIS)
    assert scheme.name == "extra-data"
    assert scheme.view_of(Header(7, extra_data=(9).to_bytes(8, "big") + b"x")) == 9
    assert scheme.view_of(GENESIS) == 0
    # Too short, and past the last view.
    assert scheme.view_of(Header(7, extra_data=b"x")) == NO_VIEW
    assert scheme.view_of(Header(7, extra_data=b"\xff" * 8)) == NO_VIEW
    with pytest.raises(InvalidScheme, match="'extra-data'"):
        find_scheme("other")


@pytest.mark.parametrize("view", ["'7'", "7.0", "None", "-1", "2 ** 63", "True", "1 / 0"])
def test_what_is_no_view(bring: Bring, view: str) -> None:
    bring("odd", f"class Scheme:\n    def view_of(self, header):\n        return {view}\n")
    assert find_scheme("odd").bind(GENESIS).view_of(Header(3)) == NO_VIEW


@pytest.mark.parametrize(
    "code",
    ["import nothing_of_this_name", "class Other: pass", "class Scheme: pass", "Scheme = 5"],
)
def test_a_package_that_cannot_be_used_is_named(bring: Bring, code: str) -> None:
    bring("broken", code)
    with pytest.raises(InvalidScheme, match="scheme_.*:Scheme cannot be used") as refusal:
        find_scheme("broken")
    assert "\n" not in str(refusal.value)


def test_a_name_that_does_not_fit_the_wire(bring: Bring) -> None:
    bring("n" * 65, "class Scheme:\n    def view_of(self, header):\n        return 1\n")
    with pytest.raises(InvalidScheme, match="64"):
        find_scheme("n" * 65)


def test_the_command_line_takes_it(bring: Bring) -> None:
    bring("rounds", "class Scheme:\n    def view_of(self, header):\n        return 1\n")
    parser = argparse.ArgumentParser()
    add_flags(parser)
    for name, is_known in (("rounds", True), ("squares", False)):
        args = parser.parse_args(["--enable-blockio", "--blockio-view-scheme", name])
        args.sync_mode, args.genesis, args.network_id = "none", None, 1
        if is_known:
            validate_flags(args)
        else:
            with pytest.raises(ValidationError, match="'rounds'"):
                validate_flags(args)
