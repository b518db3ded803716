"""What the command line says of CPU techniques, and which figures it writes."""

import pytest
from typer.testing import CliRunner

from virtperf import catalog
from virtperf.cli import app, cpu
from virtperf.params import ParameterSet
from virtperf.plot.cpu_data import exits_per_s, priced, slowdowns, ways
from virtperf.plot.cpu_map import winner_table
from virtperf.result.words import digits

runner = CliRunner()


def virtperf(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def block(text, first):
    """Return the lines of the block that starts with some words."""
    found = [one for one in text.split("\n\n") if one.startswith(first)]
    return found[0].splitlines()


def cells(text, first):
    """Return the last column of a table by technique."""
    return {line.split()[0]: line.rsplit("  ", 1)[1].strip() for line in block(text, first)[2:]}


@pytest.fixture(scope="module")
def modern(tmp_path_factory):
    out = tmp_path_factory.mktemp("cpu")
    return virtperf("cpu", "--workload", "syscall-loop", "--out", out), out


def test_slowdowns_exits_and_memory_are_tables_by_workload_and_technique(modern):
    done, _ = modern

    assert done.exit_code == 0
    title, header, *_ = block(done.stdout, "slowdown on x86-kvm-2020")
    assert title.endswith("bare machine = 1")
    assert header.split() == ["technique", "syscall-loop"]
    platform, work = catalog.platform("x86-kvm-2020"), catalog.workload("syscall-loop")
    ratios, prices = slowdowns(platform, work), priced(platform, work)[0]
    ratios.pop("direct")
    values, bands = (cells(done.stdout, name) for name in ("slowdown on", "its parameter band"))
    assert list(values) == list(bands) == list(ratios)
    for name, one in ratios.items():
        assert float(values[name]) == pytest.approx(one.value, rel=0.005)
        ends = [float(end) for end in bands[name].split(" to ")]
        assert ends == pytest.approx([one.low, one.high], rel=0.005)
    exits = cells(done.stdout, "exits per ms of the guest's run [1/ms]")
    assert not {"direct", "interpreter", "dbt", "static"} & set(exits)
    for name, says in exits.items():
        assert says == digits(exits_per_s(prices[name]) / 1e3)
    memory = cells(done.stdout, "memory of translated code [MiB]")
    translators = ("dbt", "static", "binary-translation")
    assert memory == {name: digits(prices[name].memory / 2**20) for name in translators}


def test_no_line_is_wider_than_a_page_though_all_workloads_stand_side_by_side():
    platform, works = cpu.load("toy", [])
    lines = cpu.show(platform, works).splitlines()

    assert max(map(len, lines)) <= 100
    for name in ways(platform)[1:]:  # a line of its own each time, in both halves of the bands too
        assert sum(line.startswith(f"{name} ") for line in lines) >= 4


def test_what_can_be_priced_for_some_workloads_only_is_a_dash_in_the_others():
    """Without exits, nested-hardware needs no number of nested exits; the other workload does."""
    toy, works = cpu.load("toy", ["syscall-loop", "web-server"])
    lacking = ParameterSet("toy", {k: q for k, q in toy.items() if k != "nested_exits"})

    for order in (works, works[::-1]):
        says = cpu.show(lacking, order)
        (line,) = [x for x in block(says, "slowdown on") if x.startswith("nested-hardware")]
        assert sorted(line.split()[1:]) == ["-", "1.00"]
        assert any("nested_exits" in line for line in block(says, "left out"))


def test_what_a_technique_asks_of_machine_and_guest_is_told(modern):
    lines = block(modern[0].stdout, "what each asks for")

    (ported,) = [line for line in lines if line.split()[1] == "ported"]
    assert ported.startswith("paravirtual")
    assert any(line.startswith("hardware+shadow ") and "shadow page" in line for line in lines)


def test_every_figure_is_written_as_png_and_svg_and_named(modern):
    done, out = modern

    names = (
        "slowdown",
        "causes-syscall-loop",
        "exits-syscall-loop",
        "warm-up-syscall-loop",
        "winner-map",
        "thrash",
    )
    expected = [f"{name}.{suffix}" for name in names for suffix in ("png", "svg")]
    assert sorted(path.name for path in out.iterdir()) == sorted(expected)
    assert all((out / name).stat().st_size > 5_000 for name in expected)
    assert [line for line in done.stdout.splitlines() if line.startswith("wrote")] == [
        f"wrote {out / name}" for name in expected
    ]


def test_what_an_old_machine_cannot_have_is_left_out_with_the_reason(tmp_path):
    done = virtperf(
        "cpu", "--platform", "p4-vmware-2006", "--workload", "syscall-loop", "--out", tmp_path
    )

    assert done.exit_code == 0
    platform, work = catalog.platform("p4-vmware-2006"), catalog.workload("syscall-loop")
    prices, lacks = priced(platform, work)
    assert ["direct", *cells(done.stdout, "slowdown on")] == list(prices)
    assert "hardware" not in prices
    assert "interpreter" in lacks
    left = block(done.stdout, "left out")[1 : 1 + len(lacks)]
    assert left == [f"  {name}: {why}" for name, why in lacks.items()]
    weights = block(done.stdout, "hardware+shadow and binary-translation take the same time")
    table = winner_table(platform, work)
    weight = digits(table.calls_per_event("binary-translation", "hardware+shadow"), 2)
    assert weights[1].endswith(f"syscall-loop: one page-table write per {weight} system calls")
    assert not (tmp_path / "warm-up-syscall-loop.png").exists()
    assert (tmp_path / "winner-map.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--platform", "x86-kvm-2021"], 1, "did you mean x86-kvm-2020"),
        (["--workload", "syscall-lop"], 1, "did you mean syscall-loop"),
        (["--platform", "zen1-kvm-guest"], 1, "no parameter of zen1-kvm-guest named"),
        (["--workloads", "all"], 2, "No such option"),
    ],
)
def test_a_wrong_name_is_one_message_and_an_exit_code_and_writes_nothing(
    arguments, code, says, tmp_path
):
    done = virtperf("cpu", *arguments, "--out", tmp_path / "new")

    assert done.exit_code == code
    assert says in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_said(tmp_path):
    (tmp_path / "file").write_text("")

    done = virtperf("cpu", "--out", tmp_path / "file")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot be written" in done.stderr
