"""Traces through TLBs and walks step by step, on the command line."""

import csv
import re
from io import StringIO

import pytest
from typer.testing import CliRunner

from virtperf import catalog
from virtperf.cli import app, paging
from virtperf.stream import load_trace, write_trace

runner = CliRunner()
LEVELS = ("--level", "16x4", "--level", "128x12")


def virtperf(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    """Two short traces: the start of sort, and a later part of it."""
    folder = tmp_path_factory.mktemp("traces")
    words = load_trace(catalog.root() / "traces" / "sort.zst", limit=200_000)
    write_trace(folder / "first.zst", [words[:100_000]])
    write_trace(folder / "second.zst", [words[100_000:]])
    return folder / "first.zst", folder / "second.zst"


def row(done):
    assert done.exit_code == 0, done.output
    (only,) = csv.DictReader(StringIO(done.stdout))
    return only


def test_a_row_has_the_columns_and_the_names_of_the_published_counts(traces):
    found = row(virtperf("tlb", traces[0], *LEVELS, "--format", "csv"))

    assert list(found) == list(published()[0])
    assert found["geometry"] in {one["geometry"] for one in published()}
    assert int(found["accesses"]) == 100_000
    assert int(found["l2_misses"]) <= int(found["l1_or_only_misses"]) <= int(found["lookups"])


@pytest.mark.parametrize(
    ("options", "geometry"),
    [
        (["--level", "1x16"], "FA16_LRU"),
        (["--level", "16x4", "--policy", "fifo"], "16x4_FIFO"),
        (["--level", "128x12", "--policy", "plru"], "128x12_PLRU(1536)"),
        (["--level", "128x12", "--flush-every", 100000], "128x12_LRU(1536)_flush_every_100000"),
        (["--level", "fa64", "--level", "128x12"], "L1:FA64+L2:128x12_LRU"),
        (["--cpu", "nehalem"], "nehalem"),
    ],
)
def test_a_geometry_is_one_word(traces, options, geometry):
    found = row(virtperf("tlb", traces[0], *options, "--format", "csv"))
    assert found["geometry"] == geometry


def published():
    with (catalog.root() / "traces" / "sort.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def asked(row):
    """Return the options that a published row needs, read from its geometry."""
    shape = re.fullmatch(
        r"(?P<levels>.+?)_(?P<policy>LRU|FIFO)(\(\d+\))?(_flush_every_(?P<every>\d+))?",
        row["geometry"],
    )
    levels = [part.rpartition(":")[2] for part in shape["levels"].split("+")]
    options = [word for level in levels for word in ("--level", level)]
    options += ["--page", row["page"], "--stream", row["stream"], "--policy"]
    options += [shape["policy"].lower()]
    return options + (["--flush-every", shape["every"]] if shape["every"] else [])


@pytest.mark.slow
@pytest.mark.parametrize("expected", published(), ids=lambda row: " ".join(list(row.values())[2:5]))
def test_the_shipped_trace_gives_every_published_row(expected):
    trace = catalog.root() / "traces" / "sort.zst"
    assert row(virtperf("tlb", trace, *asked(expected), "--format", "csv")) == expected


def test_streams_split_the_accesses(traces):
    lookups = [
        int(row(virtperf("tlb", traces[0], "--stream", part, "--format", "csv"))["lookups"])
        for part in ("data", "ifetch", "all")
    ]
    assert lookups[0] + lookups[1] == lookups[2] == 100_000


def test_tags_save_misses_when_traces_take_turns(traces):
    misses = [
        int(
            row(virtperf("tlb", *traces, "--quantum", 200, "--tags", tags, "--format", "csv"))[
                "l1_or_only_misses"
            ]
        )
        for tags in ("on", "off")
    ]
    assert misses[0] < misses[1]


def test_a_table_says_the_shares(traces):
    done = virtperf("tlb", traces[0], "--host", "2M", "--limit", 5000)
    assert done.exit_code == 0
    assert "% of lookups" in done.stdout
    assert "4K on 2M" in done.stdout
    assert "per lookup" in done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--level", "16by4"], "TlbStructure.level must be SETSxWAYS such as 16x4"),
        (["--level", "16x4:4K", "--page", "2M"], "held by its first level: 4K, got '2M'"),
        (["--page", "3M"], "PageSize.size must be one of 4K 2M 1G, got '3M'"),
        (["--cpu", "nehalen"], "did you mean nehalem"),
        (["--cpu", "zen", "--level", "16x4"], "left out beside --cpu"),
        (["--walk-caches", "a,b"], "whole numbers with commas"),
    ],
)
def test_a_wrong_option_is_one_message(traces, options, says):
    done = virtperf("tlb", traces[0], *options)
    assert done.exit_code == 1
    assert says in done.stderr
    assert "Traceback" not in done.output


