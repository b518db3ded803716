"""Reads fio's json and json+ into plain records. Knows no scenario and fits nothing."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtperf.dist import Empirical
from virtperf.errors import ImportFileError

DIRECTIONS = ("read", "write")
_SYNCHRONOUS = {"psync", "sync", "vsync", "pvsync", "pvsync2", "mmap"}
_SIZE = re.compile(r"(\d+)([kmg]?)i?b?", re.IGNORECASE)
_PREFIX = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_UNLIKE = {  # options that make a load other than a closed one at full speed
    "thinktime": "pauses between requests",
    "rate": "limits its rate",
    "rate_iops": "limits its rate",
    "bssplit": "mixes block sizes",
    "bsrange": "mixes block sizes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What fio saw of one direction.

    Attributes
    ----------
    iops : float
        Completed requests per second.
    ios : int
        Completed requests.
    mean_ns : float
        Mean latency from submission to completion.
    latencies : Empirical
        The distribution, shifted to `mean_ns` where fio's bins leave the submission out.
    from_bins : bool
        False where the file has percentiles only, and these stand for the distribution.
    """

    iops: float
    ios: int
    mean_ns: float
    latencies: Empirical
    from_bins: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FioJob:
    """One load of a fio file: equal jobs that ran together.

    Attributes
    ----------
    file, name : str
        File name without folder, and fio's job name.
    jobs, depth : int
        Equal jobs, and requests each keeps in flight.
    size : int
        Block size in bytes.
    engine, filename : str
        fio's I/O engine, and what it read or wrote ("" if the file does not say).
    disks : tuple of str
        Block devices that fio saw at work.
    user_ns, kernel_ns : float
        CPU time of a request.
    sides : mapping
        ``"read"`` and ``"write"``, as far as there were any.
    flags : tuple of str
        What makes this file a doubtful measurement.
    """

    file: str
    name: str
    jobs: int
    depth: int
    size: int
    engine: str
    filename: str
    disks: tuple[str, ...]
    user_ns: float
    kernel_ns: float
    sides: Mapping[str, Side]
    flags: tuple[str, ...] = ()

    @property
    def in_flight(self) -> int:
        """Requests in flight, all jobs together."""
        return self.jobs * self.depth

    @property
    def iops(self) -> float:
        """Completed requests per second, both directions."""
        return sum(side.iops for side in self.sides.values())

    @property
    def shares(self) -> dict[str, float]:
        """Share of each direction among the requests."""
        return {name: side.iops / self.iops for name, side in self.sides.items()}

    @property
    def mean_ns(self) -> float:
        """Mean latency over both directions."""
        return sum(share * self.sides[name].mean_ns for name, share in self.shares.items())

    @property
    def cpu_ns(self) -> float:
        """CPU time of a request."""
        return self.user_ns + self.kernel_ns

    @property
    def cycle_ns(self) -> float:
        """Time from one request of a slot to its next, by Little's law."""
        return self.in_flight / self.iops * 1e9


def read(path: str | Path) -> list[FioJob]:
    """Read a fio file; jobs that ran one after another (``stonewall``) come apart.

    Parameters
    ----------
    path : str or Path
        Output of ``fio --output-format=json+`` (or ``json``); text before the JSON is skipped.

    Raises
    ------
    ImportFileError
        If the file is missing, empty, cut short, not fio's, or holds no completed I/O.
    """
    data = _load(Path(path))
    entries = data.get("jobs")
    if not isinstance(entries, list) or not entries or "fio version" not in data:
        raise ImportFileError(path, "is JSON, but not fio's: it has no fio version or no jobs")
    common = data.get("global options", {})
    disks = tuple(str(disk.get("name")) for disk in data.get("disk_util", []))
    groups: list[list[dict[str, Any]]] = []
    for entry in entries:
        entry["options"] = {**common, **entry.get("job options", {})}
        together = groups and (
            entry.get("jobname") == groups[-1][-1].get("jobname")
            or "stonewall" not in entry["options"]
        )
        if together:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    try:
        return [_job(Path(path), group, disks) for group in groups]
    except ImportFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ImportFileError(path, f"lacks what fio always writes: {error!r}") from error


def measured(path: str | Path) -> dict[str, float | None]:
    """Return what a fio file says of a run: ``iops mean p50 p95 p99``, latencies in ns.

    Parameters
    ----------
    path : str or Path
        Output of fio, for example taken inside a VM; it must hold one load.
    """
    jobs = read(path)
    if len(jobs) > 1:
        raise ImportFileError(path, f"holds {len(jobs)} loads; give one file per load")
    sides = jobs[0].sides.values()
    weights: defaultdict[float, float] = defaultdict(float)
    for side in sides:
        share = side.ios / sum(side.latencies.weights)
        for value, weight in zip(side.latencies.values, side.latencies.weights, strict=True):
            weights[value] += weight * share
    values = sorted(weights)
    merged = Empirical(tuple(values), tuple(weights[value] for value in values))
    quantiles = {f"p{q}": merged.quantile(q / 100) for q in (50, 95, 99)}
    return {"iops": jobs[0].iops, "mean": jobs[0].mean_ns, **quantiles}


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ImportFileError(path, f"cannot be read: {error.strerror}") from None
    if not text.strip():
        raise ImportFileError(path, "is empty; did fio run to its end?")
    start = text.find("{")
    if start < 0:
        raise ImportFileError(path, "holds no JSON; run fio with --output-format=json+")
    try:
        data, _ = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        problem = f"is not complete JSON (line {error.lineno}: {error.msg}); was it cut short?"
        raise ImportFileError(path, problem) from None
    return dict(data)


