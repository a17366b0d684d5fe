from dataclasses import replace

from blockio_plugin.node.commands.probe_report import (
    BAR_WIDTH,
    ProbeReport,
    draw_advert,
    tell_probe,
)

REPORT = ProbeReport(
    client="Trinity/v1",
    capabilities=("eth/65", "bio/1"),
    scheme="slot:12",
    head_view=2795,
    ranges=((0, 1000), (2000, 2796)),
    round_trip=0.007,
    blocks=899,
    blocks_per_second=10216.4,
    requests=12,
    conforms=True,
    findings=(),
)


def test_a_good_peer() -> None:
    lines = tell_probe(REPORT)
    assert "advertises    1,796 views, head at 2,795: 0..1000, 2000..2796" in lines
    assert lines[-2:] == [
        "gave          899 blocks, 10,216 blocks/s",
        "conforms      nothing wrong in 12 requests",
    ]


def test_a_bad_peer_and_one_that_is_none() -> None:
    bad = replace(REPORT, conforms=False, findings=("this", "that"))
    assert tell_probe(bad)[-2:] == ["WRONG         this", "WRONG         that"]
    none = replace(
        bad, scheme=None, head_view=None, ranges=(), round_trip=None, blocks_per_second=None
    )
    assert [line.split()[0] for line in tell_probe(none)] == [
        "client",
        "capabilities",
        "WRONG",
        "WRONG",
    ]


def test_the_bar() -> None:
    assert draw_advert(((0, 2), (3, 4)), 4) == "##.#."
    wide = draw_advert(((0, 50), (75, 76)), 99_999)
    assert len(wide) == BAR_WIDTH and wide[0] == "+" and set(wide[1:]) == {"."}
    assert draw_advert((), 0) == "."
