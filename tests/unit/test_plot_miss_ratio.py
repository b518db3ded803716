"""The figure of miss ratios shows each size's ratio, and where first touches begin."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from virtperf import plot
from virtperf.errors import ParameterError
from virtperf.mmu.every_size import misses_of_every_size


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def curve(*pages):
    return misses_of_every_size(np.array(pages, dtype=np.uint64) << np.uint64(12))


def table():
    return pd.concat([curve(1, 2, 3, 2, 2, 1, 4, 3).frame("a"), curve(5, 5, 5, 6).frame("b")])


def test_a_line_has_the_ratio_of_each_size_and_goes_on_as_first_touches():
    ax = plot.miss_ratio_curve(table(), title="two streams")
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["a"].get_xdata().tolist() == [1, 2, 3, 4]
    assert lines["a"].get_ydata().tolist() == [7 / 8, 6 / 8, 5 / 8, 4 / 8]
    assert lines["b"].get_ydata().tolist() == [2 / 4]
    assert {line.get_drawstyle() for line in lines.values()} >= {"steps-post"}
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [line.get_ydata()[0] for line in dotted] == [4 / 8, 2 / 4]
    assert all(line.get_xdata()[1] == ax.get_xlim()[1] for line in dotted)


def test_axes_say_what_they_show_and_the_legend_names_the_streams():
    ax = plot.miss_ratio_curve(table(), title="two streams")
    assert "entries" in ax.get_xlabel() and "first touches" in ax.get_xlabel()
    assert ax.get_ylabel() == "accesses that miss"
    assert ax.get_title(loc="left") == "two streams"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_yaxis().get_major_formatter()(0.0001, 0) == "0.01 %"
    assert ax.get_xaxis().get_major_formatter()(2048, 0) == "2,048"


def test_it_draws_on_the_axes_given_and_marks_what_it_is_told():
    own = plt.subplots()[1]
    ax = plot.miss_ratio_curve(table(), own, marks={"L2": 1536})
    assert ax is own
    assert [line.get_xdata()[0] for line in ax.lines if line.get_color() == "#888888"] == [1536]
    assert [text.get_text().strip() for text in ax.texts] == ["L2"]
    assert ax.get_xlim()[1] > 1536


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (lambda rows: rows.drop(columns="misses"), "with the columns stream, entries, misses, l"),
        (lambda rows: rows[:0], "of at least one row, got 0"),
        (lambda rows: rows.assign(entries=0), r"table\['entries'\] must be at least 1, got 0"),
        (lambda rows: rows.assign(misses=0), r"table\['misses'\] must be at least 1, got 0"),
        (lambda rows: rows.assign(lookups=np.nan), r"table\['lookups'\] must be at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(bad, says):
    with pytest.raises(ParameterError, match=says):
        plot.miss_ratio_curve(bad(table()))
