"""From the tables of an experiment file to its points; all that is wrong with them at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from virtperf.design.factorial import Design, crossed, grid, listed, zipped
from virtperf.design.ranges import Range
from virtperf.design.reading import as_levels, as_range, flat
from virtperf.design.sampled import latin_hypercube, sobol
from virtperf.design.screening import morris
from virtperf.design.sensitivity import saltelli
from virtperf.design.where import where
from virtperf.errors import ParameterError, ScenarioError, UnknownNameError

Every: TypeAlias = Callable[[str], Sequence[Any]]
TABLES = ("vary", "zip", "points", "where", "sample")
METHODS: dict[str, tuple[Callable[..., Design], tuple[str, ...]]] = {
    "latin-hypercube": (latin_hypercube, ("n",)),
    "sobol": (sobol, ("n",)),
    "morris": (morris, ("trajectories", "levels")),
    "saltelli": (saltelli, ("n",)),
}
ORDERED = ("morris", "saltelli")  # what reads them counts on every point being there
ALL = "all"


def points(
    plan: Mapping[str, Any],
    *,
    every: Every | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> Design:
    """Return the points that the tables of an experiment file describe.

    Parameters
    ----------
    plan : mapping
        Any of these. ``vary``: address to range or levels, a grid unless there is a ``sample``.
        ``zip``: address to levels that move in step. ``points``: a list of points. Where several
        are given, every row of one goes with every row of the others. ``where``: a condition or a
        list of them, see `where`. ``sample``: ``method`` (latin-hypercube, sobol, morris,
        saltelli), ``n`` (or ``trajectories`` and ``levels``), ``seed``; it samples the ranges of
        ``vary``.
    every : callable, optional
        Levels of an address that is given as ``"all"``.
    fixed : mapping, optional
        Levels of addresses that do not vary, for ``where`` to name.

    Returns
    -------
    list of dict
        Address to level; rows of ``zip`` and ``points`` vary slowest.

    Raises
    ------
    ScenarioError
        With every problem, each naming its field.

    Examples
    --------
    >>> points({"vary": {"vm.count": "1..3"}, "where": "vm.count != 2"})
    [{'vm.count': 1}, {'vm.count': 3}]
    >>> points({"vary": {"vm": {"count": [1, 2]}}, "sample": {"method": "sobol", "m": 3}})
    Traceback (most recent call last):
    virtperf.errors.ScenarioError: experiment: 2 problems
      - no field of sample named 'm'; did you mean method, n, seed?
      - sample.n must be given, a whole number, got None
    """
    return _Reader(plan, every).points(fixed)


class _Reader:
    """Reads one plan; what is wrong is put down, and the rest read on."""

    def __init__(self, plan: Mapping[str, Any], every: Every | None) -> None:
        self.plan, self.every = plan, every
        self.problems: list[str] = []

    def points(self, fixed: Mapping[str, Any] | None) -> Design:
        for name in self.plan:
            if name not in TABLES:
                self.problems.append(str(UnknownNameError("table of an experiment", name, TABLES)))
        parts = [self.zipped(), self.listed(), self.varied()]
        conditions = self.conditions()
        design = self.attempt("", crossed, *(part for part in parts if part))
        if not any(self.plan.get(name) for name in ("vary", "zip", "points")):
            must = "given one of the tables vary, zip, points"
            self.refuse("experiment", "design", must, list(self.plan))
        elif design and all(part is not None for part in parts):
            for condition in conditions:
                self.attempt("", where, design, condition, fixed=fixed)  # each one's own problems
            if not self.problems:
                design = self.attempt("", where, design, *conditions, fixed=fixed)
        if self.problems or design is None:
            raise ScenarioError("experiment", list(dict.fromkeys(self.problems)))
        found: Design = design
        return found

    def refuse(self, owner: str, field: str, must: str, got: object) -> None:
        self.problems.append(str(ParameterError(owner, field, must, got)))

    def attempt(self, table: str, make: Callable[..., Design], *args: Any, **more: Any) -> Any:
        """Return what `make` does; None, and a problem in the words of `table`, if it cannot."""
        try:
            return make(*args, **more)
        except ParameterError as error:
            self.refuse(table or "experiment", error.field, error.must, error.got)
        except UnknownNameError as error:
            self.problems.append(f"{more.get('field', 'where')}: {error}")
        return None

    def varied(self) -> Design | None:
        """Return the grid or the sample of ``vary``; None if it cannot be made."""
        known = self.levels("vary")
        sample = self.sample() if "sample" in self.plan else None
        if known is None or ("sample" in self.plan and sample is None):
            return None
        if sample is None:
            return self.attempt("vary", grid, known) if known else []
        if not known:
            self.refuse("experiment", "vary", "given ranges to sample", known)
            return None
        make, given = sample
        try:
            return make(known, **given)
        except ParameterError as error:
            owner = "vary" if error.field in known else "sample"
            self.refuse(owner, error.field, error.must, error.got)
            return None

    def zipped(self) -> Design | None:
        known = self.levels("zip")
        if not known:
            return None if known is None else []
        return self.attempt("zip", zipped, known)  # type: ignore[no-any-return]

    def listed(self) -> Design | None:
        given = self.plan.get("points", [])
        if isinstance(given, Mapping | str) or not isinstance(given, Sequence):
            self.refuse("experiment", "points", "a list of tables, [[points]]", given)
            return None
        if bad := [one for one in given if not isinstance(one, Mapping)]:
            self.refuse("experiment", "points", "tables of address to level", bad[0])
            return None
        if not given:
            return []
        return self.attempt("experiment", listed, [flat(one) for one in given])  # type: ignore[no-any-return]

    def levels(self, table: str) -> dict[str, Any] | None:
        """Return address to range, or to levels in a zip; None if any of them cannot be read."""
        given = self.plan.get(table, {})
        if not isinstance(given, Mapping):
            self.refuse("experiment", table, "a table of address to levels", given)
            return None
        found, before = {}, len(self.problems)
        for address, one in flat(given).items():
            try:
                found[address] = self.one(table, address, one)
            except ParameterError as error:
                self.refuse(table, address, error.must, error.got)
        return None if len(self.problems) > before else found

    def one(self, table: str, address: str, given: Any) -> "Range | list[Any]":
        if given == ALL:
            if self.every is None:
                raise ParameterError(table, address, "given its levels", given)
            given = list(self.every(address))
        if table == "zip" or "sample" not in self.plan:
            return as_levels(given, once=table != "zip", owner=table, field=address)
        found = as_range(given, owner=table, field=address)
        if len(found.choices) == 1:
            raise ParameterError(table, address, "given at least two levels", given)
        return found

    def conditions(self) -> list[str]:
        given = self.plan.get("where", [])
        found = [given] if isinstance(given, str) else given
        if not isinstance(found, Sequence) or not all(isinstance(one, str) for one in found):
            self.refuse("experiment", "where", "a condition, or a list of them, in quotes", given)
            return []
        sample = self.plan.get("sample")
        method = sample.get("method") if isinstance(sample, Mapping) else None
        if found and method in ORDERED:
            must = f"left out: method {method} needs each of its points"
            self.refuse("experiment", "where", must, given)
            return []
        return list(found)

    def sample(self) -> tuple[Callable[..., Design], dict[str, int]] | None:
        """Return how ``vary`` is sampled; None if that cannot be read."""
        given, before = self.plan["sample"], len(self.problems)
        if not isinstance(given, Mapping):
            self.refuse("experiment", "sample", "a table with method and n", given)
            return None
        method = given.get("method")
        if method not in METHODS:
            self.refuse("sample", "method", f"one of {', '.join(METHODS)}", method)
            return None
        make, sizes = METHODS[method]
        fields = ("method", *sizes, "seed")
        for name in given:
            if name not in fields:
                self.problems.append(str(UnknownNameError("field of sample", name, fields)))
        for name in (*sizes, "seed"):
            value = given.get(name)
            if name == "n" and value is None:
                self.refuse("sample", name, "given, a whole number", None)
            elif value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                self.refuse("sample", name, "a whole number", value)
            elif name == "seed" and value is not None and value < 0:
                self.refuse("sample", name, "at least 0", value)
        found = {name: given[name] for name in (*sizes, "seed") if name in given}
        return None if len(self.problems) > before else (make, found)