def _job(path: Path, entries: Sequence[dict[str, Any]], disks: tuple[str, ...]) -> FioJob:
    options = entries[0]["options"]
    shapes = {_shape(path, entry["options"]) for entry in entries}
    if len(shapes) > 1:
        raise ImportFileError(path, "holds different jobs that ran together; give one load a file")
    size, engine, depth = shapes.pop()
    sides = {name: side for name in DIRECTIONS if (side := _side(path, entries, name))}
    if not sides:
        raise ImportFileError(path, "holds no completed read or write")
    ios = sum(side.ios for side in sides.values())
    cpu = {
        key: sum(entry[key] / 100 * entry["job_runtime"] for entry in entries) * 1e6 / ios
        for key in ("usr_cpu", "sys_cpu")
    }
    return FioJob(
        file=path.name,
        name=str(entries[0].get("jobname", path.stem)),
        # group_reporting sums numjobs jobs up in one entry
        jobs=len(entries) if len(entries) > 1 else int(options.get("numjobs", 1)),
        depth=depth,
        size=size or _size_seen(entries, ios),
        engine=engine,
        filename=str(options.get("filename", "")),
        disks=disks,
        user_ns=cpu["usr_cpu"],
        kernel_ns=cpu["sys_cpu"],
        sides=sides,
        flags=tuple(_flags(path.name, entries)),
    )


def _shape(path: Path, options: Mapping[str, Any]) -> tuple[int, str, int]:
    """Return block size (0 if not given), engine and depth of a job."""
    text = str(options.get("bs", options.get("blocksize", "")))
    sizes = {_bytes(path, part) for part in text.split(",") if part}
    if len(sizes) > 1:
        raise ImportFileError(path, f"mixes block sizes ({text}); give one file per size")
    engine = str(options.get("ioengine", "psync"))
    depth = 1 if engine in _SYNCHRONOUS else int(options.get("iodepth", 1))
    return (sizes.pop() if sizes else 0), engine, depth


def _bytes(path: Path, text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ImportFileError(path, f"has a block size that cannot be read: {text!r}")
    return int(match[1]) * _PREFIX[match[2].lower()]


def _size_seen(entries: Iterable[Mapping[str, Any]], ios: int) -> int:
    moved = sum(entry[name]["io_bytes"] for entry in entries for name in DIRECTIONS)
    return int(max(1, round(moved / ios / 512)) * 512)


def _side(path: Path, entries: Sequence[dict[str, Any]], name: str) -> Side | None:
    sides = [entry[name] for entry in entries if entry.get(name, {}).get("total_ios")]
    if not sides:
        return None
    ios = sum(side["total_ios"] for side in sides)
    mean = sum(_mean(side) * side["total_ios"] for side in sides) / ios
    bins = Counter[float]()
    for side in sides:
        bins.update({float(k): n for k, n in side["clat_ns"].get("bins", {}).items()})
    points: Mapping[float, float] = bins or _percentile_points(path, sides)
    values = sorted(value for value, weight in points.items() if weight > 0)
    latencies = Empirical(tuple(values), tuple(float(points[value]) for value in values))
    completion = sum(side["clat_ns"]["mean"] * side["total_ios"] for side in sides) / ios
    submission = max(0.0, mean - completion)
    return Side(
        iops=sum(side["iops"] for side in sides),
        ios=ios,
        mean_ns=mean,
        latencies=latencies.shifted(-submission),
        from_bins=bool(bins),
    )


def _mean(side: Mapping[str, Any]) -> float:
    total = side.get("lat_ns", {}).get("mean", 0.0)
    return float(total or side["clat_ns"]["mean"] + side.get("slat_ns", {}).get("mean", 0.0))


def _percentile_points(path: Path, sides: Sequence[Mapping[str, Any]]) -> dict[float, float]:
    """Let each percentile stand for the share since the one before; the maximum, for the rest."""
    if len(sides) > 1 or not sides[0]["clat_ns"].get("percentile"):
        raise ImportFileError(path, "has no latency bins; run fio with --output-format=json+")
    completion = sides[0]["clat_ns"]
    marks = sorted((float(q), float(ns)) for q, ns in completion["percentile"].items())
    marks.append((100.0, max(float(completion["max"]), marks[-1][1])))
    points: defaultdict[float, float] = defaultdict(float)
    before = 0.0
    for q, ns in marks:
        points[ns] += q - before
        before = q
    return dict(points)


def _flags(file: str, entries: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    options = entries[0]["options"]
    for option, says in _UNLIKE.items():
        if str(options.get(option, "0")) != "0":
            yield f"{file}: the job {says} ({option}={options[option]}); the model's does not"
    if str(options.get("direct", "0")) == "0" and "buffered" not in options:
        yield f"{file}: without direct=1 the page cache may have answered for the device"
    if any(entry.get("trim", {}).get("total_ios") for entry in entries):
        yield f"{file}: trims are left out"
    if any(entry.get("error") for entry in entries):
        yield f"{file}: fio reports errors"
