"""What the command line says of CPU techniques, and which figures it writes."""

import pytest
from typer.testing import CliRunner

from virtperf.cli import app

runner = CliRunner()


def virtperf(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def block(text, first):
    """Return the lines of the block that starts with some words."""
    found = [one for one in text.split("\n\n") if one.startswith(first)]
    return found[0].splitlines()


@pytest.fixture(scope="module")
def modern(tmp_path_factory):
    out = tmp_path_factory.mktemp("cpu")
    return virtperf("cpu", "--workload", "syscall-loop", "--out", out), out


def test_slowdowns_exits_and_memory_are_tables_by_workload_and_technique(modern):
    done, _ = modern

    assert done.exit_code == 0
    title, header, row = block(done.stdout, "slowdown on x86-kvm-2020")
    assert title.endswith("bare machine = 1")
    found = dict(zip(header.split(), row.split(), strict=True))
    assert (found["workload"], found["hardware"], found["paravirtual"]) == (
        "syscall-loop",
        "1.00",
        "4.36",
    )
    assert "2.94 to 7.00" in "".join(block(done.stdout, "its parameter band"))
    assert block(done.stdout, "exits per second")[-1].split()[-1] == "0"
    assert block(done.stdout, "memory of translated code [MiB]")[-1].split()[0] == "syscall-loop"


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
    header = block(done.stdout, "slowdown on")[1].split()
    assert header == ["workload", "trap-emulate", "binary-translation", "hardware+shadow"]
    assert any("interpreter_expansion" in line for line in block(done.stdout, "left out"))
    weights = block(done.stdout, "hardware+shadow and binary-translation take the same time")
    assert weights[1].endswith("one page-table write per 5.7 system calls")
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
