"""A run as bytes and back: kept while its point's warm-up cut is not known yet."""

import json
import zlib
from dataclasses import fields
from typing import Any

from virtperf.errors import DamageError
from virtperf.tables import Histogram, Run, Snapshot


def to_bytes(run: Run) -> bytes:
    """Return a run as compressed JSON: read by anyone, and nothing in it is ever executed."""
    return zlib.compress(json.dumps(_plain(run), separators=(",", ":")).encode(), 1)


def from_bytes(name: str, content: bytes) -> Run:
    """Return the run that `to_bytes` was given.

    Raises
    ------
    DamageError
        If `content`, of the file `name`, is none.
    """
    try:
        table = json.loads(zlib.decompress(content))
        table["snapshots"] = tuple(
            Snapshot(**{key: _frozen(value) for key, value in row.items()})
            for row in table["snapshots"]
        )
        for name_of in ("histograms", "wakes"):
            table[name_of] = tuple(
                tuple(Histogram({int(key): n for key, n in counts.items()}) for counts in batch)
                for batch in table[name_of]
            )
        return Run(**{key: _frozen(value) for key, value in table.items()})
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise DamageError(name, f"is damaged: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Histogram):
        return value.counts
    if isinstance(value, Run | Snapshot):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
