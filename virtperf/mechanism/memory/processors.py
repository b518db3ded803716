"""The TLBs of real processors, from files: one for each microarchitecture in models/tlbs."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from virtperf import catalog
from virtperf.errors import ParameterError, ScenarioError
from virtperf.mechanism.memory.geometry import TlbGeometry, TlbStructure, WalkCaches
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.pte_caches import PteCache, PteCaches

_KNOWN = (
    "read",
    "derived",
    "recalled-high",
    "recalled-medium",
    "recalled-low",
    "assumed",
    "unknown",
)
_ROW = {"pages", "entries", "ways", "index", "policy", "checked", "note"}
_CACHES = {
    *("kind", "by_level", "nested_by_level", "entries", "caches_nested", "nested_tlb"),
    *("nested_tlb_data", "combined"),
}
_PARTS = {
    *("title", "example", "source", "splits_1g", "data", "store", "instruction", "index"),
    *("replacement", "latency", "data_caches", "walk_caches", "tags", "nested_paging", "walkers"),
}
_SOURCED = ("index", "replacement", "latency", "data_caches", "walk_caches", "tags", "walkers")
_LINE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """The translation hardware of a microarchitecture.

    Attributes
    ----------
    name, title : str
    data, store, instruction : TlbGeometry
        What loads, stores and instruction fetches meet; `store` is `data` where they are one.
    walk_caches : WalkCaches
    l2_hit_cycles, walk_cycles : float or None
        Latency of a dependent load on top of the data cache: a miss of the first level, and of
        all levels on top of that (native, 4 KiB, tables in the data caches); None if unknown.
    data_caches : PteCaches or None
        All of the data caches, nearest first, and memory; None if unknown.
    asids : int
        Tags of guests (VPIDs or ASIDs), 0 if there are none.
    pcid : bool
    facts : mapping
        The whole file: sources, and how each part is known.
    """

    name: str
    title: str
    data: TlbGeometry
    store: TlbGeometry
    instruction: TlbGeometry
    walk_caches: WalkCaches
    l2_hit_cycles: float | None
    walk_cycles: float | None
    data_caches: PteCaches | None
    asids: int
    pcid: bool
    facts: Mapping[str, Any]

    def pte_caches(self, share: float) -> PteCaches:
        """Return the data caches as far as they are left for table entries.

        Parameters
        ----------
        share : float
            Share of each cache's sets, in (0, 1]; the rest has the program's data. What it is no
            file knows: it depends on the program.

        Raises
        ------
        ParameterError
            If the file does not tell the data caches, or the share is out of range.
        """
        if self.data_caches is None:
            raise ParameterError(self.name, "data_caches", "told by its file", None)
        if not 0 < share <= 1:
            raise ParameterError(self.name, "share", "in (0, 1]", share)
        levels = (
            PteCache(
                lines=max(1, int(one.lines // one.ways * share)) * one.ways,
                ways=one.ways,
                cycles=one.cycles,
            )
            for one in self.data_caches.levels
        )
        return PteCaches(levels=tuple(levels), memory_cycles=self.data_caches.memory_cycles)


def names() -> list[str]:
    """Return the names of all processors that ship."""
    return catalog.names("tlbs")


@cache
def processor(name_or_path: str | Path) -> Processor:
    """Return a processor by name, or read a file of one's own (``.toml``).

    Raises
    ------
    UnknownNameError
        If there is none of that name; near matches are offered.
    ScenarioError
        If the file is wrong, with all its problems.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = catalog.path("tlbs", str(name_or_path))
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScenarioError(str(path), [f"cannot be read: {error}"]) from None
    return _Reading(path.stem, facts).processor()


