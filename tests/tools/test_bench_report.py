from blockio_plugin.tools.bench_report import make_median_figure


def test_median_is_that_of_the_ratios() -> None:
    # The machine was twice as fast in the second round, and disturbed in one half of the third.
    rates, besides = [90.0, 210.0, 60.0], [100.0, 200.0, 100.0]
    figure = make_median_figure("syncs", rates, "blocks/s", besides, 0.8)
    assert (figure.value, figure.beside) == (90.0, 100.0)
    assert figure.is_met
