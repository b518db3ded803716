"""Exit statistics: what is read from each tool, what is refused, and what no file can tell."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from virtperf.cli import app
from virtperf.errors import ImportFileError, OutputError, ParameterError
from virtperf.importers.perf_kvm import ExitProfile, ExitReason, read_perf_kvm

DATA = Path(__file__).parents[1] / "data" / "perf"
ARM64, UNKNOWN, EMPTY, EVENTS, STAP = (
    DATA / f"{name}.txt"
    for name in (
        "perf_kvm_stat_report_arm64",
        "perf_kvm_stat_live_x86_unknown",
        "perf_kvm_stat_report_empty",
        "perf_script_kvm_events",
        "kvm_service_time_x86",
    )
)
HEADER = "VM-EXIT Samples Samples% Time% Min Time Max Time Avg time\n"
ROW = "HLT 10 100.00% 100.00% 1.00us 3.00us 2.00us ( +- 1.50% )\n"
TOTAL = "\nTotal Samples:10, Total events handled time:20.00us.\n"


def save(folder, text, name="a.txt"):
    path = folder / name
    path.write_text(text)
    return path


def by_name(profile):
    return {reason.name: reason for reason in profile.reasons}


def refused(folder, text):
    with pytest.raises(ImportFileError) as caught:
        read_perf_kvm(save(folder, text))
    return str(caught.value)


# --- the sample files


def test_a_report_of_arm64_is_read_to_its_last_digit():
    profile = read_perf_kvm(ARM64)
    assert (profile.format, profile.samples, profile.warnings) == ("perf kvm stat", 669_155, ())
    assert profile.time_ns == pytest.approx(10_216_387_860)
    assert [reason.name for reason in profile.reasons] == [
        *("DABT_LOW", "IRQ", "WFx", "IABT_LOW", "SYS64", "HVC64")
    ]
    irq = by_name(profile)["IRQ"]
    assert (irq.samples, irq.min_ns, irq.max_ns, irq.mean_ns) == (4598, 2890, 3_397_590, 1_276_270)
    assert irq.relative_error == pytest.approx(0.0161)


def test_time_of_waiting_guests_is_no_cost():
    profile = read_perf_kvm(ARM64, duration_s=60, vcpus=2)
    assert [reason.name for reason in profile.reasons if reason.idle] == ["WFx"]
    assert "WFx" not in profile.costs()
    assert profile.costs()["DABT_LOW"] == 6240
    assert profile.shares()["WFx"] == (1475 / 669_155, None)
    # us of the other rows, by hand: 661867 x 6.24 + 4598 x 1276.27 + 1018 x 38.29 + ...
    busy_us = 4_130_050.08 + 5_868_289.46 + 38_979.22 + 1_182.60 + 730.15
    assert profile.shares()["IRQ"].time == pytest.approx(5_868_289.46 / busy_us)
    assert profile.overhead() == pytest.approx(busy_us / 120e6)


def test_rates_are_per_second_and_vcpu():
    profile = read_perf_kvm(ARM64, duration_s=60, vcpus=2)
    assert profile.rates()["DABT_LOW"] == pytest.approx(661_867 / 120)
    assert profile.rates()["WFx"] == pytest.approx(1475 / 120)


def test_each_unknown_reason_takes_the_code_of_the_warning_above_it():
    profile = read_perf_kvm(UNKNOWN)
    samples = {reason.name: reason.samples for reason in profile.reasons}
    assert samples == {
        "INVLPG": 18_940,
        "UNKNOWN:131072": 3622,
        "UNKNOWN:327680": 2057,
        "UNKNOWN:196608": 1401,
        "UNKNOWN:262144": 1233,
        "INVD": 181,
        "UNKNOWN:65536": 115,
    }
    assert (profile.samples, profile.warnings) == (27_549, ())
    assert profile.costs()["UNKNOWN:131072"] == pytest.approx(4_765_940)


def test_an_empty_report_is_a_profile_without_reasons():
    profile = read_perf_kvm(EMPTY, duration_s=1, vcpus=1)
    assert (profile.reasons, profile.samples, profile.time_ns) == ((), 0, 0)
    assert (profile.shares(), profile.costs(), profile.rates(), profile.table()) == ({}, {}, {}, [])
    assert "does the kvm module of the host trace its exits" in profile.warnings[0]
    with pytest.raises(ParameterError, match="reasons must be some for an overhead"):
        profile.overhead()  # 0% would be a claim


def test_a_stream_without_exits_counts_returns_to_user_space_and_says_what_is_missing():
    profile = read_perf_kvm(EVENTS, vcpus=1)
    (mmio,) = profile.reasons
    assert (mmio.name, mmio.samples, mmio.time_ns, mmio.mean_ns) == (
        "KVM_EXIT_MMIO",
        10,
        None,
        None,
    )
    assert profile.duration_s == pytest.approx(94e-6)  # 2543.645507 to 2543.645601
    assert profile.rates()["KVM_EXIT_MMIO"] == pytest.approx(10 / 94e-6)
    told = "\n".join(profile.warnings)
    for says in ("no kvm_exit", "no kvm_entry", "20 kvm:kvm_fpu", "span 9.4e-05 s, taken for it"):
        assert says in told
    with pytest.raises(ParameterError, match="tells no handling time of KVM_EXIT_MMIO"):
        profile.costs()
    with pytest.raises(ParameterError, match="tells no handling time"):
        profile.overhead()


def test_intel_numbers_of_kvm_service_time_become_names():
    profile = read_perf_kvm(STAP, duration_s=10, vcpus=4)
    names = [reason.name for reason in profile.reasons]
    assert names == [
        *("EXCEPTION_NMI", "EXTERNAL_INTERRUPT", "INTERRUPT_WINDOW", "HLT", "CR_ACCESS"),
        *("IO_INSTRUCTION", "MSR_WRITE", "PAUSE_INSTRUCTION", "EPT_MISCONFIG"),
    ]
    assert profile.samples == 4_996_283
    assert profile.costs()["PAUSE_INSTRUCTION"] == pytest.approx(1_273_170e3 / 4_966_918)
    busy_us = 123 + 23_165 + 129 + 2 + 5126 + 7748 + 1_273_170 + 201
    assert profile.overhead() == pytest.approx(busy_us / 40e6)
    assert by_name(profile)["HLT"].max_ns == 500_054_000


# --- what no file can tell


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({}, r"duration_s and vcpus must be given for rates: .* no wall time and no number of vC"),
        ({"vcpus": 2}, r"ExitProfile\.duration_s must be given .* carries no wall time, got None"),
        ({"duration_s": 2.0}, r"ExitProfile\.vcpus must be given .* carries no number of vCPUs"),
    ],
)
def test_rates_are_refused_without_wall_time_and_vcpus(given_, says):
    profile = read_perf_kvm(ARM64, **given_)
    with pytest.raises(ParameterError, match=says):
        profile.rates()
    with pytest.raises(ParameterError, match=says):
        profile.overhead()
    assert {row["exits_per_s_per_vcpu"] for row in profile.table()} == {None}


@pytest.mark.parametrize("duration_s", [0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_no_time_is_refused(duration_s):
    with pytest.raises(ParameterError, match="duration_s must be a positive time in s"):
        read_perf_kvm(ARM64, duration_s=duration_s)


def test_no_vcpu_is_refused():
    with pytest.raises(ParameterError, match="vcpus must be at least 1, got 0"):
        read_perf_kvm(ARM64, vcpus=0)


def test_more_time_than_the_vcpus_have_is_doubted():
    (doubt,) = read_perf_kvm(ARM64, duration_s=2, vcpus=4).warnings
    assert doubt.startswith("exits took 10.2164 s, more than 4 vCPUs have in 2 s")


def test_a_table_of_one_vcpu_knows_that_it_is_one(tmp_path):
    path = save(tmp_path, "Analyze events for all VMs, VCPU 3:\n" + HEADER + ROW + TOTAL)
    assert read_perf_kvm(path, duration_s=2).rates() == {"HLT": 5}
    assert read_perf_kvm(path, vcpus=4).warnings == ("the table holds 1 vCPU, but 4 were given",)


# --- tables


def test_a_missing_relative_error_is_unknown(tmp_path):
    text = HEADER + ROW.replace("( +- 1.50% )", "") + TOTAL
    assert read_perf_kvm(save(tmp_path, text)).reasons[0].relative_error is None
    text = HEADER + ROW.replace("1.50", "-nan") + TOTAL
    assert read_perf_kvm(save(tmp_path, text)).reasons[0].relative_error is None


def test_old_tables_without_extremes_are_read(tmp_path):
    text = HEADER.replace("Min Time Max Time ", "") + "HLT 10 100.00% 100.00% 2.00us\n" + TOTAL
    (hlt,) = read_perf_kvm(save(tmp_path, text)).reasons
    assert (hlt.min_ns, hlt.max_ns, hlt.mean_ns) == (None, None, 2000)


@pytest.mark.parametrize("event", ["IO Port Access", "IOPORT Access", "MMIO Access", "MSR Access"])
def test_tables_of_accesses_are_read(tmp_path, event):
    text = HEADER.replace("VM-EXIT", event) + ROW.replace("HLT", "0x60:PIN") + TOTAL
    assert read_perf_kvm(save(tmp_path, text)).costs() == {"0x60:PIN": 2000}


@pytest.mark.parametrize("name", ["hlt", "WFx", "Wait state", "H_CEDE"])
def test_every_architecture_has_its_word_for_waiting(tmp_path, name):
    profile = read_perf_kvm(save(tmp_path, HEADER + ROW.replace("HLT", name) + TOTAL))
    assert (profile.reasons[0].name, profile.reasons[0].idle) == (name, True)
    assert profile.costs() == {}


def test_a_last_line_that_disagrees_is_a_warning(tmp_path):
    text = HEADER + ROW + "Total Samples:11, Total events handled time:21.00us.\n"
    profile = read_perf_kvm(save(tmp_path, text))
    assert profile.warnings == (
        "the last line says 11 samples, the rows hold 10",
        "the last line says 21.00 us of handling time, the rows hold 20.00 us",
    )
    assert (profile.samples, profile.time_ns) == (10, 20_000)


def test_rounding_of_the_last_line_is_no_warning(tmp_path):
    text = HEADER + ROW + "Total Samples:10, Total events handled time:20.05us.\n"
    profile = read_perf_kvm(save(tmp_path, text))
    assert (profile.warnings, profile.time_ns) == ((), pytest.approx(20_050))


def test_a_table_cut_short_is_a_warning(tmp_path):
    (says,) = read_perf_kvm(save(tmp_path, HEADER + ROW)).warnings
    assert "`Total Samples:` is missing" in says


def test_warnings_that_all_precede_the_table_are_taken_in_order(tmp_path):
    codes = "".join(f"unknown kvm exit code:{code} on VMX\n" for code in (7, 9))
    rows = ROW.replace("HLT", "UNKNOWN") * 2
    profile = read_perf_kvm(save(tmp_path, codes + HEADER + rows))
    assert [reason.name for reason in profile.reasons] == ["UNKNOWN:7", "UNKNOWN:9"]


def test_unknown_rows_without_their_warnings_stay_apart(tmp_path):
    rows = ROW.replace("HLT", "UNKNOWN")
    text = HEADER + rows + "unknown kvm exit code:9 on SVM\n" + rows + rows
    profile = read_perf_kvm(save(tmp_path, text))
    assert [reason.name for reason in profile.reasons] == ["UNKNOWN", "UNKNOWN:9", "UNKNOWN#2"]
    assert "3 rows are UNKNOWN, but perf named these codes: 9" in profile.warnings


def test_lines_around_a_table_are_told_not_lost(tmp_path):
    text = "\x1b[H\x1b[2J14:04:25.123456\n" + HEADER + ROW + TOTAL + "Lost events: 12\n"
    profile = read_perf_kvm(save(tmp_path, text))
    assert profile.warnings == ("line 6 is no part of the table: 'Lost events: 12'",)


BAD_ROWS = [
    ("HLT 10 100.00% 1.00us 3.00us 2.00us", "a row must have 7 columns"),
    ("HLT 9 10 100.00% 100.00% 1.00us 3.00us 2.00us", "a row must have 7 columns"),
    ("HLT 1x 100.00% 100.00% 1.00us 3.00us 2.00us", "Samples must be a whole number, not '1x'"),
    ("HLT 10.5 100.00% 100.00% 1.00us 3.00us 2.00us", "Samples must be a whole number, not '10.5'"),
    ("HLT 0 0.00% 0.00% 1.00us 3.00us 2.00us", "Samples must be at least 1"),
    ("HLT 10 100.00 100.00% 1.00us 3.00us 2.00us", "Samples% must be a percentage, not '100.00'"),
    ("HLT 10 100.00% nan% 1.00us 3.00us 2.00us", "Time% must be a percentage, not 'nan%'"),
    ("HLT 10 100.00% 100.00% 1.00ms 3.00us 2.00us", "Min Time must be a time in us, not '1.00ms'"),
    ("HLT 10 100.00% 100.00% 1.00us 3.00us -2.00us", "Avg time must be a time in us"),
    (f"HLT {'9' * 400} 1.00% 1.00% 1.00us 3.00us 2.00us", "Samples must be a whole number"),
    ("HLT 10 100.00% 100.00% 1.00us 3.00us 2.00us ( +- x% )", "the relative error must be"),
    ("HLT 10 100.00% 100.00% 1.00us 3.00us 2.00us more", "a row must have 7 columns"),
    ("HLT 10 1.00% 1.00% 1.00us 3.00us 2.00us (+- 2)", "a row must have 7 columns"),
    ("Total Samples:ten, Total events handled time:1us.", "the sum must be `Total Samples:n,"),
    ("[..]", "a row must have 7 columns"),
]


@pytest.mark.parametrize(("row", "says"), BAD_ROWS, ids=[says for _, says in BAD_ROWS])
def test_a_bad_row_is_refused_with_line_rule_and_value(tmp_path, row, says):
    message = refused(tmp_path, HEADER + ROW + row + "\n" + TOTAL)
    assert message.startswith(f"{tmp_path / 'a.txt'}: 1 bad line\n  - line 3: {says}")
    assert message.endswith(f"got {row!r}")


def test_all_bad_rows_are_named_at_once(tmp_path):
    message = refused(tmp_path, HEADER + "what\n" + ROW + "HLT x\n" + TOTAL)
    assert [line.split(":")[0] for line in message.splitlines()[1:]] == ["  - line 2", "  - line 4"]
    assert ": 2 bad lines" in message


def test_a_foreign_column_is_refused_by_name(tmp_path):
    message = refused(tmp_path, HEADER.replace("Avg time", "Avg time Median") + ROW + TOTAL)
    assert "line 1: the columns must be Samples, Samples%, Time%, Min Time" in message
    assert message.endswith("got also Median")
    message = refused(tmp_path, HEADER.replace("Time% ", "") + ROW)
    assert message.endswith("got Samples, Samples%, Min Time, Max Time, Avg time")
    assert "the first column must be VM-EXIT or" in refused(tmp_path, "Event" + HEADER[7:] + ROW)


def test_a_table_without_header_or_with_two_is_refused(tmp_path):
    assert "has no header `VM-EXIT Samples ...`" in refused(tmp_path, TOTAL)
    two = HEADER + ROW + TOTAL
    assert "holds 2 tables (lines 1, 5); give one per file" in refused(tmp_path, two + two)


# --- streams


def event(at, name, says="", thread="CPU 0/KVM  41/42"):
    return f" {thread} [003] {at}: kvm:{name}: {says}\n"


def test_exits_are_paired_with_the_next_entry_of_their_thread(tmp_path):
    other = "CPU 1/KVM  41/43"
    text = "".join(
        (
            event("5.000000000", "kvm_entry", "vcpu 0, rip 0x1"),
            event("5.000010000", "kvm_exit", "reason MSR_WRITE rip 0xffff info 0 0"),
            event("5.000011000", "kvm_exit", "reason HLT rip 0xffff info 0 0", other),
            event("5.000011500", "kvm_msr", "msr_write 6e0 = 0x1"),
            event("5.000012000", "kvm_entry", "vcpu 0, rip 0x2"),
            event("5.000020000", "kvm_exit", "vcpu 0 reason MSR_WRITE rip 0xffff info1 0x0"),
            event("5.000024000", "kvm_entry", "vcpu 0, rip 0x2"),
            event("5.001011000", "kvm_entry", "vcpu 1, rip 0x2", other),
            event("5.001011000", "kvm_exit", "vcpu 0 reason UNKNOWN (131072) rip 0x1 info1 0x0"),
        )
    )
    profile = read_perf_kvm(save(tmp_path, text), vcpus=2)
    msr, hlt = profile.reasons
    assert (msr.name, msr.samples, msr.time_ns) == ("MSR_WRITE", 2, 6000)
    assert (msr.min_ns, msr.mean_ns, msr.max_ns) == (2000, 3000, 4000)
    assert msr.relative_error == pytest.approx(2**0.5 * 1000 / 2**0.5 / 3000)
    assert (hlt.name, hlt.time_ns, hlt.idle) == ("HLT", 1e6, True)
    assert profile.duration_s == pytest.approx(1.011e-3)
    assert profile.overhead() == pytest.approx(6e-6 / 1.011e-3 / 2)
    assert profile.warnings[:2] == (
        "exits left out, as no entry followed in their thread: 1 UNKNOWN:131072",
        "events that were not used: 1 kvm:kvm_msr",
    )


def test_vcpus_that_share_a_thread_are_kept_apart(tmp_path):
    text = "".join(
        (
            event("1.000001", "kvm_exit", "vcpu 0 reason CPUID rip 0x1"),
            event("1.000002", "kvm_exit", "vcpu 1 reason HLT rip 0x1"),
            event("1.000003", "kvm_entry", "vcpu 0, rip 0x1"),
            event("1.000009", "kvm_entry", "vcpu 1, rip 0x1"),
        )
    )
    profile = read_perf_kvm(save(tmp_path, text))
    assert {r.name: r.time_ns for r in profile.reasons} == {"CPUID": 2000, "HLT": 7000}
    assert "time stamps are whole us; `perf script --ns` prints ns" in profile.warnings


def test_arm_names_the_trap_by_its_class_and_an_interrupt_by_its_kind(tmp_path):
    says = {
        "TRAP: HSR_EC: 0x0001 (WFx), PC: 0xffff": ("WFx", True),
        "IRQ: HSR_EC: 0x0001 (WFx), PC: 0xffff": ("IRQ", False),
        "TRAP: HSR_EC: 0x003f (UNKNOWN), PC: 0xffff": ("UNKNOWN:0x003f", False),
    }
    lines = [
        event(f"1.{at:06}", kind, text)
        for i, key in enumerate(says)
        for at, kind, text in ((2 * i, "kvm_exit", key), (2 * i + 1, "kvm_entry", "PC: 0x1"))
    ]
    profile = read_perf_kvm(save(tmp_path, "".join(lines)))
    assert [(r.name, r.idle) for r in profile.reasons] == list(says.values())


def test_exits_without_any_entry_are_counted_without_times(tmp_path):
    text = event("1.000001", "kvm_exit", "reason CPUID rip 0x1")
    profile = read_perf_kvm(save(tmp_path, text))
    assert (profile.reasons[0].samples, profile.reasons[0].time_ns) == (1, None)
    assert profile.warnings == ("there is no kvm_entry: handling times are unknown",)
    assert profile.duration_s is None  # one time stamp spans nothing


def test_a_second_exit_without_entry_leaves_the_first_out(tmp_path):
    exits = [event(f"1.00000{i}", "kvm_exit", "reason CPUID rip 0x1") for i in (1, 2)]
    text = "".join((*exits, event("1.000005", "kvm_entry", "vcpu 0, rip 0x1")))
    profile = read_perf_kvm(save(tmp_path, text))
    assert (profile.samples, profile.time_ns) == (1, 3000)
    assert "1 CPUID" in profile.warnings[0]


def test_a_given_duration_wins_over_the_time_stamps(tmp_path):
    profile = read_perf_kvm(EVENTS, duration_s=1.0)
    assert profile.duration_s == 1.0
    assert not any("span" in line for line in profile.warnings)
    assert "more than the 1e-05 s given" in read_perf_kvm(EVENTS, duration_s=1e-5).warnings[-1]


def test_headers_and_callers_in_a_stream_are_skipped(tmp_path):
    text = "# captured on: today\n" + event("1.000001", "kvm_fpu", "load")
    text += "\tffffffffa0b1c2d3 vmx_vcpu_run+0x12 ([kvm_intel])\n\n"
    profile = read_perf_kvm(save(tmp_path, text))
    assert profile.reasons == ()
    assert "no kvm_exit nor kvm_userspace_exit" in profile.warnings[0]


def test_bad_lines_of_a_stream_are_all_named(tmp_path):
    good = event("1.000001", "kvm_fpu", "load")
    nameless = event("1.000002", "kvm_exit", "rip 0x1") + event("1.1", "kvm_userspace_exit", "")
    message = refused(tmp_path, good + "garbage\n" + nameless)
    assert ": 3 bad lines" in message
    assert "line 2: an event must be `task tid [cpu] seconds: event: text`, got 'garb" in message
    assert "line 3: kvm:kvm_exit must name its reason, got 'rip 0x1'" in message
    assert "line 4: kvm:kvm_userspace_exit must name its reason, got ''" in message


# --- kvm_service_time


def test_an_unknown_number_is_kept_and_told(tmp_path):
    profile = read_perf_kvm(save(tmp_path, "# Intel\n77: 2 6 1 3 5\n"))
    assert profile.costs() == {"reason 77": 3000}
    assert "reason 77 is no Intel exit reason known here" in profile.warnings[1]


def test_an_average_that_is_no_average_is_told(tmp_path):
    profile = read_perf_kvm(save(tmp_path, "10: 2 6 1 4 5\n"))
    assert profile.costs() == {"CPUID": 3000}
    assert profile.warnings[1].startswith("line 1: avg 4 us is not sum / count")


def test_bad_lines_of_kvm_service_time_are_all_named(tmp_path):
    message = refused(
        tmp_path, "10: 2 6 1 3 5\n10: 1 1 1 1 1\n12: 1 2\n13: 1 x 0 0 0\n14: 0 0 0 0 0\nhm\n"
    )
    for says in (
        "line 2: reason 10 must come once, and came before, got '10: 1 1 1 1 1'",
        "line 3: a row must have 5 numbers, not 2, got '12: 1 2'",
        "line 4: sum must be a whole number, not 'x'",
        "line 5: count must be at least 1",
        "line 6: a row must be `reason: count sum min avg max`, got 'hm'",
    ):
        assert says in message


# --- neither


def test_other_files_are_refused_by_their_first_line(tmp_path):
    message = refused(tmp_path, "\n{'fio': 1}\n")
    assert "must be a table of `perf kvm stat report`" in message
    assert message.endswith("got line 2: \"{'fio': 1}\"")
    assert "is empty" in refused(tmp_path, "\n \n")
    with pytest.raises(ImportFileError, match="cannot be read: No such file"):
        read_perf_kvm(tmp_path / "none.txt")


def test_a_reason_nobody_exited_for_is_refused():
    with pytest.raises(ParameterError, match=r"ExitReason\.samples must be at least 1, got 0"):
        ExitReason(
            name="HLT", samples=0, time_ns=0, min_ns=0, max_ns=0, mean_ns=0,
            relative_error=None, idle=True,
        )  # fmt: skip


# --- round trip


def perf_table(profile: ExitProfile) -> str:
    """Write a profile as perf does."""
    lines = ["", "Analyze events for all VMs, all VCPUs:", "", HEADER.rstrip(), ""]
    for reason in profile.reasons:
        name, _, code = reason.name.partition(":")
        if name == "UNKNOWN":
            lines.append(f"unknown kvm exit code:{code} on VMX")
        cells = [f"{v / 1e3:.2f}us" for v in (reason.min_ns, reason.max_ns, reason.mean_ns)]
        if reason.relative_error is not None:
            cells.append(f"( +- {reason.relative_error * 100:6.2f}% )")
        share, time = reason.samples / profile.samples, reason.time_ns / (profile.time_ns or 1)
        lines.append(f"{name:>20} {reason.samples:10} {share:8.2%} {time:8.2%} {' '.join(cells)}")
    total = f"Total Samples:{profile.samples}, Total events handled time:"
    return "\n".join((*lines, "", f"{total}{profile.time_ns / 1e3:.2f}us.", ""))


hundredths = st.integers(0, 10**9)
reasons = st.builds(
    lambda name, samples, times, error: ExitReason(
        name=name,
        samples=samples,
        time_ns=sorted(times)[1] * 10.0 * samples,
        min_ns=min(times) * 10.0,
        max_ns=max(times) * 10.0,
        mean_ns=sorted(times)[1] * 10.0,
        relative_error=None if error is None else error / 1e4,
        idle=name in ("HLT", "WFx", "Wait state"),
    ),
    name=st.sampled_from(["HLT", "WFx", "Wait state", "CPUID", "EPT_VIOLATION", "DIAG (0x44)"])
    | st.integers(0, 99).map(lambda code: f"UNKNOWN:{code}"),
    samples=st.integers(1, 10**7),
    times=st.tuples(hundredths, hundredths, hundredths),
    error=st.none() | st.integers(0, 10**5),
)


@given(st.lists(reasons, max_size=8, unique_by=lambda reason: reason.name))
def test_a_profile_written_as_a_table_is_read_back(tmp_path_factory, found):
    samples = sum(reason.samples for reason in found)
    time_ns = sum(reason.time_ns for reason in found)
    written = ExitProfile(
        source="a.txt",
        format="perf kvm stat",
        reasons=tuple(found),
        samples=samples,
        time_ns=time_ns,
    )
    read = read_perf_kvm(save(tmp_path_factory.getbasetemp(), perf_table(written)))
    assert bool(read.warnings) == (not found)  # an empty table is worth a word
    assert (read.samples, read.time_ns) == (samples, pytest.approx(time_ns))
    for ours, back in zip(found, read.reasons, strict=True):
        assert (ours.name, ours.samples, ours.idle) == (back.name, back.samples, back.idle)
        for field in ("time_ns", "min_ns", "max_ns", "mean_ns", "relative_error"):
            assert getattr(back, field) == pytest.approx(getattr(ours, field))
    shares = [share.time for share in read.shares().values() if share.time is not None]
    assert sum(shares) == pytest.approx(1) or not sum(shares)


# --- the command line


def virtperf(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_prints_the_columns_of_perf_and_the_overhead():
    done = virtperf("import", "perf-kvm", ARM64, "--duration", 60, "--vcpus", 2)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    heading = [*("VM-EXIT", "Samples", "Samples%", "Time%", "Min", "Max", "Avg")]
    assert lines[0].split() == [*heading, "exits/s", "per", "vCPU"]
    assert lines[3].split()[:4] == ["WFx", "1,475", "0.22%", "idle"]
    assert "overhead: 8.37% of the time of 2 vCPUs in 60 s" in done.stdout


def test_the_command_says_why_there_are_no_rates():
    done = virtperf("import", "perf-kvm", ARM64)
    assert done.exit_code == 0
    assert "exits/s" not in done.stdout
    assert "carries no wall time and no number of vCPUs; give --duration and --vcpus" in done.stdout


@pytest.mark.parametrize("path", [EMPTY, EVENTS])
def test_the_command_claims_no_overhead_it_cannot_know(path):
    done = virtperf("import", "perf-kvm", path, "--duration", 1, "--vcpus", 1)
    assert done.exit_code == 0
    assert "no overhead: " in done.stdout


def test_the_command_writes_csv_with_units(tmp_path):
    out = tmp_path / "exits.csv"
    assert virtperf("import", "perf-kvm", STAP, "-o", out).exit_code == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[3]["reason"], rows[3]["max_ns"], rows[3]["idle"]) == ("HLT", "500054000.0", "True")
    assert rows[3]["share_of_busy_time"] == rows[3]["exits_per_s_per_vcpu"] == ""
    assert virtperf("import", "perf-kvm", EMPTY, "--out", out).exit_code == 0
    assert out.read_text().startswith("reason,samples,share_of_samples,share_of_busy_time,min_ns,")


def test_the_command_reports_bad_files_and_outputs_in_one_message(tmp_path):
    done = virtperf("import", "perf-kvm", tmp_path / "none")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    done = virtperf("import", "perf-kvm", ARM64, "-o", tmp_path / "missing" / "a.csv")
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr
    assert issubclass(OutputError, OSError)