class _Reading:
    """One file on its way to a processor; collects what is wrong with it."""

    def __init__(self, name: str, facts: dict[str, Any]) -> None:
        self.name, self.facts = name, facts
        self.problems: list[str] = []

    def processor(self) -> Processor:
        facts = self.facts
        self.problems += [
            f"{key} is no part of such a file" for key in sorted(facts.keys() - _PARTS)
        ]
        for key in ("title", "source", "data", "instruction"):
            if key not in facts:
                self.problems.append(f"{key} is missing")
        data = self._levels("data")
        parts = {part: self._levels(part) for part in ("store", "instruction")}
        caches = self._walk_caches()
        data_caches = self._data_caches()
        self.problems += self._unsourced()
        if self.problems or data is None or parts["instruction"] is None:
            raise ScenarioError(self.name, self.problems)
        tags, latency = facts.get("tags", {}), facts.get("latency", {})
        return Processor(
            name=self.name,
            title=facts["title"],
            data=data,
            store=parts["store"] or data,
            instruction=parts["instruction"],
            walk_caches=caches,
            l2_hit_cycles=latency.get("l2_hit"),
            walk_cycles=latency.get("walk"),
            data_caches=data_caches,
            asids=tags.get("vpids", tags.get("asids", 0)),
            pcid=tags.get("pcid", False),
            facts=facts,
        )

    def _levels(self, part: str) -> TlbGeometry | None:
        """Return the levels of one part; a second level may be that of the data."""
        given = self.facts.get(part)
        if given is None:
            return None
        second = given.get("l2", "data" if part == "store" else [])
        if second == "data":
            second = self.facts.get("data", {}).get("l2", [])
        levels = tuple(
            tuple(self._structures(f"{part}.{name}", rows))
            for name, rows in (("l1", given.get("l1", [])), ("l2", second))
            if rows or name == "l1"
        )
        try:
            splits = self.facts.get("splits_1g", False)
            return TlbGeometry(levels=levels, splits_1g=splits, name=f"{self.name}.{part}")
        except ParameterError as error:
            if not any(line.startswith(part) for line in self.problems):
                self.problems.append(str(error))
            return None

    def _structures(self, where: str, rows: list[dict[str, Any]]) -> Iterator[TlbStructure]:
        for number, row in enumerate(rows):
            place = f"{where}[{number}]"
            unknown = sorted(row.keys() - _ROW)
            if unknown:
                self.problems.append(f"{place}.{unknown[0]} is no field of a TLB")
            try:
                yield TlbStructure(
                    entries=row.get("entries", 0),
                    ways=row.get("ways", 0),
                    pages=tuple(PageSize.of(page) for page in row.get("pages", ())),
                    index=row.get("index", "linear"),
                    policy=row.get("policy", "lru"),
                )
            except ParameterError as error:
                says = f"{place}.{error.field} must be {error.must}, got {error.got!r}"
                self.problems.append(says)

    def _walk_caches(self) -> WalkCaches:
        given = self.facts.get("walk_caches", {})
        fields = {key: given[key] for key in given.keys() & _CACHES}
        fields |= {
            key: tuple(fields[key]) for key in ("by_level", "nested_by_level") if key in fields
        }
        try:
            return WalkCaches(**fields)
        except ParameterError as error:
            self.problems.append(f"walk_caches: {error}")
            return WalkCaches()

    def _data_caches(self) -> PteCaches | None:
        given = self.facts.get("data_caches")
        if given is None:
            return None
        try:
            levels = [
                PteCache(lines=row["kib"] * 1024 // _LINE, ways=row["ways"], cycles=row["cycles"])
                for row in given.get("levels", [])
            ]
            return PteCaches(levels=tuple(levels), memory_cycles=given["memory_cycles"])
        except KeyError as error:
            self.problems.append(f"data_caches: {error.args[0]} is missing")
        except ParameterError as error:
            self.problems.append(f"data_caches: {error}")
        return None

    def _unsourced(self) -> Iterator[str]:
        """Yield what does not say how it is known."""
        for part in _SOURCED:
            given = self.facts.get(part)
            if given is not None and not given.get("source"):
                yield f"{part}.source is missing"
            if given is not None and given.get("checked") not in _KNOWN:
                got = given.get("checked")
                yield f"{part}.checked must be one of {', '.join(_KNOWN)}, got {got!r}"
        for part in ("data", "store", "instruction"):
            for level in ("l1", "l2"):
                rows = self.facts.get(part, {}).get(level, [])
                for number, row in enumerate(rows if isinstance(rows, list) else []):
                    place = f"{part}.{level}[{number}]"
                    if row.get("checked") not in _KNOWN:
                        yield f"{place}.checked must be one of {', '.join(_KNOWN)}"
                    if "policy" in row and "replacement" not in self.facts:
                        yield f"{place}.policy has no source: replacement is missing"
