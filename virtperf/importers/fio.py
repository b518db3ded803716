"""fio results become scenarios: one device for all files, each file's own load in front of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtperf.dist import Empirical
from virtperf.errors import ImportFileError, OutputError, ParameterError
from virtperf.importers.fio_file import FioJob, measured, read
from virtperf.importers.fio_fit import MOST_CHANNELS, WITHIN, Fit, fit
from virtperf.scenario import Scenario

__all__ = ["FioImport", "import_fio", "measured", "read", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FioImport:
    """What came of a set of fio files.

    Attributes
    ----------
    scenarios : mapping of str to Scenario
        One per load, by fio's job name, the first file's first; all share the device.
    fit : Fit
        The device: channels with their range, and each file's IOPS, measured and predicted.
    files : tuple of str
        Names of the files.
    flags : tuple of str
        What makes the files, or the fit, doubtful.
    assumed : tuple of str
        What the fit assumed.
    """

    scenarios: Mapping[str, Scenario]
    fit: Fit
    files: tuple[str, ...]
    flags: tuple[str, ...]
    assumed: tuple[str, ...]


def import_fio(
    paths: Sequence[str | Path],
    *,
    platform: str = "zen1-kvm-guest",
    channels: int | None = None,
    pcpus: int = 4,
) -> FioImport:
    """Fit one device to fio files, and write down each file's load as a scenario.

    A scenario runs its file's load natively, so that simulating it reproduces the file; what the
    load would see through another technique is then a question of ``vm.disk``.

    Parameters
    ----------
    paths : sequence of str or Path
        Files of one device and one block size, of different depth where possible.
    platform : str
        Platform of the scenarios.
    channels : int, optional
        Channels of the device, where they are known.
    pcpus : int
        Physical CPUs of the scenarios' host.

    Raises
    ------
    ImportFileError
        If a file cannot be understood, or the files differ in device or block size.
    """
    if channels is not None and not 1 <= channels <= MOST_CHANNELS:
        raise ParameterError("import_fio", "channels", f"from 1 to {MOST_CHANNELS}", channels)
    if not paths:
        raise ParameterError("import_fio", "paths", "at least one file", list(paths))
    by_path = [(path, job) for path in paths for job in read(path)]
    for path, job in by_path[1:]:
        _must_match(by_path[0][1], path, job)
    jobs = [job for _, job in by_path]
    device = fit(jobs, channels)
    files = tuple(dict.fromkeys(job.file for job in jobs))
    disk, tables = _disk(jobs[0]), _device(device, files)
    scenarios = {}
    for name, job in zip(_names(jobs), jobs, strict=True):
        host = {"pcpus": pcpus}
        vm = _vm(job, disk, pcpus)
        data = {"title": _title(job), "platform": platform, "host": host, "vm": [vm]}
        scenarios[name] = Scenario.from_dict(data | {"device": {disk: tables}}, name=name)
    flags = (*(flag for job in jobs for flag in job.flags), *_flags(jobs, device))
    return FioImport(
        scenarios=scenarios, fit=device, files=files, flags=flags, assumed=device.assumed
    )


def write(imported: FioImport, out: str | Path) -> list[Path]:
    """Write the first scenario to `out`, and each further one beside it with its name appended.

    Returns
    -------
    list of Path
        The files written, in the order of the scenarios.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    out = Path(out)
    written: list[Path] = []
    for name, scenario in imported.scenarios.items():
        path = out if not written else out.with_name(f"{out.stem}-{name}{out.suffix}")
        head = f"# Written by `virtperf import fio` from {', '.join(imported.files)}.\n\n"
        try:
            path.write_text(head + scenario.to_toml(), encoding="utf-8")
        except OSError as error:
            raise OutputError(path, f"cannot be written: {error.strerror}") from error
        written.append(path)
    return written


