"""What an experiment found: tidy tables with units, intervals, flags and provenance."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import OutputError, ParameterError, UnknownNameError
from virtperf.stats import interval, paired

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("experiment", "point", "replication", "metric", "value", "unit")
MEMORY = ("point", "vm", "quantity", "value", "unit")
SUMMARY = ("point", "metric", "unit", "mean", "ci_low", "ci_high", "n")
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
            Columns ``point metric unit mean ci_low ci_high n band_low band_high``.
        """
        import pandas as pd

        shifts: dict[Any, list[float]] = {}
        for move in self.band.to_dict("records"):
            shifts.setdefault((move["point"], move["metric"]), []).append(move["shift"])
        rows = []
        for (point, metric), group in self.data.groupby(["point", "metric"], sort=False):
            values = group["value"].dropna()
            mean, low, high = _interval(list(values), confidence)
            ends = (math.nan, math.nan)
            if moves := shifts.get((point, metric)):
                ends = (mean + min(0.0, *moves), mean + max(0.0, *moves))
            unit = group["unit"].iloc[0]
            row = (point, metric, unit, mean, low, high, len(values))
            rows.append((*row, *ends))
        table = pd.DataFrame(rows, columns=[*SUMMARY, "band_low", "band_high"])
        order = {point: rank for rank, point in enumerate(self.labels)}
        return table.sort_values(
            "point", key=lambda s: s.map(order), kind="stable", ignore_index=True
        )

    def value(self, point: str, metric: str, confidence: float = 0.95) -> tuple[float, float]:
        """Return mean and half-width of one metric at one point; NaN where there is none."""
        rows = self.data[(self.data["point"] == point) & (self.data["metric"] == metric)]
        if rows.empty:
            if point not in self.labels:
                raise UnknownNameError("point", point, self.labels)
            raise UnknownNameError("metric", metric, self.data["metric"].unique())
        values = list(rows["value"].dropna())
        return interval(values, confidence) if values else (math.nan, math.nan)

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
        for point, base in self._pairs(baseline):
            a, b = self._replications(base, metric), self._replications(point, metric)
            both = sorted(set(a.dropna().index) & set(b.dropna().index))
            mean = half = math.nan
            if both:
                mean, half = paired([a[r] for r in both], [b[r] for r in both], confidence)
            rows.append(
                (point, base, metric, _unit(metric), mean, mean - half, mean + half, len(both))
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
        for point, base in self._pairs(baseline):
            ratio = self._replications(point, metric) / self._replications(base, metric)
            values = list(ratio.dropna())
            rows.append((point, metric, "1", *_interval(values, confidence), len(values)))
        return pd.DataFrame(rows, columns=list(SUMMARY))

    def _replications(self, point: str, metric: str) -> pd.Series[float]:
        rows = self.data[(self.data["point"] == point) & (self.data["metric"] == metric)]
        return rows.set_index("replication")["value"]

    def _pairs(self, baseline: str | Mapping[str, Any]) -> Iterator[tuple[str, str]]:
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


def _interval(values: list[float], confidence: float) -> tuple[float, float, float]:
    if not values:
        return math.nan, math.nan, math.nan
    mean, half = interval(values, confidence)
    return mean, mean - half, mean + half


def _unit(metric: str) -> str:
    return UNITS.get(metric.partition(".")[0], "1")


UNITS = {"latency": "ns", "throughput": "1/s", "cpu_per_request": "ns", "wake_to_run": "ns"}
UNITS |= dict.fromkeys(("switches", "preemptions", "migrations"), "1/s")
"""Unit of a metric by its first word; every other is a plain number."""
