"""Numbers with unit, source, evidence and range; a platform is a named set of them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from virtperf.errors import ParameterError, ScenarioError, UnknownNameError
from virtperf.units import UNITS

if TYPE_CHECKING:
    import pandas as pd

Evidence = Literal["measured", "datasheet", "published", "derived", "assumed"]
Checked = Literal["read", "recalled-high", "recalled-medium", "recalled-low", "own"]

_METADATA = ("title", "about", "based_on", "processor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number, its unit, and the reason to believe it.

    Parameters
    ----------
    value : float
        Central value, in `unit`.
    unit : str
        One of `virtperf.units.UNITS`; cycles need the platform's frequency.
    source : str
        Citation key in ``references.bib``, with page, table or figure.
        For ``evidence="assumed"``: the argument, in a sentence.
    evidence : {'measured', 'datasheet', 'published', 'derived', 'assumed'}
        How the source knows.
    checked : {'read', 'recalled-high', 'recalled-medium', 'recalled-low', 'own'}
        Whether the figure was seen in the source.
    low, high : float, optional
        Plausible range, in `unit`; sweeps and sensitivity studies use it.

    Raises
    ------
    ParameterError
        If a field is impossible: an unknown unit, no source, a range that excludes `value`.
    """

    value: float
    unit: str
    source: str
    evidence: Evidence
    checked: Checked
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        table = {field.name: getattr(self, field.name) for field in fields(self)}
        for problem in _problems("Quantity", table):
            raise problem

    @classmethod
    def from_table(cls, owner: str, table: Mapping[str, Any]) -> Quantity:
        """Build from a table of a file.

        Parameters
        ----------
        owner : str
            Name of the quantity; errors are worded ``owner.field``.
        table : mapping
            Field to value.

        Raises
        ------
        ScenarioError
            With every problem of the table.
        """
        if problems := [str(problem) for problem in _problems(owner, table)]:
            raise ScenarioError(owner, problems)
        return cls(**table)

    @property
    def dimension(self) -> str:
        """What the unit measures, for example ``"duration"``."""
        return UNITS[self.unit][0]

    @property
    def base(self) -> float:
        """The value in base units: ns, Hz, B, B/s, 1/s or a plain number."""
        if self.dimension == "cycles":
            must = "a unit of time; cycles need a frequency, see Quantity.ns and ParameterSet.ns"
            raise ParameterError("Quantity", "unit", must, self.unit)
        return self.value * UNITS[self.unit][1]

    def ns(self, frequency_hz: float | None = None) -> float:
        """Return a duration, or cycles at `frequency_hz`, in nanoseconds."""
        if self.dimension == "duration":
            return self.base
        if self.dimension != "cycles":
            raise ParameterError("Quantity", "unit", "a unit of time, or cycles", self.unit)
        if frequency_hz is None or not 0 < frequency_hz < math.inf:
            raise ParameterError("Quantity", "frequency_hz", "positive for cycles", frequency_hz)
        return self.value * 1e9 / frequency_hz

    def scaled(self, factor: float) -> Quantity:
        """Return a copy `factor` times as large, range included, marked as derived."""
        if not 0 <= factor < math.inf:
            raise ParameterError("Quantity.scaled", "factor", "finite and at least 0", factor)
        return replace(
            self,
            value=self.value * factor,
            low=None if self.low is None else self.low * factor,
            high=None if self.high is None else self.high * factor,
            evidence="derived",
            source=f"{factor:g} times: {self.source}",
        )


