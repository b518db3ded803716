"""Columns on disk: names as dictionaries, so that a row of a long table takes a few bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from virtperf.errors import DamageError
from virtperf.store.files import write

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FEW = 1_000_000  # rows up to which names are given as plain strings
ROWS = 1 << 20  # of a row group
Rows: TypeAlias = "pd.DataFrame | Mapping[str, Any]"
"""A frame, or the columns of a table by name."""

ABOUT = "virtperf"  # key of what a file says about itself


def save(path: Path, table: pa.Table, about: Mapping[str, Any]) -> None:
    """Write one table as Parquet, with checksums; raises as `virtperf.store.files.write`.

    Parameters
    ----------
    about : mapping
        Kept in the file, for `about`.
    """
    import pyarrow.parquet as pq

    table = table.replace_schema_metadata({ABOUT: json.dumps(about)})

    def fill(beside: Path) -> None:
        pq.write_table(
            table, beside, compression="zstd", write_page_checksum=True, row_group_size=ROWS
        )

    write(path, fill)


def load(path: Path) -> pa.Table:
    """Read one table, its checksums verified.

    Raises
    ------
    DamageError
        If the file is missing, damaged, or no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()
    except FileNotFoundError:
        raise DamageError(path, "is missing") from None
    except (OSError, pa.ArrowException) as error:
        raise DamageError(path, f"is damaged: {str(error).splitlines()[0]}") from None


def about(path: Path) -> dict[str, Any]:
    """Return what `save` was told about a file; empty where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return {}
    found: dict[str, Any] = json.loads(metadata.get(ABOUT.encode(), b"{}"))
    return found


def encoded(rows: Rows) -> pa.Table:
    """Return rows as an Arrow table; their strings become dictionaries."""
    import pyarrow as pa

    if not isinstance(rows, Mapping):
        rows = {str(name): rows[name].array for name in rows.columns}
    return pa.table({name: _encoded(column) for name, column in rows.items()})


def _encoded(column: Any) -> Any:
    import pyarrow as pa

    array = pa.array(column, from_pandas=True)
    if pa.types.is_dictionary(array.type):
        return array.cast(pa.dictionary(pa.int32(), pa.string()))
    if pa.types.is_null(array.type) or pa.types.is_large_string(array.type):
        array = array.cast(pa.string())
    return array.dictionary_encode() if pa.types.is_string(array.type) else array


def decoded(tables: list[pa.Table]) -> pd.DataFrame:
    """Return tables of the same columns as one frame; names are categories."""
    import pyarrow as pa

    whole = pa.concat_tables(tables, promote_options="default").unify_dictionaries()
    frame: pd.DataFrame = whole.to_pandas()
    return frame


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with names as plain strings, where it is not so long that they are dear."""
    names = [name for name in frame if str(frame[name].dtype) == "category"]
    return frame.astype(dict.fromkeys(names, "str")) if names and len(frame) <= FEW else frame
