"""Results as arrays, and as tables that can be asked in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from virtperf.errors import MissingLibraryError, ParameterError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result


def pivot(
    result: Result, metric: str, index: str | Sequence[str], columns: str | Sequence[str] | None
) -> pd.DataFrame:
    """Return the table of `Result.pivot`."""
    rows, axes = _means(result, metric), [*_names(index), *_names(columns)]
    factors = _factors(result)
    for name in axes:
        if name not in factors:
            raise UnknownNameError("factor", name, factors)
    if repeated := [name for name in axes if axes.count(name) > 1]:
        raise ParameterError("pivot", "columns", "other factors than index", repeated[0])
    if rows.duplicated(axes).any():
        rest = ", ".join(name for name in factors if name not in axes)
        must = f"all factors that vary, or points would share a cell (left: {rest})"
        raise ParameterError("pivot", "index and columns", must, axes)
    rows = rows.assign(**{name: _ordered(rows[name]) for name in axes})
    means: Any = rows.set_index(axes)["mean"].sort_index()
    table: pd.DataFrame = means.unstack(_names(columns)) if columns else means.to_frame(metric)
    return table


def to_xarray(result: Result, metric: str) -> Any:
    """Return the array of `Result.to_xarray`."""
    try:
        import xarray
    except ImportError:
        raise MissingLibraryError("Result.to_xarray", "xarray") from None
    rows, factors = _means(result, metric), _factors(result)
    if rows.duplicated(factors).any():
        raise ParameterError("to_xarray", "metric", "one value for all levels", metric)
    rows = rows.assign(**{name: _ordered(rows[name]) for name in factors})
    array = xarray.DataArray.from_series(rows.set_index(factors)["mean"]).rename(metric)
    return array.assign_attrs(unit=str(rows["unit"].iloc[0]))


def sql(result: Result, query: str) -> pd.DataFrame:
    """Return the table of `Result.sql`."""
    try:
        import duckdb
    except ImportError:
        raise MissingLibraryError("Result.sql", "duckdb") from None
    with duckdb.connect(":memory:") as connection:
        for name, table in result.tables().items():
            connection.register(name, table)
        try:
            found: pd.DataFrame = connection.execute(query).df()
        except duckdb.Error as error:
            raise ParameterError("sql", "query", f"valid ({error})", query) from None
    return found


def _names(axes: str | Sequence[str] | None) -> list[str]:
    return [axes] if isinstance(axes, str) else list(axes or ())


def _factors(result: Result) -> list[str]:
    return list(result.provenance.get("factors", []))


def _means(result: Result, metric: str) -> pd.DataFrame:
    table = result.summary()
    rows = table[table["metric"] == metric]
    if rows.empty:
        raise UnknownNameError("metric", metric, map(str, table["metric"].unique()))
    levels = result.points[["point", *_factors(result)]]
    rows = rows[["point", "unit", "mean"]].merge(levels, on="point")
    rows["unit"] = rows["unit"].astype("str")
    return rows


def _ordered(levels: pd.Series[Any]) -> Any:
    """Return levels that sort as the design has them; tables of numbers are named by their text."""
    import pandas as pd

    plain = levels if levels.map(_hashable).all() else levels.map(str)
    return pd.Categorical(plain, categories=list(dict.fromkeys(plain)), ordered=True)


def _hashable(level: Any) -> bool:
    return not isinstance(level, dict | list)
