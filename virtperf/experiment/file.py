"""Experiment files: TOML that names a scenario, what varies, and how precise it shall be."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import ScenarioError, UnknownNameError, VirtperfError
from virtperf.experiment.declare import Experiment, checked

if TYPE_CHECKING:
    from virtperf.design import Design
    from virtperf.scenario import Scenario

ROOT = {"title": str, "scenario": str, "set": dict, "run": dict, "precision": dict}
DESIGN = ("vary", "zip", "points", "where", "sample")
RUN = {
    "requests": int,
    "replications": int,
    "most_replications": int,
    "most_requests": int,
    "seed": int,
    "engine": str,
    "band": bool,
}
_WORDS = {str: "a string", int: "a whole number", bool: "true or false", dict: "a table"}


def read(path: Path) -> Experiment:
    """Read an experiment file.

    ``scenario`` names a shipped scenario or a file beside this one, ``[set]`` changes fields of it
    for all points (a table under a quoted address is its value: ``"vm.load.think" = { kind =
    "exponential", mean = "1ms" }``); ``[vary]``, ``[zip]``, ``[[points]]``, ``where`` and
    ``[sample]`` are those of `virtperf.design.points`; ``[precision]`` has metrics with the
    relative half-width asked of each, ``[run]`` the fields of `Experiment`.

    Raises
    ------
    ScenarioError
        With every problem of the file.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(str(path), [f"cannot be read: {error.strerror}"]) from None
    except ValueError as error:
        raise ScenarioError(str(path), [f"is not TOML: {error}"]) from None
    return _Reader(path, table).experiment()


class _Reader:
    """Reads one file; what is wrong is put down, and the rest read on."""

    def __init__(self, path: Path, table: dict[str, Any]) -> None:
        self.path, self.table = path, table
        self.problems: list[str] = []

    def experiment(self) -> Experiment:
        self.check("", self.table, ROOT, DESIGN)
        run = self.table.get("run", {})
        if isinstance(run, dict):
            self.check("run.", run, RUN)
        scenario = self.attempt(self.scenario)
        design = self.attempt(lambda: self.design(scenario))
        fields = {"outputs": self.table["precision"]} if "precision" in self.table else {}
        if scenario is not None and design is not None and not self.problems:
            given = {"title": self.table.get("title", ""), "name": self.path.stem, **fields, **run}
            found = self.attempt(lambda: Experiment(scenario=scenario, design=design, **given))
            if found is not None:
                self.problems += checked(found)
            if not self.problems:
                made: Experiment = found
                return made
        raise ScenarioError(str(self.path), list(dict.fromkeys(self.problems)))

    def check(
        self, prefix: str, table: Mapping[str, Any], known: Mapping[str, type], *more: Any
    ) -> None:
        names = (*known, *(name for group in more for name in group))
        for key, value in table.items():
            if key not in names:
                self.problems.append(prefix + str(UnknownNameError("field", key, names)))
            elif key in known and (
                not isinstance(value, known[key]) or (known[key] is int and isinstance(value, bool))
            ):
                word = _WORDS[known[key]]
                self.problems.append(f"{prefix}{key} must be {word}, got {value!r}")

    def attempt(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except ScenarioError as error:
            self.problems += error.problems
        except VirtperfError as error:
            self.problems.append(str(error))
        return None

    def scenario(self) -> Scenario | None:
        from virtperf.scenario import Scenario

        name = self.table.get("scenario")
        if name is None:
            self.problems.append("scenario must be given: a name, or a file beside this one")
        if not isinstance(name, str):
            return None
        beside = self.path.parent / name
        scenario = Scenario.load(beside if beside.is_file() else name)
        changes = _flat(self.table["set"]) if isinstance(self.table.get("set"), dict) else {}
        return scenario.with_all(changes) if changes else scenario

    def design(self, scenario: Scenario | None) -> Design:
        from virtperf.design import points
        from virtperf.experiment.plan import all_levels

        tables = {name: self.table[name] for name in DESIGN if name in self.table}
        every = None if scenario is None else lambda address: all_levels(address, scenario)
        return points(tables, every=every) if tables else [{}]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as addresses; under a quoted address, a table is its value."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, Mapping) and "." not in key
        found |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found
