"""Reads statistics of VM exits, whichever tool counted them; one function, three formats."""

import re
from dataclasses import replace
from pathlib import Path

from virtperf.errors import ImportFileError
from virtperf.importers.perf_kvm_profile import ExitProfile, ExitReason, Share, check_window
from virtperf.importers.perf_kvm_script import is_script, read_script
from virtperf.importers.perf_kvm_stap import is_service_time, read_service_time
from virtperf.importers.perf_kvm_tables import is_table, read_table

__all__ = ["ExitProfile", "ExitReason", "Share", "read_perf_kvm"]

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # `perf kvm stat live` clears the screen


def read_perf_kvm(
    path: str | Path, *, duration_s: float | None = None, vcpus: int | None = None
) -> ExitProfile:
    """Read how often and how long guests were left, by reason.

    Parameters
    ----------
    path : str or Path
        A table of ``perf kvm stat report`` or ``live``, lines of ``perf script`` with kvm events,
        or a table of SystemTap's ``kvm_service_time.stp``.
    duration_s : float, optional
        Wall time of the recording, in seconds; a stream of events has its own.
    vcpus : int, optional
        Virtual CPUs that were recorded.

    Returns
    -------
    ExitProfile
        What the file says; an empty report has no reasons.

    Raises
    ------
    ImportFileError
        If the file is missing, empty or of no known format, or has lines that cannot be
        understood: all of them are named.
    ParameterError
        If `duration_s` or `vcpus` is not positive.
    """
    check_window(duration_s, vcpus)
    lines = _load(Path(path))
    if is_table(lines):
        profile = read_table(path, lines)
    elif is_script(lines):
        profile = read_script(path, lines)
    elif is_service_time(lines):
        profile = read_service_time(path, lines)
    else:
        first = next((n, line) for n, line in enumerate(lines, 1) if line.strip())
        problem = (
            "must be a table of `perf kvm stat report`, `perf script` lines of kvm events or a "
            f"table of kvm_service_time.stp, got line {first[0]}: {first[1].strip()[:80]!r}"
        )
        raise ImportFileError(path, problem)
    return _with_window(profile, duration_s, vcpus)


def _load(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ImportFileError(path, f"cannot be read: {error.strerror}") from None
    lines = _ESCAPE.sub("", text).splitlines()
    if not any(line.strip() for line in lines):
        raise ImportFileError(path, "is empty; did the tool run to its end?")
    return lines


def _with_window(profile: ExitProfile, duration_s: float | None, vcpus: int | None) -> ExitProfile:
    """Add what the user knows, and say where it contradicts the file."""
    warnings = list(profile.warnings)
    seen_s = profile.duration_s
    if duration_s is None and seen_s is not None:
        warnings.append(f"no duration was given: the time stamps span {seen_s:g} s, taken for it")
    elif duration_s is not None and seen_s is not None and seen_s > duration_s:
        warnings.append(f"the time stamps span {seen_s:g} s, more than the {duration_s:g} s given")
    known = seen_s if duration_s is None else duration_s
    if known is not None and vcpus is not None and (profile.time_ns or 0.0) > known * vcpus * 1e9:
        spent = (profile.time_ns or 0.0) / 1e9
        warnings.append(
            f"exits took {spent:g} s, more than {vcpus} vCPUs have in {known:g} s: "
            "the duration or the number of vCPUs cannot be right"
        )
    if vcpus is not None and profile.vcpus is not None and vcpus != profile.vcpus:
        warnings.append(f"the table holds {profile.vcpus} vCPU, but {vcpus} were given")
    vcpus = profile.vcpus if vcpus is None else vcpus
    return replace(profile, duration_s=known, vcpus=vcpus, warnings=tuple(warnings))
