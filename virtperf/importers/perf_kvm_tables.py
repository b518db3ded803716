"""Tables of ``perf kvm stat report`` and ``live``: a header, a row per reason, a sum."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from virtperf.errors import ImportFileError
from virtperf.importers.perf_kvm_profile import ExitProfile, ExitReason, distinct, is_idle, refuse

FORMAT = "perf kvm stat"
EVENTS = ("VM-EXIT", "IO Port Access", "IOPORT Access", "MMIO Access", "MSR Access", "HCALL-EVENT")
_LAYOUTS = (
    ("Samples", "Samples%", "Time%", "Min Time", "Max Time", "Avg time"),
    ("Samples", "Samples%", "Time%", "Avg time"),  # before Linux 3.13
)
_SHARE = re.compile(r"[0-9]{1,15}(\.[0-9]+)?%"), "a percentage"
_TIME = re.compile(r"[0-9]{1,15}(\.[0-9]+)?us"), "a time in us"
_CELLS = {
    "Samples": (re.compile(r"[0-9]{1,15}"), "a whole number"),
    "Samples%": _SHARE,
    "Time%": _SHARE,
}
_HEADER = re.compile(r"\s*(\S.*?)\s+(Samples\s.*%.*)")
_COLUMN = re.compile(r"\w+ [Tt]ime|\S+(?: \(\w+\))?")
_ERROR = re.compile(r"\(\s*\+-\s*(\S*?)\s*%\s*\)\s*$")
_UNKNOWN = re.compile(r"\s*unknown kvm exit code:\s*(\S+)(?: on .*)?")
_TOTAL = re.compile(
    r"\s*Total Samples:\s*([0-9]{1,15}), "
    r"Total events handled time:\s*([0-9]{1,15}(?:\.\d+)?)us\.?\s*"
)
_ONE_VCPU = re.compile(r"\s*Analyze events for .*\bVCPU (\d+):\s*")
_EXPECTED = re.compile(r"\s*(Analyze events for .*|\d\d:\d\d:\d\d(\.\d+)?)?\s*")
_HALF_DIGIT_US = 0.005  # the table shows two decimals


@dataclass(slots=True)
class _Table:
    """What was found so far; times in us."""

    rows: list[tuple[str, dict[str, float], float | None]]
    codes: list[str]  # of exits unknown to perf, in order
    code_before: dict[int, str]  # row: code of the warning right before it
    total: tuple[int, float] | None = None
    vcpus: int | None = None


def is_table(lines: Sequence[str]) -> bool:
    """Return whether a header, the line before it or the sum is there."""
    marks = ("Analyze events for ", "Total Samples:")
    return any(line.lstrip().startswith(marks) or _HEADER.fullmatch(line) for line in lines)


def read_table(path: str | Path, lines: Sequence[str]) -> ExitProfile:
    """Read one table; warnings of perf between its rows name the unknown reason that follows.

    Raises
    ------
    ImportFileError
        If there is not exactly one header, or a column or a row is not as perf writes it.
    """
    at, columns = _header(path, lines)
    bad: list[str] = []
    warnings: list[str] = []
    table = _Table([], [], {})
    for number, line in enumerate(lines, 1):
        inside = number > at and table.total is None
        if number == at or _known(table, line, inside):
            continue
        if not inside:
            warnings.append(f"line {number} is no part of the table: {line.strip()!r}")
        elif problem := _row(table, line, columns):
            bad.append(f"line {number}: {problem}, got {line.strip()!r}")
    refuse(path, bad)
    if not table.rows:
        warnings.append("no exit was recorded; does the kvm module of the host trace its exits?")
    names = _names(table, warnings)
    reasons = tuple(_reason(n, *row[1:]) for n, row in zip(names, table.rows, strict=True))
    samples, time_ns = _sums(table, reasons, warnings)
    return ExitProfile(
        source=Path(path).name,
        format=FORMAT,
        reasons=reasons,
        samples=samples,
        time_ns=time_ns,
        vcpus=table.vcpus,
        warnings=tuple(warnings),
    )


def _header(path: str | Path, lines: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """Return the line of the header, and its columns after the first."""
    heads = [(at, match) for at, line in enumerate(lines, 1) if (match := _HEADER.fullmatch(line))]
    if not heads:
        raise ImportFileError(path, "has no header `VM-EXIT Samples ...`; was it cut short?")
    if len(heads) > 1:
        where = ", ".join(str(at) for at, _ in heads)
        raise ImportFileError(path, f"holds {len(heads)} tables (lines {where}); give one per file")
    ((at, match),) = heads
    columns = tuple(_COLUMN.findall(match[2]))
    bad = []
    if match[1] not in EVENTS:
        bad.append(f"line {at}: the first column must be {' or '.join(EVENTS)}, got {match[1]!r}")
    if columns not in _LAYOUTS:
        foreign = [column for column in columns if column not in _LAYOUTS[0]]
        must = ", ".join(_LAYOUTS[0])
        got = f"also {', '.join(foreign)}" if foreign else ", ".join(columns)
        bad.append(f"line {at}: the columns must be {must}, got {got}")
    refuse(path, bad)
    return at, columns


def _known(table: _Table, line: str, inside: bool) -> bool:
    """Note what is neither a row nor foreign: the sum, unknown codes, lines before the table."""
    if match := _UNKNOWN.fullmatch(line):
        table.codes.append(match[1])
        table.code_before[len(table.rows)] = match[1]
    elif inside and (match := _TOTAL.fullmatch(line)):
        table.total = int(match[1]), float(match[2])
    elif match := _ONE_VCPU.fullmatch(line):
        table.vcpus = 1
    else:
        return _EXPECTED.fullmatch(line) is not None
    return True


def _row(table: _Table, line: str, columns: Sequence[str]) -> str:
    """Add a row to the table, or return what is wrong with it."""
    if line.lstrip().startswith("Total Samples:"):
        return "the sum must be `Total Samples:n, Total events handled time:xus.`"
    error = _ERROR.search(line)
    words = (line[: error.start()] if error else line).split()
    name, cells = words[: -len(columns)], words[-len(columns) :]
    if not name or any(re.fullmatch(r"[\d.]+(us|%)?", word) for word in name[1:]):
        return f"a row must have {len(columns) + 1} columns, and at most `( +- x% )`"
    if problem := _problem(columns, cells):
        return problem
    values = {
        column: float(cell.rstrip("us%")) for column, cell in zip(columns, cells, strict=True)
    }
    relative = error and error[1].lstrip("-")
    if relative and relative != "nan" and not re.fullmatch(r"\d+(\.\d+)?|inf", relative):
        return f"the relative error must be a percentage, not {error and error[1]!r}"
    known = None if not relative or relative in ("nan", "inf") else float(relative) / 100
    table.rows.append((" ".join(name), values, known))
    return ""


def _problem(columns: Sequence[str], cells: Sequence[str]) -> str:
    """Return what is wrong with the first cell that is not as its column must be."""
    for column, cell in zip(columns, cells, strict=True):
        pattern, must = _CELLS.get(column, _TIME)
        if not pattern.fullmatch(cell):
            return f"{column} must be {must}, not {cell!r}"
    return "" if int(cells[0]) else "Samples must be at least 1"


def _names(table: _Table, warnings: list[str]) -> list[str]:
    """Return names that differ; an unknown reason takes the code perf warned about."""
    unknown = [i for i, (name, _, _) in enumerate(table.rows) if name == "UNKNOWN"]
    codes = table.code_before
    if len(table.codes) == len(unknown):  # also where all warnings came before the table
        codes = dict(zip(unknown, table.codes, strict=True))
    else:
        listed = ", ".join(table.codes) or "none"
        warnings.append(f"{len(unknown)} rows are UNKNOWN, but perf named these codes: {listed}")
    names = [name for name, _, _ in table.rows]
    for i in unknown:
        names[i] = f"UNKNOWN:{codes[i]}" if i in codes else "UNKNOWN"
    apart = distinct(names)
    again = sorted({name for name, other in zip(names, apart, strict=True) if name != other})
    warnings.extend(f"{name} comes more than once; each row is kept apart" for name in again)
    return apart


def _reason(name: str, values: dict[str, float], relative_error: float | None) -> ExitReason:
    low, high = values.get("Min Time"), values.get("Max Time")
    samples = int(values["Samples"])
    return ExitReason(
        name=name,
        samples=samples,
        time_ns=values["Avg time"] * samples * 1e3,
        min_ns=None if low is None else low * 1e3,
        max_ns=None if high is None else high * 1e3,
        mean_ns=values["Avg time"] * 1e3,
        relative_error=relative_error,
        idle=is_idle(name),
    )


def _sums(
    table: _Table, reasons: Sequence[ExitReason], warnings: list[str]
) -> tuple[int, float | None]:
    """Return samples and time, in ns: the rows', or the table's finer time where it agrees."""
    samples = sum(reason.samples for reason in reasons)
    time_ns = sum(reason.time_ns or 0.0 for reason in reasons)
    if table.total is None:
        warnings.append("the line `Total Samples:` is missing; was the table cut short?")
        return samples, time_ns
    said_samples, said_us = table.total
    if said_samples != samples:
        warnings.append(f"the last line says {said_samples} samples, the rows hold {samples}")
    within_us = _HALF_DIGIT_US * (samples + 1) * (1 + 1e-9) + said_us * 1e-12
    if abs(said_us - time_ns / 1e3) > within_us:
        rows = f"the rows hold {time_ns / 1e3:.2f} us"
        warnings.append(f"the last line says {said_us:.2f} us of handling time, {rows}")
        return samples, time_ns
    return samples, said_us * 1e3 if said_samples == samples else time_ns
