"""Results that come back from a store, in other shapes, and as other tools read them."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from tests.unit.test_result import TWO, result
from virtperf import Experiment, Result, Scenario
from virtperf.design import grid
from virtperf.errors import MissingLibraryError, ParameterError, StoreError, UnknownNameError
from virtperf.experiment import prepare
from virtperf.result import export
from virtperf.result.summary import half_widths
from virtperf.stats import interval

AXES = {"vm.load.outstanding": [2, 1], "host.pcpus": [2, 4]}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    asked = Experiment(
        scenario=Scenario.load("toy"),
        design=grid(AXES),
        requests=600,
        outputs={"latency.mean": 0.9},
        engine="fast",
        name="mine",
    )
    return asked.run(store), store / "mine"


def test_what_is_loaded_is_what_was_returned(stored, monkeypatch):
    made, folder = stored
    monkeypatch.setattr(prepare, "make", None)
    monkeypatch.setattr(Scenario, "load", None)
    loaded = Result.load(folder)

    for name, table in made.tables().items():
        pd.testing.assert_frame_equal(table, loaded.tables()[name], obj=name)
    assert loaded.provenance == made.provenance
    assert loaded.notes == made.notes


def test_a_folder_without_an_experiment_is_told(tmp_path):
    with pytest.raises(StoreError, match="has no stored experiment"):
        Result.load(tmp_path)


def test_a_plan_that_says_nothing_is_told(stored, tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(StoreError, match=r"plan.json is damaged: no plan"):
        Result.load(tmp_path)


def test_a_pivot_has_the_levels_in_the_order_of_the_design(stored):
    table = stored[0].pivot("throughput", "vm.load.outstanding", "host.pcpus")

    assert list(table.index) == AXES["vm.load.outstanding"]
    assert list(table.columns) == AXES["host.pcpus"]
    label = "vm.load.outstanding=2 host.pcpus=4"
    assert table.loc[2, 4] == pytest.approx(stored[0].value(label, "throughput")[0])


def test_a_pivot_of_one_axis_is_a_column(stored):
    table = stored[0].pivot("throughput", list(AXES))
    assert list(table.columns) == ["throughput"]
    assert len(table) == 4


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        (("throughput", "host.pcpu"), UnknownNameError, "no factor named"),
        (("thruput", "host.pcpus"), UnknownNameError, "no metric named"),
        (("throughput", "host.pcpus"), ParameterError, "left: vm.load.outstanding"),
        (("throughput", "host.pcpus", "host.pcpus"), ParameterError, "other factors than index"),
    ],
)
def test_a_pivot_that_cannot_be_is_refused(stored, asked, error, says):
    with pytest.raises(error, match=says):
        stored[0].pivot(*asked)


@pytest.mark.parametrize(("library", "call"), [("duckdb", "sql"), ("xarray", "to_xarray")])
def test_a_library_that_is_missing_is_named(stored, monkeypatch, library, call):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(MissingLibraryError, match=f"needs {library}, which is not installed"):
        getattr(stored[0], call)("latency.mean")


def test_sql_sees_every_table(stored):
    pytest.importorskip("duckdb")
    found = stored[0].sql("select count(*) as n from data where metric = 'throughput'")
    assert found["n"].iloc[0] == 40
    with pytest.raises(ParameterError, match="valid"):
        stored[0].sql("selekt")


def test_an_array_has_a_dimension_per_factor(stored):
    pytest.importorskip("xarray")
    array = stored[0].to_xarray("throughput")
    assert array.dims == tuple(AXES)
    assert array.shape == (2, 2)


def test_the_canonical_csv_does_not_depend_on_the_order_of_rows():
    assert export.canonical_csv(result(TWO)) == export.canonical_csv(result(TWO[::-1]))
    assert export.canonical_csv(result(TWO)).splitlines()[1] == "test,a,0,latency.mean,10.0,ns"


def test_samples_have_the_fields_that_perfkit_benchmarker_has(stored):
    lines = export.perfkit_samples(stored[0], timestamp=12.5).splitlines()
    samples = [json.loads(line) for line in lines]

    assert {tuple(sample) for sample in samples} == {
        ("metric", "value", "unit", "metadata", "timestamp")
    }
    assert all(isinstance(sample["value"], float) for sample in samples)
    assert samples[0]["metadata"]["vm.load.outstanding"] == 2
    assert samples[0]["metadata"]["virtperf_seed"] == stored[0].provenance["seed"]
    assert len(samples) == stored[0].summary()["mean"].notna().sum()


def test_json_lines_have_null_where_there_is_no_number(stored, tmp_path):
    rows = [json.loads(line) for line in export.json_lines(stored[0]).splitlines()]

    assert len(rows) == len(stored[0].summary())
    assert all(row["mean"] is None for row in rows if row["metric"] == "latency.p99")
    path = export.save(export.csv(stored[0]), tmp_path / "new" / "summary.csv")
    assert len(pd.read_csv(path)) == len(rows)


# -- intervals that are withheld ---------------------------------------------------------------


def test_half_widths_are_those_of_one_by_one():
    values = [[1.0, 2.0, 4.0], [3.0, 3.0], [5.0]]
    spread = [pd.Series(one).std() for one in values]
    found = half_widths(np.array(spread), np.array([len(one) for one in values]), 0.9)

    for half, one in zip(found, values, strict=True):
        assert half == pytest.approx(interval(one, 0.9)[1], nan_ok=True)


def quantiles(stray):
    """Ten replications with a tail of scale 100, whose p99 strays."""
    rows = []
    for r in range(10):
        rows.append(("a", r, "latency.p95", 300.0))
        rows.append(("a", r, "latency.p99", 300.0 + 100 * math.log(5) + stray * (-1) ** r))
    return result(rows).summary().set_index("metric")


def test_a_quantile_that_strays_more_than_its_tail_has_no_interval():
    """Its bias, stray^2 / (2 scale), is half of the half-width at a stray of 68."""
    for stray, given in ((60.0, True), (75.0, False)):
        row = quantiles(stray).loc["latency.p99"]
        assert math.isnan(row["ci_low"]) != given
        assert row["mean"] == pytest.approx(300 + 100 * math.log(5))


def test_points_with_too_short_runs_keep_their_means_only():
    flagged = result(TWO)
    flagged.flags.loc[0] = ["a", "too_few_samples", "short"]
    row = flagged.summary().set_index("point").loc["a"]

    assert row["mean"] == 15.0
    assert math.isnan(row["ci_low"])
    assert math.isnan(flagged.value("a", "latency.mean")[1])
    assert flagged.value("b", "latency.mean")[1] > 0
