"""What the command line says of instruction sets, and of POPF under monitors."""

import pytest
from typer.testing import CliRunner

from virtperf.cli import app, isas
from virtperf.mechanism.interrupts import MONITORS
from virtperf.mechanism.isa import isa, names

runner = CliRunner()
HOLES = "sensitive but not privileged: the holes"


def virtperf(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def blocks(text):
    """Return the blocks of a text by their first words, without the count behind them."""
    return {block.splitlines()[0].partition(" (")[0]: block for block in text.split("\n\n")}


def row(text, first):
    """Return the line that starts with a word."""
    return next(line for line in text.splitlines() if line.split()[:1] == [first])


def test_popf_is_a_hole_of_x86_32_and_cli_is_none():
    done = virtperf("isa", "x86-32")

    found = blocks(done.stdout)
    assert done.exit_code == 0
    assert "18 sensitive instructions do not trap" in done.stdout
    assert row(found[HOLES], "POPF").split()[1:4] == ["differs", "interrupt", "flag"]
    assert "  CLI " in found["privileged: they trap, and the monitor gets control"]
    assert "  CLI " not in found[HOLES]


@pytest.mark.parametrize("name", names())
def test_every_instruction_is_shown_once_with_its_reason(name):
    lines = virtperf("isa", name).stdout.splitlines()

    for one in isa(name).instructions:
        assert len([line for line in lines if line.startswith(f"  {one.mnemonic}  ")]) == 1
        assert any(line.endswith(one.why) for line in lines)


def test_a_verdict_breaks_between_names_and_not_within():
    verdict = virtperf("isa", "x86-32").stdout.split("\n\n")[1]

    assert all(line.endswith(",") for line in verdict.splitlines()[:-1])
    assert "INT n, RET (far)" in " ".join(verdict.split("\n"))
    assert "\xa0" not in verdict


def test_a_guest_kernel_has_a_place_for_each_width():
    places = blocks(virtperf("isa", "x86-64").stdout)[
        "where a guest kernel that has lost its privilege can run"
    ]

    assert "64-bit kernel: ring 3, the same as its users, since 64-bit code" in places
    assert "32-bit kernel: ring 1, its users in ring 3, since segment limits" in places


def test_without_a_name_all_instruction_sets_are_a_table():
    done = virtperf("isa")

    assert done.exit_code == 0
    assert done.stdout.split()[:5] == ["name", "title", "rings", "virtualizable", "offenders"]
    assert row(done.stdout, "x86-32").split()[-2:] == ["no", "18"]
    assert "2: PL1 to PL0" in row(done.stdout, "armv7")


def test_an_instruction_set_without_holes_says_none(monkeypatch):
    from dataclasses import replace

    x86 = isa("x86-32")
    whole = replace(x86, instructions=(*x86.privileged(), *x86.innocuous()))
    monkeypatch.setattr(isas, "isa", lambda _: whole)

    assert "every sensitive instruction traps" in isas.show("x86-32")
    assert blocks(isas.show("x86-32"))[HOLES].endswith("  none")
    assert row(isas.overview(), "x86-32").split()[-2:] == ["yes", "0"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["isa", "x86_32"], 1, "no ISA named 'x86_32'; did you mean x86-32"),
        (["isa", "mips"], 1, "did you mean armv7, s370, x86-32, x86-64?"),
        (["isa", "x86-32", "x86-64"], 2, "unexpected extra argument"),
        (["list", "isa"], 2, "isas"),
    ],
)
def test_a_wrong_name_is_one_message_and_an_exit_code(arguments, code, says):
    done = virtperf(*arguments)

    assert done.exit_code == code
    assert says in done.stderr
    assert "Traceback" not in done.output


def test_list_shows_the_instruction_sets():
    assert [line.split()[0] for line in virtperf("list", "isas").stdout.splitlines()] == [
        "isas",
        *names(),
    ]
    assert "\nisas\n  x86-32  " in virtperf("list").stdout


def test_popf_tells_that_only_trap_and_emulate_violates_and_draws_it(tmp_path):
    done = virtperf("popf", "--out", tmp_path / "deep")

    assert done.exit_code == 0
    assert row(done.stdout, "program:").split("  ")[0] == "program: 0 CLI"
    said = row(done.stdout, "trap-emulate").split(maxsplit=5)
    assert said[1:] == ["3", "1", "1", "8", "delivered-while-masked at 8, by POPF at 4"]
    for monitor in set(MONITORS) - {"trap-emulate"}:
        assert row(done.stdout, monitor).split()[1:] == ["0", "0", "0", "11", "-"]
    assert (tmp_path / "deep" / "popf.png").stat().st_size > 10_000


def test_popf_refuses_a_folder_it_cannot_write_before_it_says_anything(tmp_path):
    (tmp_path / "file").write_text("")

    done = virtperf("popf", "--out", tmp_path / "file")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot be written" in done.stderr
