import json
import math

import pandas as pd
import pytest

from virtperf.errors import OutputError, ParameterError, UnknownNameError
from virtperf.result import COLUMNS, MEMORY, Result


def result(rows, *, factors=(), points=None, band=()):
    labels = list(dict.fromkeys(point for point, *_ in rows))
    data = [("test", *row, "ns") for row in rows]
    empty = {
        "requests": ["point", "group", "account", "ns", "half_width"],
        "cpu": ["point", "account", "ns", "share"],
        "cdf": ["point", "group", "latency_ns", "share"],
        "bounds": ["point"],
        "flags": ["point", "flag", "says"],
        "nulls": ["point", "metric", "reason"],
        "memory": list(MEMORY),
        "sources": ["name"],
    }
    return Result(
        data=pd.DataFrame(data, columns=COLUMNS),
        points=pd.DataFrame(points or [{"point": label} for label in labels]),
        band=pd.DataFrame(band, columns=["point", "corner", "metric", "shift"]),
        provenance={"factors": list(factors)},
        **{name: pd.DataFrame(columns=columns) for name, columns in empty.items()},
    )


TWO = [("a", 0, "latency.mean", 10.0), ("a", 1, "latency.mean", 20.0)]
TWO += [("b", 0, "latency.mean", 13.0), ("b", 1, "latency.mean", 23.0)]


def test_summary_is_student_t_over_replications():
    row = result(TWO).summary().iloc[0]

    assert (row["mean"], row["n"]) == (15.0, 2)
    assert row["ci_high"] - row["mean"] == pytest.approx(12.7062 * 5.0, rel=1e-5)


def test_points_keep_the_order_of_the_design():
    assert list(result(TWO[::-1]).summary()["point"]) == ["b", "a"]


def test_the_band_holds_the_mean_and_the_ends_of_all_ranges():
    band = [("a", "low", "latency.mean", -2.0), ("a", "high", "latency.mean", -1.0)]
    row = result(TWO, band=band).summary().iloc[0]

    assert (row["band_low"], row["band_high"]) == (13.0, 15.0)


def test_a_null_stays_null_and_counts_no_replication():
    table = result([("a", 0, "latency.p99", math.nan)])

    row = table.summary().iloc[0]
    assert math.isnan(row["mean"])
    assert row["n"] == 0
    assert json.loads(table.to_json())["summary"][0]["mean"] is None


def test_paired_differences_do_not_see_what_replications_share():
    row = result(TWO).paired("latency.mean", "a").iloc[0]

    assert (row["point"], row["difference"], row["ci_low"], row["n"]) == ("b", 3.0, 3.0, 2)


def test_a_baseline_by_level_pairs_points_that_agree_in_the_rest():
    rows = [(f"{disk}{n}", 0, "latency.mean", 1.0) for disk in "nv" for n in (1, 8)]
    points = [{"point": f"{d}{n}", "vm.disk": d, "vm.count": n} for d in "nv" for n in (1, 8)]
    table = result(rows, factors=("vm.disk", "vm.count"), points=points)

    pairs = table.paired("latency.mean", {"vm.disk": "n"})

    assert list(zip(pairs["point"], pairs["baseline"], strict=True)) == [("v1", "n1"), ("v8", "n8")]


def test_a_typo_in_a_point_or_metric_is_answered():
    with pytest.raises(UnknownNameError, match=r"no metric named 'latency\.men'"):
        result(TWO).value("a", "latency.men")
    with pytest.raises(UnknownNameError, match="no point named 'c'"):
        result(TWO).value("c", "latency.mean")


def test_an_observation_twice_is_refused():
    with pytest.raises(ParameterError, match="without repeats"):
        result([TWO[0], TWO[0]])


def test_every_table_is_written_and_an_unwritable_folder_is_one_message(tmp_path):
    folder = result(TWO).to_csv(tmp_path / "deep" / "er")
    assert pd.read_csv(folder / "data.csv")["value"].tolist() == [10.0, 20.0, 13.0, 23.0]
    assert (folder / "about.json").is_file()

    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        result(TWO).to_csv(tmp_path / "file")