def test_several_traces_need_a_quantum_and_a_foreign_file_is_refused(traces, tmp_path):
    done = virtperf("tlb", *traces)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "--quantum must be given for several traces" in done.stderr

    (tmp_path / "no.zst").write_text("this is no trace")
    done = virtperf("tlb", tmp_path / "no.zst")
    assert done.exit_code == 1
    assert "must be a page trace" in done.stderr


def test_a_walk_has_24_reads_and_the_access():
    lines = virtperf("walk", "--guest", "4K", "--host", "4K").stdout.splitlines()

    assert [line.split()[1] for line in lines[:25]] == [
        *(["host"] * 4 + ["guest"]) * 4,
        *["host"] * 4,
        "data",
    ]
    assert "table reads: 24 (4 guest, 20 host); with the access to the data 25" in lines
    assert any("256 TiB" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--guest", "4K", "--host", "2M"], "table reads: 19 (4 guest, 15 host)"),
        (["--guest", "2M"], "table reads: 3 (3 guest)"),
        (["--guest", "2M", "--host", "4K"], "the TLB entry covers 4K: the smaller of"),
        (["--guest", "4K", "--host", "2M", "--tables-on", "4K"], "table reads: 23"),
        (["--host", "4K", "--levels", 5, "--host-levels", 5], "table reads: 35"),
        (["--levels", 5], "131,072 TiB"),
    ],
)
def test_walks_of_other_trees(options, says):
    done = virtperf("walk", *options)
    assert done.exit_code == 0
    assert says in done.stdout


def test_a_walk_of_no_such_tree_is_refused():
    done = virtperf("walk", "--levels", 3)
    assert done.exit_code == 1
    assert "levels must be 4 or 5, got 3" in done.stderr
    assert "left out without host" in virtperf("walk", "--tables-on", "4K").stderr


def test_long_work_tells_how_far_it_is(monkeypatch):
    """Each piece is announced before it runs, and the pieces are put together again."""
    told = []
    now = lambda: len(told)  # noqa: E731
    for name, fake in {
        "walks": lambda part: {"4K": now()},
        "by_footprint": lambda part, ways, share: dict.fromkeys(ways, now()),
        "by_switch_rate": lambda part, ways, share: {(way, True): now() for way in ways},
    }.items():
        monkeypatch.setattr(paging.memory_data, name, fake)
    monkeypatch.setattr(paging.paging_data, "faults", lambda names: dict.fromkeys(names, now()))
    study = paging.study("nehalem", 0.5, lambda *progress: told.append(progress))
    done, totals, labels = zip(*told, strict=True)
    assert done == tuple(range(len(told))) and set(totals) == {len(told)}
    assert len(set(labels)) == len(labels)
    ran = [study.walks, study.footprints, study.switches, study.faults]
    assert [one for piece in ran for one in piece.values()] == list(range(1, len(told)))
    assert tuple(study.footprints) == paging.memory_data.WAYS
    assert tuple(study.faults) == tuple(paging.paging_data.DRAWN)


@pytest.mark.slow
def test_techniques_are_compared_in_tables_and_figures(tmp_path):
    done = virtperf("memory", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    rows = {line.split("  ")[0]: line.split() for line in done.stdout.splitlines() if line}
    assert rows["TLB emulation"][2:] == ["720", "2,120", "60", "-", "-", "-", "2,900"]
    assert rows["nested, 2M"][2:4] == ["12", "KiB"]
    drawn = {path.name for path in tmp_path.iterdir()}
    names = ("footprint", "walks", "switches", "faults", "tables", "miss-ratio")
    assert drawn == {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--cpu", "nehalen"], "did you mean nehalem"),
        (["--cpu", "jaguar"], "jaguar.data_caches must be told by its file"),
        (["--share", 0], "share must be in (0, 1], got 0.0"),
    ],
)
def test_memory_refuses_what_it_cannot_price(tmp_path, options, says):
    done = virtperf("memory", "--out", tmp_path / "none", *options)
    assert (done.exit_code, done.stdout) == (1, "")
    assert says in done.stderr
    assert not (tmp_path / "none").exists()