def _must_match(first: FioJob, path: str | Path, job: FioJob) -> None:
    """Refuse a job of another block size or, as far as the files tell, of another device."""
    if job.size != first.size:
        problem = f"has blocks of {job.size} bytes, {first.file} of {first.size}; import them apart"
        raise ImportFileError(path, problem)
    same_file = job.filename and job.filename == first.filename
    if not same_file and not (set(job.disks) & set(first.disks)):
        here, there = (
            j.filename or ", ".join(j.disks) or "an unnamed device" for j in (job, first)
        )
        problem = f"is of another device ({here}) than {first.file} ({there}); import them apart"
        raise ImportFileError(path, problem)


def _names(jobs: Sequence[FioJob]) -> list[str]:
    """Return a unique name for each job that can stand in a file name."""
    names: list[str] = []
    for job in jobs:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", job.name).strip("-") or "job"
        name, count = stem, 2
        while name in names:
            name, count = f"{stem}-{count}", count + 1
        names.append(name)
    return names


def _disk(job: FioJob) -> str:
    known = job.disks[0] if job.disks else Path(job.filename).stem
    return re.sub(r"[^A-Za-z0-9_-]+", "-", known).strip("-") or "disk"


def _title(job: FioJob) -> str:
    depth = f"{job.jobs} x depth {job.depth}" if job.jobs > 1 else f"depth {job.depth}"
    return f"{' and '.join(job.sides)} of {job.size // 1024} KiB at {depth}, measured by fio"


def _vm(job: FioJob, disk: str, pcpus: int) -> dict[str, Any]:
    load: dict[str, Any] = {
        "kind": "closed",
        "outstanding": job.depth,
        "jobs": job.jobs,
        "size": job.size,
        "mix": {name: round(share, 6) for name, share in job.shares.items()},
        "cpu_user": _measured(job.user_ns, f"fio usr_cpu of {job.file}"),
        "cpu_kernel": _measured(job.kernel_ns, f"fio sys_cpu of {job.file}"),
    }
    return {
        "name": "fio",
        "vcpus": min(job.jobs, pcpus),
        "cpu": {"technique": "direct"},
        "disk": {"technique": "native", "device": disk},
        "load": load,
    }


def _measured(value_ns: float, source: str) -> dict[str, Any]:
    return {
        "value": round(value_ns, 3),
        "unit": "ns",
        "source": source,
        "evidence": "measured",
        "checked": "read",
    }


def _device(device: Fit, files: Sequence[str]) -> dict[str, Any]:
    channels: dict[str, Any] = {"value": device.channels, "unit": "1", "checked": "own"}
    if device.low < device.high:
        channels |= {"low": device.low, "high": device.high}
    if device.identified:
        source = f"fitted to {', '.join(files)}; largest error in IOPS {device.worst:.1%}"
        channels |= {"evidence": "derived", "source": source}
    else:
        channels |= {"evidence": "assumed", "source": device.assumed[-1]}
    tables = {name: _distribution(shape) for name, shape in device.service.items()}
    same = tables["read"] == tables["write"]
    scale = {
        "low": round(device.low_scale / device.scale, 6),
        "high": round(device.high_scale / device.scale, 6),
    }
    return {
        "origin": f"fitted by virtperf import fio to {', '.join(files)}",
        "assumed": list(device.assumed),
        "channels": channels,
        "service": tables["read"] if same else tables,
    } | ({"service_scale": scale} if device.low < device.high else {})


def _distribution(shape: Empirical) -> dict[str, Any]:
    """Return the distribution with times to the picosecond: engines know no shorter one."""
    return {
        "kind": "empirical",
        "values": [round(value, 3) for value in shape.values],
        "weights": [round(weight, 6) for weight in shape.weights],
    }


def _flags(jobs: Sequence[FioJob], device: Fit) -> Iterator[str]:
    for job in jobs:
        held = job.iops * job.mean_ns / 1e9
        if abs(held / job.in_flight - 1) > WITHIN:
            yield (
                f"{job.file}: IOPS x mean latency is {held:.2f}, but {job.in_flight} were in "
                "flight: the load did not keep its depth, or part of its time is not measured"
            )
    for residual in device.residuals:
        if abs(residual.error) > WITHIN:
            yield (
                f"{residual.file}: the fitted device misses its IOPS by {residual.error:+.1%} "
                f"({residual.predicted:,.0f} for {residual.measured:,.0f})"
            )