class ParameterSet(Mapping[str, Quantity]):
    """Named, immutable quantities of one platform.

    Parameters
    ----------
    name : str
        Name of the platform; a copy with other numbers has a ``*`` behind it.
    quantities : mapping of str to Quantity
        The numbers.
    title, about, based_on : str
        One line, a paragraph, and the platform it varies; all for the reader only.
    processor : str
        Whose TLBs and walk caches it has, by the name of a shipped file; "" if nobody says.
    """

    def __init__(
        self,
        name: str,
        quantities: Mapping[str, Quantity],
        *,
        title: str = "",
        about: str = "",
        based_on: str = "",
        processor: str = "",
    ) -> None:
        self.name: Final = name
        self.title: Final = title
        self.about: Final = about
        self.based_on: Final = based_on
        self.processor: Final = processor
        self._quantities: Final = dict(quantities)

    @classmethod
    def from_toml(cls, path: str | Path) -> ParameterSet:
        """Read a platform file; every table below the root is one quantity.

        Raises
        ------
        ScenarioError
            With every problem of the file.
        """
        path = Path(path)
        root = _read(path)
        problems: list[str] = []
        for key, entry in root.items():
            if isinstance(entry, dict):
                problems += map(str, _problems(key, entry))
            elif key not in _METADATA:
                problems.append(f"{key} must be a table, or one of {', '.join(_METADATA)}")
            elif not isinstance(entry, str):
                problems.append(f"{key} must be a string, got {entry!r}")
        if problems:
            raise ScenarioError(str(path), problems)
        metadata = {key: root.pop(key) for key in _METADATA if key in root}
        return cls(path.stem, {key: Quantity(**table) for key, table in root.items()}, **metadata)

    def __getitem__(self, key: str) -> Quantity:
        try:
            return self._quantities[key]
        except KeyError:
            raise UnknownNameError(f"parameter of {self.name}", key, self) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._quantities)

    def __len__(self) -> int:
        return len(self._quantities)

    def __contains__(self, key: object) -> bool:
        return key in self._quantities

    def __repr__(self) -> str:
        return f"<ParameterSet {self.name}: {len(self)} quantities>"

    def ns(self, key: str) -> float:
        """Return the time `key` in nanoseconds; cycles pass at the set's own ``frequency``."""
        quantity = self[key]
        try:
            if quantity.dimension != "cycles":
                return quantity.ns()
            if "frequency" not in self:
                raise ParameterError(self.name, "frequency", f"given: {key} is in cycles", None)
            return quantity.ns(self["frequency"].base)
        except ParameterError as error:
            if error.owner != "Quantity":
                raise
            owner = f"{self.name}.{key}"
            raise ParameterError(owner, error.field, error.must, error.got) from None

    def replace(self, **quantities: Quantity) -> ParameterSet:
        """Return a copy in which existing quantities have new values."""
        for key in quantities:
            self[key]  # refuse to add a parameter nobody reads
        return ParameterSet(
            f"{self.name.removesuffix('*')}*",
            self._quantities | quantities,
            title=self.title,
            about=self.about,
            based_on=self.based_on,
            processor=self.processor,
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per quantity: the table a reviewer wants to read."""
        import pandas as pd

        columns = ["value", "unit", "low", "high", "evidence", "checked", "source"]
        rows = [[getattr(quantity, column) for column in columns] for quantity in self.values()]
        return pd.DataFrame(rows, index=pd.Index(list(self), name=self.name), columns=columns)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:  # TOML syntax, or not UTF-8
        raise ScenarioError(str(path), [f"is not TOML: {error}"]) from error


def _problems(owner: str, table: Mapping[str, Any]) -> Iterator[ParameterError]:
    """Yield everything that keeps `table` from being a quantity."""
    known = {field.name: field.default is MISSING for field in fields(Quantity)}
    for key in table:
        if key not in known:
            yield ParameterError(owner, key, f"absent; fields are {', '.join(known)}", table[key])
    for key, required in known.items():
        if required and key not in table:
            yield ParameterError(owner, key, "given", None)
    words: dict[str, tuple[str, ...]] = {
        "unit": tuple(UNITS),
        "evidence": get_args(Evidence),
        "checked": get_args(Checked),
    }
    for key, legal in words.items():
        if key in table and table[key] not in legal:
            yield ParameterError(owner, key, f"one of {' '.join(legal)}", table[key])
    source = table.get("source", "absent")
    if not isinstance(source, str) or not source.strip():
        yield ParameterError(owner, "source", "a citation or an argument", source)
    yield from _range_problems(owner, table)


def _range_problems(owner: str, table: Mapping[str, Any]) -> Iterator[ParameterError]:
    given = {k: table[k] for k in ("low", "value", "high") if table.get(k) is not None}
    if "value" in table and table["value"] is None:
        yield ParameterError(owner, "value", "a finite number", None)
    bad = [key for key, number in given.items() if not _finite(number)]
    for key in bad:
        yield ParameterError(owner, key, "a finite number", given[key])
    if bad or "value" not in given:
        return
    value = given["value"]
    low, high = given.get("low", value), given.get("high", value)
    if not low <= value <= high:
        yield ParameterError(owner, "value", f"within [{low:g}, {high:g}]", value)
    if table.get("unit") != "1" and min(low, value) < 0:
        field = "value" if value < 0 else "low"
        yield ParameterError(owner, field, "at least 0 for a unit other than 1", given[field])


def _finite(number: object) -> bool:
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return is_number and math.isfinite(number)  # type: ignore[arg-type]
