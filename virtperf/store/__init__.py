"""Keeps the tables of an experiment on disk: one folder each, whole at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import DamageError, StoreError
from virtperf.store import columns
from virtperf.store.files import UNFINISHED, only_one, read_json, write, write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Store"]

FORMAT = 1  # of the folder
DAMAGED = ".damaged"  # ending of a file that was set aside


class Store:
    """The folder of one experiment.

    Rows come in parts. A part has rows of several tables; each table's are a Parquet file
    ``<table>/<part>.parquet``, and ``parts.json`` lists the parts there are. It is replaced when
    all files of a part are on disk, so a part is there as a whole or not at all, and
    ``select * from '<folder>/data/*.parquet'`` works in any tool that reads Parquet.

    Parameters
    ----------
    folder : Path

    Examples
    --------
    >>> import tempfile, pandas
    >>> store = Store(Path(tempfile.mkdtemp()) / "mine")
    >>> store.add({"data": pandas.DataFrame({"metric": ["latency.mean"], "value": [12.5]})})
    >>> store.read("data").to_dict("records")
    [{'metric': 'latency.mean', 'value': 12.5}]
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    @property
    def exists(self) -> bool:
        """Whether anything was stored here."""
        return (self.folder / "plan.json").is_file() or self._list.is_file()

    @property
    def _list(self) -> Path:
        return self.folder / "parts.json"

    def alone(self) -> AbstractContextManager[None]:
        """Hold the folder for writing; a second writer gets a StoreError."""
        return only_one(self.folder / ".lock")

    @property
    def plan(self) -> Any:
        """What was asked for, as `write_plan` got it."""
        return read_json(self.folder / "plan.json")

    def write_plan(self, plan: Any) -> None:
        """Keep what is asked for: plain data."""
        write_json(self.folder / "plan.json", plan)

    def parts(self) -> dict[str, list[str]]:
        """Return the tables of each part.

        Raises
        ------
        StoreError
            If the list is damaged, or of a later version of virtperf.
        """
        if not self._list.is_file():
            return {}
        found = read_json(self._list)
        if not isinstance(found, Mapping) or "parts" not in found:
            raise DamageError(self._list, "is damaged: it lists no parts")
        if found.get("format") != FORMAT:
            says = f"has format {found.get('format')}; this virtperf reads format {FORMAT}"
            raise StoreError(self._list, says)
        return dict(found["parts"])

    def _write_parts(self, parts: Mapping[str, list[str]]) -> None:
        write_json(self._list, {"format": FORMAT, "parts": parts})

    def add(self, tables: Mapping[str, columns.Rows]) -> None:
        """Add one part; tables without rows are left out.

        Raises
        ------
        OutputError
            If it cannot be written; then nothing of it is there.
        """
        parts = self.parts()
        name, full = self._next(parts), self._save(self._next(parts), tables, ())
        self._write_parts(parts | {name: full})

    def _save(
        self, name: str, tables: Mapping[str, columns.Rows], replaces: Iterable[str]
    ) -> list[str]:
        """Write the files of a part; return the tables it has."""
        encoded = {table: columns.encoded(rows) for table, rows in tables.items()}
        full = {table: rows for table, rows in encoded.items() if rows.num_rows}
        about = {"tables": list(full), "replaces": list(replaces)}
        for table, rows in full.items():
            columns.save(self._file(table, name), rows, about)
        return list(full)

    def read(self, table: str, *, plain: bool = True) -> pd.DataFrame:
        """Return all rows of a table, part by part; an empty frame where there are none.

        Parameters
        ----------
        table : str
        plain : bool
            Whether names are strings, unless there are very many rows; else they are categories.

        Raises
        ------
        DamageError
            If a file is damaged or missing.
        """
        import pandas as pd

        parts = [name for name, tables in self.parts().items() if table in tables]
        found = [columns.load(self._file(table, name)) for name in parts]
        if not found:
            return pd.DataFrame()
        frame = columns.decoded(found)
        return columns.named(frame) if plain else frame

    def tidy(self) -> None:
        """Remove files that a crash left behind, and that no part has.

        Raises
        ------
        DamageError
            If the list of parts is damaged.
        """
        self._remove_strays(self.parts())

    def heal(self) -> list[str]:
        """Read everything, set damaged parts aside, and return what was damaged.

        Of a damaged part no row is used any more; its files stay, under another name, for who
        wants to look.
        """
        damaged = []
        try:
            parts = self.parts()
        except DamageError as error:
            damaged.append(str(error))
            self._list.replace(self._list.with_name(self._list.name + DAMAGED))
            parts = self._found()
        kept: dict[str, list[str]] = {}
        for name, tables in parts.items():
            problems = list(self._problems(name, tables))
            if not problems:
                kept[name] = tables
            damaged += problems
            for file in (self._file(table, name) for table in tables if problems):
                if file.is_file():
                    file.replace(file.with_name(file.name + DAMAGED))
        if damaged:
            self._write_parts(kept)
        self._remove_strays(kept)
        return damaged

    def _found(self) -> dict[str, list[str]]:
        """Return the parts all of whose files are there, but for those that others replaced."""
        found: dict[str, list[str]] = {}
        replaced: set[str] = set()
        for file in sorted(self.folder.glob("*/*.parquet")):
            about = columns.about(file)
            tables = list(about.get("tables", ()))
            if tables and all(self._file(table, file.stem).is_file() for table in tables):
                found[file.stem] = tables
                replaced |= set(about["replaces"])
        return {name: found[name] for name in sorted(found.keys() - replaced)}

    def _problems(self, name: str, tables: list[str]) -> Iterator[str]:
        for table in tables:
            try:
                columns.load(self._file(table, name))
            except DamageError as error:
                yield str(error)

    def _remove_strays(self, parts: Mapping[str, list[str]]) -> None:
        live = {self._file(table, name) for name, tables in parts.items() for table in tables}
        for file in self.folder.glob("*/*.parquet"):
            if file not in live:
                file.unlink(missing_ok=True)
        for file in (*self.folder.glob(f"*{UNFINISHED}"), *self.folder.glob(f"*/*{UNFINISHED}")):
            file.unlink(missing_ok=True)

    def rewrite(self, change: Callable[[str, pd.DataFrame], pd.DataFrame]) -> None:
        """Make one part of all, each table changed as `change(table, rows)` says."""
        parts = self.parts()
        name = self._next(parts)
        old = dict.fromkeys(table for tables in parts.values() for table in tables)
        full = self._save(
            name, {table: change(table, self.read(table, plain=False)) for table in old}, parts
        )
        self._write_parts({name: full} if full else {})
        self._remove_strays({name: full})

    def keep(self, name: str, content: bytes) -> None:
        """Keep something small that is not finished yet."""
        write(self.folder / "unfinished" / name, lambda beside: _put(beside, content))

    def kept(self) -> dict[str, bytes]:
        """Return everything that `keep` was given and that was not dropped."""
        folder = self.folder / "unfinished"
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return {file.name: file.read_bytes() for file in files if file.suffix != UNFINISHED}

    def drop(self, names: list[str]) -> None:
        """Forget things of `keep`."""
        for name in names:
            (self.folder / "unfinished" / name).unlink(missing_ok=True)

    def _file(self, table: str, part: str) -> Path:
        return self.folder / table / f"{part}.parquet"

    @staticmethod
    def _next(parts: Mapping[str, list[str]]) -> str:
        return f"{max((int(name) for name in parts), default=0) + 1:08d}"


def _put(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
