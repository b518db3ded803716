import matplotlib

matplotlib.use("Agg")

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from virtperf import plot, validation
from virtperf.errors import ParameterError


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def test_a_prediction_stands_at_its_ratio_between_what_is_accepted():
    table = validation.table(validation.run(validation.claims_of("walk.", "adams06.bt.port_read")))
    ax = plot.published(table, title="three claims")

    row = table[table["unit"] == "cycles"].iloc[0]
    (at,) = table.index[table["unit"] == "cycles"]
    assert ax.containers[2 * at + 1].lines[0].get_xdata()[0] == row["predicted"] / row["published"]
    left = ax.patches[at].get_x() * row["published"]
    assert left == pytest.approx(row["accepts_low"])
    assert row["accepts_low"] < row["predicted"] < row["accepts_high"]
    assert "cycles" in "".join(text.get_text() for text in ax.texts)


def test_what_is_recalled_is_an_open_diamond_and_what_is_missed_is_another_colour():
    from virtperf.plot.published import MET, MISSED, _point

    read = _point({"how": "read", "kind": "predicted", "verdict": "met"})
    recalled = _point({"how": "recalled-high", "kind": "predicted", "verdict": "missed"})
    assert (read["marker"], read["color"], read["markerfacecolor"]) == ("o", MET, MET)
    assert (recalled["marker"], recalled["color"]) == ("D", MISSED)
    assert recalled["markerfacecolor"] == "white"


def test_a_table_that_is_none_of_claims_is_refused():
    with pytest.raises(ParameterError, match="with published"):
        plot.published(pd.DataFrame({"says": ["x"]}))
    table = validation.table(validation.run(validation.claims_of("walk.")))
    with pytest.raises(ParameterError, match="at least one row"):
        plot.published(table[:0])


def test_both_values_are_told_in_the_scale_of_the_published_one():
    from virtperf.plot.published import _scale

    assert _scale(380_000.0, "1/s") == (1e3, "k/s")
    assert _scale(9.48e9, "bit/s") == (1e9, "Gbit/s")
    assert _scale(12_733.0, "cycles") == (1.0, "cycles")
    assert _scale(0.8, "1") == (1.0, "")
