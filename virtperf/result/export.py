"""Results as other tools read them: canonical CSV, JSON, and the samples of PerfKit Benchmarker."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result

_KEYS = ["point", "replication", "metric"]


def canonical_csv(result: Result) -> str:
    """Return every observation in one order, with every digit: equal results, equal bytes.

    Nothing in it tells when, where or how quickly the runs were made.
    """
    rows = result.data.astype({"point": "str", "metric": "str"})
    rows = rows.sort_values(_KEYS, kind="stable")
    return str(rows.to_csv(index=False, lineterminator="\n"))


def csv(result: Result) -> str:
    """Return the summary with the levels of each point: one row per point and metric."""
    return str(_summary(result).to_csv(index=False, lineterminator="\n"))


def json_lines(result: Result) -> str:
    """Return the summary with the levels of each point, one JSON object a line; NaN is null."""
    return "".join(json.dumps(row) + "\n" for row in _records(_summary(result)))


def perfkit_samples(result: Result, timestamp: float) -> str:
    """Return the means as samples of PerfKit Benchmarker, one JSON object a line.

    A sample has ``metric``, ``value``, ``unit``, ``metadata`` and ``timestamp``. What has no value
    is left out, as a sample must have one.

    Parameters
    ----------
    result : Result
    timestamp : float
        Seconds since 1970 of every sample: a result does not know when it was made.
    """
    about = {
        f"virtperf_{name}": result.provenance[name]
        for name in ("version", "model", "experiment", "engine", "seed")
        if name in result.provenance
    }
    lines = []
    for row in _records(_summary(result)):
        metric, value, unit = (row.pop(name) for name in ("metric", "mean", "unit"))
        if value is None:
            continue
        sample = {"metric": metric, "value": value, "unit": unit, "metadata": row | about}
        lines.append(json.dumps(sample | {"timestamp": timestamp}) + "\n")
    return "".join(lines)


def save(text: str, path: str | Path) -> Path:
    """Write what one of these functions returned.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
    return path


def _summary(result: Result) -> pd.DataFrame:
    factors = [name for name in result.provenance.get("factors", []) if name in result.points]
    levels = result.points[["point", *factors]]
    return result.summary().merge(levels, on="point", how="left")


def _records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in table.to_dict("records"):
        yield {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no NaN, and plain Python types."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
