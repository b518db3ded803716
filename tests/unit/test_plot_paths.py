"""Figures of I/O paths: lines, units, intervals, stacks; and the report's part."""

import pytest

from virtperf.errors import ParameterError
from virtperf.experiment import compare
from virtperf.plot import latency_throughput, payer_stack
from virtperf.report import io
from virtperf.result.payers import PAYERS, payers
from virtperf.scenario import Scenario
from virtperf.technique import profiles


@pytest.fixture(scope="module")
def result():
    over = {"vm.disk": ["native", "virtio"], "vm.load.outstanding": [1, 8]}
    return compare(Scenario.load("block-paths"), over, requests=600, replications=2, band=False)


def test_a_line_for_each_path_with_intervals_both_ways(result):
    ax = latency_throughput(result, "vm.load.outstanding")

    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["native", "virtio"]
    assert len(ax.containers) == 2
    assert all(line.has_xerr and line.has_yerr for line in ax.containers)
    assert ax.get_xlabel() == "throughput [1,000/s]"
    assert ax.get_ylabel() == "mean of latency [us]"
    assert [text.get_text() for text in ax.texts] == ["1", "8"]


def test_a_factor_that_does_not_vary_is_refused(result):
    with pytest.raises(ParameterError, match=r"along must be one of vm.disk, vm.load.outstanding"):
        latency_throughput(result, "vm.count")


def test_bars_are_as_long_as_what_is_paid(result):
    ax = payer_stack(result)
    table = payers(result)

    assert len(ax.get_yticklabels()) == len(table) == 4
    drawn = [text.get_text() for text in ax.get_legend().get_texts()]
    assert drawn == [who for who in PAYERS if table[who].any()]
    for row, total in enumerate(table["total"]):
        widths = [bar.get_width() for bars in ax.containers for bar in [bars[row]]]
        assert sum(widths) == pytest.approx(total / 1e3)


@pytest.mark.slow
def test_the_reports_part_has_its_sentences_figures_and_tables():
    part = io.part(io.conduct())

    assert len(part.sentences) == 4
    assert len(part.figures) == 3 + len(io.DRAWN)
    by_payer, whole = part.tables
    assert [row[0] for row in by_payer.rows] == list(io.PATHS)
    assert [row[0] for row in whole.rows] == list(profiles.names())
