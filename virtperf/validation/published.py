"""Published figures: what claims may use, and what they are measured against, in two files."""

import csv
from dataclasses import dataclass

from virtperf import catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A figure somebody published, or an assumption about how they got theirs.

    Attributes
    ----------
    id : str
    value, low, high : float or None
        None where the value stands elsewhere (a platform's number, a shipped scenario): then the
        row is there for its ancestors.
    unit : str
    source : str
        Citation key and place; for an assumption, the argument.
    how : str
        ``read`` in the source, ``recalled-...`` from memory of it, ``derived``, ``assumed``.
    confidence : str
        ``high``, ``medium`` or ``low``.
    ancestors : tuple of str
        Ids of what it was derived from, outcomes included.
    """

    id: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    source: str
    how: str
    confidence: str
    ancestors: tuple[str, ...] = ()


def inputs() -> dict[str, Fact]:
    """Return what predictions may be made from, by id."""
    return _read("inputs")


def outcomes() -> dict[str, Fact]:
    """Return what predictions are compared with, by id; for the last step of a validation only."""
    return _read("outcomes")


def _read(name: str) -> dict[str, Fact]:
    with catalog.path("published", name).open(encoding="utf-8", newline="") as file:
        return {row["id"]: _fact(row) for row in csv.DictReader(file)}


def _fact(row: dict[str, str]) -> Fact:
    value, low, high = (float(row[key]) if row[key] else None for key in ("value", "low", "high"))
    return Fact(
        id=row["id"],
        value=value,
        unit=row["unit"],
        low=low,
        high=high,
        source=row["source"],
        how=row["how"],
        confidence=row["confidence"],
        ancestors=tuple(row.get("ancestors", "").split()),
    )
