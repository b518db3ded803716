"""Files that are there as a whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from virtperf.errors import DamageError, OutputError, StoreError

UNFINISHED = ".unfinished"  # ending of a file that is being written


def write(path: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a file beside `path`, and put it in its place when it is complete.

    Raises
    ------
    OutputError
        If the disk is full, or the folder cannot be written; what was there stays.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        says = f"cannot be written: {error.strerror or error}; what was stored before is kept"
        raise OutputError(path, says) from None


def write_json(path: Path, data: Any) -> None:
    """Write `data` as JSON, as `write` does."""
    write(path, lambda beside: _dump(beside, data))


def _dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a file of `write_json`.

    Raises
    ------
    StoreError
        If it cannot be read; a DamageError if it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DamageError(path, f"is damaged: {error}") from None


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold `path` as a lock; it goes with the process, however that ends.

    Raises
    ------
    StoreError
        If another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # no POSIX system: nobody keeps two of them apart
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = path.open("a+")
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(path.parent, "is in use: another sweep writes into it") from None
        yield
