"""Exit statistics as text and CSV, in the order of ``perf kvm stat``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.cli.text import table
from virtperf.errors import OutputError
from virtperf.importers.perf_kvm_profile import COLUMNS
from virtperf.units import human_time

if TYPE_CHECKING:
    from virtperf.importers.perf_kvm import ExitProfile

_HEADER = ("VM-EXIT", "Samples", "Samples%", "Time%", "Min", "Max", "Avg")
_OPTIONS = {"duration_s": "--duration", "vcpus": "--vcpus"}
_SPANS = ("min_ns", "max_ns", "mean_ns")


def show(profile: ExitProfile) -> str:
    """Return a profile as text; Time% is of the time that is not idle."""
    rows = profile.table()
    rated = not profile.lacks
    header = (*_HEADER, "exits/s per vCPU") if rated else _HEADER
    body = [
        _cells(row) + ([f"{row['exits_per_s_per_vcpu']:,.1f}"] if rated else []) for row in rows
    ]
    blocks = [table(header, body) if rows else "no exits in this file", _overhead(profile)]
    if profile.warnings:
        blocks.append("Note:\n" + "\n".join(f"  - {line}" for line in profile.warnings))
    return "\n\n".join(blocks)


def write(profile: ExitProfile, out: Path) -> None:
    """Write one row per reason as CSV, with units in the header; what is unknown is empty.

    Raises
    ------
    OutputError
        If `out` cannot be written.
    """
    rows = profile.table()
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise OutputError(out, f"cannot be written: {error.strerror}") from error


def _cells(row: dict[str, Any]) -> list[str]:
    share = row["share_of_busy_time"]
    time = "idle" if row["idle"] else "-" if share is None else f"{share:.2%}"
    spans = ["-" if row[key] is None else human_time(row[key]) for key in _SPANS]
    return [row["reason"], f"{row['samples']:,}", f"{row['share_of_samples']:.2%}", time, *spans]


def _overhead(profile: ExitProfile) -> str:
    if profile.lacks:
        options = " and ".join(_OPTIONS[field] for field in profile.lacks)
        facts = " and no ".join(profile.lacks.values())
        return f"no rates and no overhead: {profile.source} carries no {facts}; give {options}"
    if any(reason.time_ns is None for reason in profile.reasons):
        return f"no overhead: {profile.source} tells no handling times"
    if not profile.reasons:
        return f"no overhead: {profile.source} holds no exits"
    window = f"{profile.vcpus} vCPUs in {profile.duration_s:g} s"
    return f"overhead: {profile.overhead():.2%} of the time of {window} went into exits (not idle)"
