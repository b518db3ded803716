"""What an experiment found: tidy tables with units, intervals, flags and provenance."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import OutputError, ParameterError, UnknownNameError
from virtperf.result.summary import SUMMARY, summary
from virtperf.stats import interval, paired

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ALL",
    "BAND",
    "COLUMNS",
    "MEMORY",
    "NOISE",
    "SUMMARY",
    "TOO_FEW_SAMPLES",
    "UNITS",
    "Result",
]

COLUMNS = ("experiment", "point", "replication", "metric", "value", "unit")
MEMORY = ("point", "vm", "quantity", "value", "unit")
TOO_FEW_SAMPLES = "too_few_samples"  # the flag of points whose runs are too short
TOO_FEW_TAILS = "too_few_in_tail"  # of points whose runs meet too few long latencies
ALL = "all"  # the group of all requests, where there are several
NOISE = "simulation noise ({:.0%} Student-t over replications)"
BAND = "parameter band (all platform numbers at the low, all at the high end of their range; "
BAND += "each device's channels at the ends of theirs)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Observations of one experiment.

    Attributes
    ----------
    data : pandas.DataFrame
        One observation per row: ``experiment point replication metric value unit``. A value that
        cannot be given is null, and `nulls` says why.
    points : pandas.DataFrame
        One row per point: ``point``, a column per factor, and how it was run.
    requests : pandas.DataFrame
        Where latency goes: ``point group account ns half_width``, per request. Where there are
        several groups, the group "all" is the mean over all requests.
    cpu : pandas.DataFrame
        Where pCPU time goes: ``point account ns share``, per request, idle time included.
    cdf : pandas.DataFrame
        ``point group latency_ns share``, all replications together.
    band : pandas.DataFrame
        ``point corner metric shift``: how far a metric moves when numbers stand at the ends of
        their ranges, replication 0 against replication 0.
    bounds : pandas.DataFrame
        What theory says, one row per point.
    flags : pandas.DataFrame
        ``point flag says``: what a reader must know before using a number.
    nulls : pandas.DataFrame
        ``point metric reason``.
    memory : pandas.DataFrame
        What the memory of VMs that work does: ``point vm quantity value unit``. Hits and walks are
        shares of the visits of pages, faults and moved pages are per request.
    sources : pandas.DataFrame
        Every number used: ``name value unit low high evidence checked source``.
    notes : tuple of str
        How the experiment was carried out.
    provenance : mapping
        Version, seed, lengths, engine.
    """

    data: pd.DataFrame
    points: pd.DataFrame
    requests: pd.DataFrame
    cpu: pd.DataFrame
    cdf: pd.DataFrame
    band: pd.DataFrame
    bounds: pd.DataFrame
    flags: pd.DataFrame
    nulls: pd.DataFrame
    memory: pd.DataFrame
    sources: pd.DataFrame
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if tuple(self.data.columns) != COLUMNS:
            raise ParameterError("Result", "data", f"columns {COLUMNS}", tuple(self.data.columns))
        if self.data.duplicated(["point", "replication", "metric"]).any():
            raise ParameterError("Result", "data", "without repeats", "an observation twice")

    @property
    def partial(self) -> bool:
        """Whether something that was asked for is missing."""
        return bool((self.flags["flag"] == "partial").any())

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped by hand."""
        return bool(self.provenance.get("interrupted"))

    @property
    def without_intervals(self) -> set[str]:
        """Points whose runs are too short for an interval to be believed."""
        return set(self.flags.loc[self.flags["flag"] == TOO_FEW_SAMPLES, "point"])

    @property
    def labels(self) -> list[str]:
        """The points, in the order of the design."""
        return list(self.points["point"])

    def summary(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return mean and interval over replications, and the parameter band.

        Parameters
        ----------
        confidence : float
            Coverage of the Student-t interval, in (0, 1). The interval is simulation noise only;
            the band beside it is what the ranges of the numbers allow.

        Returns
        -------
        pandas.DataFrame
            Columns ``point metric unit mean ci_low ci_high n band_low band_high``. Points that
            are flagged ``too_few_samples`` have no interval, nor have quantiles that are
            ``too_few_in_tail``.
        """
        return summary(self, confidence)

    def value(self, point: str, metric: str, confidence: float = 0.95) -> tuple[float, float]:
        """Return mean and half-width of one metric at one point; NaN where there is none.

        See `summary`.
        """
        rows = self.data[(self.data["point"] == point) & (self.data["metric"] == metric)]
        if rows.empty:
            if point not in self.labels:
                raise UnknownNameError("point", point, self.labels)
            raise UnknownNameError("metric", metric, self.data["metric"].unique())
        values = list(rows["value"].dropna())
        if not values:
            return math.nan, math.nan
        mean, half = interval(values, confidence)
        return mean, half if self._has_interval(point, metric) else math.nan

    def _has_interval(self, point: str, metric: str) -> bool:
        here = self.flags[self.flags["point"] == point]
        tails = here.loc[here["flag"] == TOO_FEW_TAILS, "says"]
        rough = {says.partition(": ")[0] for says in tails}
        return point not in self.without_intervals and metric not in rough

    def paired(
        self, metric: str, baseline: str | Mapping[str, Any], confidence: float = 0.95
    ) -> pd.DataFrame:
        """Compare every point with a baseline, replication by replication.

        Points of one replication met the same draws, so their differences vary far less than
        the points themselves.

        Parameters
        ----------
        metric : str
            Metric to compare.
        baseline : str or mapping
            A point; or levels such as ``{"vm.disk": "native"}``: then each point is compared with
            the one that differs from it in these factors only.
        confidence : float
            Coverage of the interval of a difference.

        Returns
        -------
        pandas.DataFrame
            Columns ``point baseline metric unit difference ci_low ci_high n``.
        """
        import pandas as pd

        rows = []
        for point, base in self.pairs(baseline):
            a, b = self.replications(base, metric), self.replications(point, metric)
            both = sorted(set(a.index) & set(b.index))
            mean = half = math.nan
            if both:
                mean, half = paired([a[r] for r in both], [b[r] for r in both], confidence)
            rows.append(
                (point, base, metric, unit_of(metric), mean, mean - half, mean + half, len(both))
            )
        columns = ["point", "baseline", "metric", "unit", "difference", "ci_low", "ci_high", "n"]
        return pd.DataFrame(rows, columns=columns)

    def relative(
        self, metric: str, baseline: Mapping[str, Any], confidence: float = 0.95
    ) -> pd.DataFrame:
        """Return a metric over that of a baseline, replication by replication.

        Parameters
        ----------
        metric : str
            Metric to compare.
        baseline : mapping
            Levels such as ``{"vm.disk": "native"}``: each point is compared with the one that
            differs from it in these factors only.
        confidence : float
            Coverage of the interval of a ratio.

        Returns
        -------
        pandas.DataFrame
            Columns ``point metric unit mean ci_low ci_high n``, of ratios; the baselines are out.
        """
        import pandas as pd

        rows = []
        for point, base in self.pairs(baseline):
            ratio = self.replications(point, metric) / self.replications(base, metric)
            values = list(ratio.dropna())
            mean, half = interval(values, confidence) if values else (math.nan, math.nan)
            rows.append((point, metric, "1", mean, mean - half, mean + half, len(values)))
        return pd.DataFrame(rows, columns=list(SUMMARY))

    def against(
        self, baseline: str | Mapping[str, Any], metric: str, confidence: float = 0.95
    ) -> pd.DataFrame:
        """Compare every point with a baseline, honestly for the whole set.

        Parameters
        ----------
        baseline, metric
            As in `paired`, the other way round.
        confidence : float
            Coverage of the interval of a difference by itself, and that no point is called
            different which is not.

        Returns
        -------
        pandas.DataFrame
            Columns ``point baseline metric unit n mean difference ci_low ci_high relative p_value
            p_adjusted significant saved``: p-values are of the paired t-test, alone and adjusted
            for all comparisons by Holm's method, ``significant`` judges by the latter, and
            ``saved`` is how many times as many replications independent draws would take.
        """
        from virtperf.result.against import against

        return against(self, baseline, metric, confidence)

    def replications(self, point: str, metric: str) -> pd.Series[float]:
        """Return the values of a metric at a point by replication, those that there are."""
        rows = self.data[(self.data["point"] == point) & (self.data["metric"] == metric)]
        return rows.set_index("replication")["value"].dropna()

    def pairs(self, baseline: str | Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each point that has a baseline, and that baseline; see `paired`."""
        if isinstance(baseline, str):
            if baseline not in self.labels:
                raise UnknownNameError("point", baseline, self.labels)
            yield from ((point, baseline) for point in self.labels if point != baseline)
            return
        factors = list(self.provenance.get("factors", []))
        for name in baseline:
            if name not in factors:
                raise UnknownNameError("factor", name, factors)
        levels = self.points.set_index("point")[factors].astype(str)
        home = {
            tuple(row): str(point) for point, row in zip(levels.index, levels.values, strict=True)
        }
        for point, row in zip(levels.index, levels.values, strict=True):
            pairs = zip(factors, row, strict=True)
            base = home.get(tuple(str(baseline.get(name, level)) for name, level in pairs))
            if base is not None and base != point:
                yield str(point), base

    def pivot(
        self, metric: str, index: str | Sequence[str], columns: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return the means of one metric as a table of factors, levels in the design's order.

        Parameters
        ----------
        metric : str
        index, columns : str or sequence of str
            Factors down and across; together all that vary.
        """
        from virtperf.result.views import pivot

        return pivot(self, metric, index, columns)

    def to_xarray(self, metric: str) -> Any:
        """Return the means of one metric as an `xarray.DataArray`, one dimension per factor.

        Raises
        ------
        MissingLibraryError
            If xarray is not installed.
        """
        from virtperf.result.views import to_xarray

        return to_xarray(self, metric)

    def sql(self, query: str) -> pd.DataFrame:
        """Return what a query in SQL finds; every one of `tables` has its name.

        Raises
        ------
        MissingLibraryError
            If duckdb is not installed.
        ParameterError
            If the query is wrong.
        """
        from virtperf.result.views import sql

        return sql(self, query)

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read the stored result of an experiment: ``Result.load("<store>/<experiment>")``.

        Raises
        ------
        StoreError
            If nothing is stored there, or what is stored is damaged.
        """
        loaded: Result = import_module("virtperf.experiment.loading").load(folder)
        return loaded

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return every table by name."""
        names = "data points requests cpu cdf band bounds flags nulls memory sources"
        tables = {name: getattr(self, name) for name in names.split()}
        return {"summary": self.summary(), **tables}

    def to_csv(self, folder: str | Path) -> Path:
        """Write every table as ``<name>.csv``, and notes and provenance as ``about.json``."""
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, table in self.tables().items():
                table.to_csv(folder / f"{name}.csv", index=False)
            about = {"notes": self.notes, "provenance": dict(self.provenance)}
            (folder / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        except OSError as error:
            raise OutputError(folder, error.strerror or str(error)) from error
        return folder

    def to_json(self) -> str:
        """Return everything but the raw CDF as one JSON object; what is missing is ``null``."""
        tables = {
            name: json.loads(table.to_json(orient="records", double_precision=12))
            for name, table in self.tables().items()
            if name != "cdf"
        }
        about = {"interval": NOISE.format(0.95), "band_meaning": BAND}
        return json.dumps(
            {"provenance": dict(self.provenance), "notes": self.notes, **about, **tables}, indent=1
        )


def unit_of(metric: str) -> str:
    """Return the unit of a metric.

    Examples
    --------
    >>> unit_of("latency.p99"), unit_of("throughput"), unit_of("utilization.host")
    ('ns', '1/s', '1')
    """
    return UNITS.get(metric.partition(".")[0], "1")


UNITS = {"latency": "ns", "throughput": "1/s", "cpu_per_request": "ns", "wake_to_run": "ns"}
UNITS |= dict.fromkeys(("switches", "preemptions", "migrations"), "1/s")
"""Unit of a metric by its first word; every other is a plain number."""
