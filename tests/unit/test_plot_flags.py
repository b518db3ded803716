"""The figure of the interrupt flag: a panel per monitor, and violations where there are some."""

import matplotlib

matplotlib.use("Agg")

from itertools import combinations

import pytest
from matplotlib import pyplot as plt

from virtperf import plot
from virtperf.errors import ParameterError
from virtperf.mechanism.interrupts import MONITORS, example_popf, program, run
from virtperf.plot import flags

OPS, ARRIVALS = example_popf()
RESTORE = program("pushf; cli; work 2; popf; work 4")


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


@pytest.fixture
def figure():
    return plot.interrupt_flags([run(OPS, name, ARRIVALS) for name in MONITORS], OPS, title="POPF")


def rings(ax):
    return [line for line in ax.lines if line.get_markeredgecolor() == flags._BAD]


def names(ax):
    return [text.get_text() for text in ax.texts]


def test_there_is_a_panel_per_monitor_and_one_time_axis_with_its_unit(figure):
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(MONITORS)
    assert [ax.get_xlabel() for ax in figure.axes] == [""] * 4 + ["time [instructions]"]
    assert {ax.get_xlim() for ax in figure.axes} == {(0, 12)}
    for ax in figure.axes:
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert labels == ["enabled", "masked", "interrupt"]


def test_only_under_trap_and_emulate_a_violation_is_ringed_named_and_the_difference_shaded(figure):
    panels = dict(zip(MONITORS, figure.axes, strict=True))
    bad = panels.pop("trap-emulate")

    assert [list(ring.get_xdata()) for ring in rings(bad)] == [[8]]
    assert names(bad) == ["delivered while masked: the monitor did not see POPF"]
    assert [shade.get_datalim(bad.transData).intervalx.tolist() for shade in bad.collections] == [
        [6, 11]
    ]
    for ax in panels.values():
        assert (rings(ax), names(ax), list(ax.collections)) == ([], [], [])


def test_both_flags_are_steps_that_can_be_told_apart_without_colour(figure):
    believed, held = figure.axes[1].lines[:2]

    assert list(believed.get_xdata()) == [0, 1, 3, 6, 11, 12]
    assert list(believed.get_ydata()) == [1, 0, 1, 0, 1, 1]
    assert list(held.get_ydata()) == [1, 0, 1, 1, 1, 1]
    assert (believed.get_linestyle(), held.get_linestyle()) == ("-", "--")
    assert believed.get_linewidth() > 2 * held.get_linewidth()


def test_arrival_and_delivery_are_marked_with_the_wait_between(figure):
    wait, arrives, delivered = figure.axes[0].lines[2:]

    assert list(wait.get_xdata()) == [8, 11]
    assert (list(arrives.get_xdata()), list(delivered.get_xdata())) == ([8], [11])
    assert arrives.get_marker() != delivered.get_marker()


def test_the_legend_explains_violations_only_if_there_are_some(figure):
    good = plot.interrupt_flags([run(OPS, "native", ARRIVALS)])

    assert "violation" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "violation" not in [text.get_text() for text in good.legends[0].get_texts()]


def test_the_program_stands_above_the_first_panel_each_instruction_over_its_time(figure):
    (above,) = figure.axes[0].child_axes

    assert [label.get_text() for label in above.get_xticklabels()] == list(map(str, OPS))
    assert list(above.get_xticks())[:4] == [0.5, 1.5, 2.5, 4]
    assert not any(ax.child_axes for ax in figure.axes[1:])


def test_no_words_stand_on_others(figure):
    figure.canvas.draw()
    words = [text for ax in figure.axes for text in (ax._left_title, *ax.texts)]
    words += figure.axes[0].child_axes[0].get_xticklabels()
    words += [*figure.axes[-1].get_xticklabels(), *figure.legends[0].get_texts(), figure._suptitle]
    boxes = [text.get_window_extent() for text in words]

    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_an_interrupt_that_stays_pending_waits_to_the_end_and_like_violations_share_a_name():
    outcome = run(RESTORE, "trap-emulate", [3, 6])

    (ax,) = plot.interrupt_flags([outcome]).axes

    assert list(ax.lines[2].get_xdata()) == [3, 9]
    assert [list(ring.get_xdata()) for ring in rings(ax)] == [[5], [6]]
    assert names(ax) == ["2 times pending while enabled: the monitor did not see POPF"]


@pytest.mark.parametrize(
    ("outcomes", "ops", "got"),
    [
        ([], (), r"lengths \[\]"),
        ([run((), "native")], (), r"lengths \[0\]"),
        ([run(OPS, "native"), run(RESTORE, "native")], (), r"lengths \[9, 12\]"),
        ([run(OPS, "native")], RESTORE, r"lengths \[9, 12\]"),
    ],
)
def test_what_is_not_one_program_is_refused(outcomes, ops, got):
    with pytest.raises(ParameterError, match=f"of one program, which does something, got '{got}"):
        plot.interrupt_flags(outcomes, ops)
