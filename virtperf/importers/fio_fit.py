"""Fits one device - channels and service times - to fio loads of different depth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, log, sqrt

from virtperf.dist import Empirical
from virtperf.importers.fio_file import DIRECTIONS, FioJob
from virtperf.theory.formulas import machine_repair

MOST_CHANNELS = 256
WITHIN = 0.05  # a fit this close explains a file; a file this far from Little's law is flagged
_FLOOR = 0.05  # share of a latency that is left to the device, however much software it held
_SCALES = (0.9, 1.1)
_ANY_SCALE = (1e-3, 2.0)
Point = tuple[int, float]  # channels and scale
_TAIL = 10  # largest latencies that thinning leaves alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One file, measured and predicted by the fitted device; IOPS in 1/s."""

    file: str
    in_flight: int
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A device that explains a set of fio loads.

    Attributes
    ----------
    channels : int
        Requests served at a time.
    low, high : int
        Range of channels that explains the files about as well.
    scale, low_scale, high_scale : float
        Common factor on the service times, at `channels`, `low` and `high`.
    service : mapping
        Direction to service times, scaled by `scale`.
    residuals : tuple of Residual
    identified : bool
        Whether the files can tell channels from service time.
    assumed : tuple of str
        What the fit had to assume, in sentences.
    """

    channels: int
    low: int
    high: int
    scale: float
    low_scale: float
    high_scale: float
    service: Mapping[str, Empirical]
    residuals: tuple[Residual, ...]
    identified: bool
    assumed: tuple[str, ...]

    @property
    def worst(self) -> float:
        """Largest relative error, without its sign."""
        return max(abs(residual.error) for residual in self.residuals)


def fit(jobs: Sequence[FioJob], channels: int | None = None) -> Fit:
    """Fit channels and service times to every job at once.

    The shape of the service times comes from the shallowest job of each direction, where the
    device hardly queues; channels and a common scale follow from the IOPS of all jobs, by the
    closed M/M/c queue with the CPU time of a request as its think time.

    Parameters
    ----------
    jobs : sequence of FioJob
        Loads of one device and block size.
    channels : int, optional
        Known channels; only the scale is fitted then.
    """
    service, assumed = _shapes(jobs)
    identified = channels is None and len({job.in_flight for job in jobs}) > 1
    best, low, high = _search(jobs, service) if identified else _assume(jobs, service, channels)
    assumed.append(f"service times are {best[1]:.3f} times the measured ones, to meet all files")
    if not identified:
        assumed.append(_unidentified(jobs, best[0], low[0], high[0], given=channels is not None))
    return Fit(
        channels=best[0],
        low=low[0],
        high=high[0],
        scale=best[1],
        low_scale=low[1],
        high_scale=high[1],
        service={name: thinned(shape.scaled(best[1])) for name, shape in service.items()},
        residuals=tuple(_residual(job, service, best) for job in jobs),
        identified=identified,
        assumed=tuple(assumed),
    )


def software_ns(job: FioJob) -> float:
    """Return the CPU time of a request that its latency contains.

    Part of it passes between two requests, outside what fio measures: the cycle less the latency.
    """
    return max(0.0, job.cpu_ns - max(0.0, job.cycle_ns - job.mean_ns))


def thinned(shape: Empirical, most: int = 200) -> Empirical:
    """Return a distribution of the same mean with at most `most` points; the tail stays.

    Neighbours merge at their weighted mean, those first that lie closest on a log scale and weigh
    least.
    """
    points = list(zip(shape.values, shape.weights, strict=True))
    while len(points) > most:
        mergeable = range(len(points) - 1 - _TAIL)
        at = min(mergeable, key=lambda i: _loss(points[i], points[i + 1]))
        (v, w), (x, y) = points[at : at + 2]
        points[at : at + 2] = [((v * w + x * y) / (w + y), w + y)]
    return Empirical(tuple(v for v, _ in points), tuple(w for _, w in points))


def _loss(left: tuple[float, float], right: tuple[float, float]) -> float:
    gap = log(right[0] / left[0]) if left[0] > 0 else log(2)
    return gap**2 * sqrt(left[1] * right[1] / (left[1] + right[1]))


def _shapes(jobs: Sequence[FioJob]) -> tuple[dict[str, Empirical], list[str]]:
    """Return the service times of each direction before scaling, and what was assumed."""
    shapes: dict[str, Empirical] = {}
    assumed: list[str] = []
    for name in DIRECTIONS:
        holding = [job for job in jobs if name in job.sides]
        if not holding:
            continue
        job = min(holding, key=lambda job: job.in_flight)
        side, software = job.sides[name], software_ns(job)
        values = [max(v - software, _FLOOR * v) for v in side.latencies.values]
        floored = _share_below(side.latencies, software / (1 - _FLOOR))
        shapes[name] = Empirical(tuple(values), side.latencies.weights)
        assumed.append(
            f"service times of {name}s are the latencies of {job.file} less "
            f"{software / 1e3:.1f} us of software; {floored:.1%} of the samples were floored at "
            f"{_FLOOR:.0%} of the latency"
        )
        if not side.from_bins:
            assumed.append(f"{job.file} has no latency bins: its percentiles stand for them")
    for name, other in (DIRECTIONS, DIRECTIONS[::-1]):
        if name not in shapes:
            shapes[name] = shapes[other]
            assumed.append(f"no file holds {name}s: they take the service times of {other}s")
    return shapes, assumed


def _share_below(shape: Empirical, bound: float) -> float:
    pairs = zip(shape.values, shape.weights, strict=True)
    return fsum(weight for value, weight in pairs if value < bound) / fsum(shape.weights)


def _search(jobs: Sequence[FioJob], service: Mapping[str, Empirical]) -> tuple[Point, Point, Point]:
    """Return the best channels and scale, and the ends of the range that fits as well."""
    deepest = min(MOST_CHANNELS, max(job.in_flight for job in jobs))
    errors: dict[Point, float] = {}
    for channels in range(1, deepest + 1):  # more channels than requests change nothing
        scale = _scale(jobs, service, channels, _SCALES)
        errors[channels, scale] = _worst(jobs, service, channels, scale)
    best = min(errors, key=lambda point: (round(errors[point], 9), point))
    enough = [point for point, error in errors.items() if error <= max(WITHIN, errors[best])]
    return best, min(enough), max(enough)


def _assume(
    jobs: Sequence[FioJob], service: Mapping[str, Empirical], channels: int | None
) -> tuple[Point, Point, Point]:
    """Return assumed channels with the scale that meets the files, and both ends of the range."""
    value = channels or jobs[0].in_flight
    ends = (value, value) if channels else (1, MOST_CHANNELS)
    best, low, high = ((c, _scale(jobs, service, c, _ANY_SCALE)) for c in (value, *ends))
    return best, low, high


def _unidentified(jobs: Sequence[FioJob], value: int, low: int, high: int, *, given: bool) -> str:
    if given:
        return f"channels = {value} were given to the import, not measured"
    return (
        f"one depth ({jobs[0].in_flight} in flight) cannot tell channels from service time: any "
        f"number of channels satisfies Little's law; channels = {value} assumes that no request "
        f"queued at the device, the range is {low} to {high}"
    )


def _residual(job: FioJob, service: Mapping[str, Empirical], point: Point) -> Residual:
    return Residual(
        file=job.file,
        in_flight=job.in_flight,
        measured=job.iops,
        predicted=_predicted(job, service, *point),
    )


def _scale(
    jobs: Sequence[FioJob],
    service: Mapping[str, Empirical],
    channels: int,
    bounds: tuple[float, float],
) -> float:
    """Return the scale with the smallest worst error: ternary search, for it has one minimum."""

    def worst(log_scale: float) -> float:
        return _worst(jobs, service, channels, exp(log_scale))

    low, high = map(log, bounds)
    for _ in range(40):
        third = (high - low) / 3
        if worst(low + third) < worst(high - third):
            high -= third
        else:
            low += third
    return exp((low + high) / 2)


def _worst(
    jobs: Sequence[FioJob], service: Mapping[str, Empirical], channels: int, scale: float
) -> float:
    return max(abs(_predicted(job, service, channels, scale) / job.iops - 1) for job in jobs)


def _predicted(job: FioJob, service: Mapping[str, Empirical], channels: int, scale: float) -> float:
    """Return the IOPS of a job on the device, in 1/s."""
    mean_ns = scale * sum(share * service[name].mean for name, share in job.shares.items())
    return machine_repair(job.in_flight, job.cpu_ns, mean_ns, channels) * 1e9
