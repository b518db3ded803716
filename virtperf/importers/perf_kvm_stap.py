"""Tables of SystemTap's kvm_service_time.stp: ``reason: count sum min avg max``, in us."""

import re
from collections.abc import Sequence
from pathlib import Path

from virtperf.importers.perf_kvm_profile import ExitProfile, ExitReason, is_idle, refuse

FORMAT = "kvm_service_time"
_COLUMNS = ("count", "sum", "min", "avg", "max")
_ROW = re.compile(r"\s*([0-9]{1,9}):(?:\s+(.*))?")

# Basic exit reasons of Intel SDM Vol. 3 Appendix C, named as Linux and perf name them.
_INTEL = {
    0: "EXCEPTION_NMI",
    1: "EXTERNAL_INTERRUPT",
    2: "TRIPLE_FAULT",
    3: "INIT_SIGNAL",
    4: "SIPI_SIGNAL",
    7: "INTERRUPT_WINDOW",
    8: "NMI_WINDOW",
    9: "TASK_SWITCH",
    10: "CPUID",
    12: "HLT",
    13: "INVD",
    14: "INVLPG",
    15: "RDPMC",
    16: "RDTSC",
    18: "VMCALL",
    19: "VMCLEAR",
    20: "VMLAUNCH",
    21: "VMPTRLD",
    22: "VMPTRST",
    23: "VMREAD",
    24: "VMRESUME",
    25: "VMWRITE",
    26: "VMOFF",
    27: "VMON",
    28: "CR_ACCESS",
    29: "DR_ACCESS",
    30: "IO_INSTRUCTION",
    31: "MSR_READ",
    32: "MSR_WRITE",
    33: "INVALID_STATE",
    34: "MSR_LOAD_FAIL",
    36: "MWAIT_INSTRUCTION",
    37: "MONITOR_TRAP_FLAG",
    39: "MONITOR_INSTRUCTION",
    40: "PAUSE_INSTRUCTION",
    41: "MCE_DURING_VMENTRY",
    43: "TPR_BELOW_THRESHOLD",
    44: "APIC_ACCESS",
    45: "EOI_INDUCED",
    46: "GDTR_IDTR",
    47: "LDTR_TR",
    48: "EPT_VIOLATION",
    49: "EPT_MISCONFIG",
    50: "INVEPT",
    51: "RDTSCP",
    52: "PREEMPTION_TIMER",
    53: "INVVPID",
    54: "WBINVD",
    55: "XSETBV",
    56: "APIC_WRITE",
    57: "RDRAND",
    58: "INVPCID",
    59: "VMFUNC",
    60: "ENCLS",
    61: "RDSEED",
    62: "PML_FULL",
    63: "XSAVES",
    64: "XRSTORS",
}


def is_service_time(lines: Sequence[str]) -> bool:
    """Return whether the first line that is no comment begins like ``12: ``."""
    first = next((line for line in lines if _says(line)), "")
    return _ROW.fullmatch(first) is not None


def read_service_time(path: str | Path, lines: Sequence[str]) -> ExitProfile:
    """Read rows of ``reason: count sum min avg max``, times in us.

    Raises
    ------
    ImportFileError
        If a line is not such a row, or a reason comes twice.
    """
    bad: list[str] = []
    warnings = ["times are whole us: a minimum of 0 stands for less than 1 us"]
    reasons: dict[int, ExitReason] = {}
    for at, line in enumerate(lines, 1):
        if not _says(line):
            continue
        number, values, problem = _row(line)
        if number in reasons:
            problem = f"reason {number} must come once, and came before"
        if problem:
            bad.append(f"line {at}: {problem}, got {line.strip()!r}")
            continue
        reasons[number] = reason = _reason(number, values)
        if values[1] // values[0] != values[3]:
            warnings.append(f"line {at}: avg {values[3]} us is not sum / count, which is taken")
        if number not in _INTEL:
            warnings.append(
                f"{reason.name} is no Intel exit reason known here, and counts as a cost; "
                "numbers of AMD hosts mean other reasons"
            )
    refuse(path, bad)
    return ExitProfile(
        source=Path(path).name,
        format=FORMAT,
        reasons=tuple(reasons.values()),
        samples=sum(reason.samples for reason in reasons.values()),
        time_ns=sum(reason.time_ns or 0.0 for reason in reasons.values()),
        warnings=tuple(warnings),
    )


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _row(line: str) -> tuple[int, list[int], str]:
    """Return reason, values in us, and what is wrong with the row, if anything."""
    match = _ROW.fullmatch(line)
    if match is None:
        return -1, [], "a row must be `reason: count sum min avg max`"
    number, words = int(match[1]), (match[2] or "").split()
    if len(words) != len(_COLUMNS):
        return number, [], f"a row must have {len(_COLUMNS)} numbers, not {len(words)}"
    for column, word in zip(_COLUMNS, words, strict=True):
        if not re.fullmatch(r"[0-9]{1,15}", word):
            return number, [], f"{column} must be a whole number, not {word!r}"
    values = [int(word) for word in words]
    if values[0] < 1:
        return number, [], "count must be at least 1"
    return number, values, ""


def _reason(number: int, values: Sequence[int]) -> ExitReason:
    count, total, least, _, most = values
    name = _INTEL.get(number, f"reason {number}")
    return ExitReason(
        name=name,
        samples=count,
        time_ns=total * 1e3,
        min_ns=least * 1e3,
        max_ns=most * 1e3,
        mean_ns=total * 1e3 / count,  # the file's own average is cut to whole us
        relative_error=None,
        idle=is_idle(name),
    )
