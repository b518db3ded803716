"""Traces through TLBs: what was asked, one row of counts, and the row as text."""

from __future__ import annotations

import csv as csv_
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    from virtperf.mechanism.memory import TlbGeometry, TlbStructure, WalkCaches
    from virtperf.mmu import Counts

_DEFAULT = ("16x4", "128x12")
_LARGE = 1024  # entries that a geometry spells out, for nobody multiplies 128 by 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of ``virtperf tlb``."""

    traces: tuple[Path, ...]
    levels: tuple[str, ...] = ()
    cpu: str | None = None
    page: str = "4K"
    host: str | None = None
    stream: str = "data"
    policy: str = "lru"
    flush_every: int | None = None
    quantum: int | None = None
    tags: bool = True
    walk_caches: str = "32,16,4"
    limit: int | None = None


def count(asked: Asked) -> dict[str, Any]:
    """Simulate; return the counts by column. An empty cell is not counted.

    Raises
    ------
    ParameterError
        If an option is impossible.
    ImportFileError
        If a file is no page trace.
    """
    from virtperf.mechanism.memory import Mapping, PageSize
    from virtperf.mmu import Mmu, simulate

    geometry = _geometry(asked)
    mapping = Mapping(
        guest=PageSize.of(asked.page), host=None if asked.host is None else PageSize.of(asked.host)
    )
    geometry.entry_size(mapping.at(0).entry)  # refused before a long file is read
    if len(asked.traces) > 1 and asked.quantum is None:
        raise ParameterError("tlb", "--quantum", "given for several traces", None)
    seen = [0] * len(asked.traces)
    counts = simulate(
        Mmu(geometry, _walk_caches(asked)),
        [_accesses(asked, path, seen, one) for one, path in enumerate(asked.traces)],
        mapping,
        flush_every=asked.flush_every,
        quantum=asked.quantum,
        tags=asked.tags,
    )
    return _row(asked, geometry, counts, sum(seen))


def csv(row: dict[str, Any]) -> str:
    """Return a row as CSV with its header."""
    text = StringIO()
    writer = csv_.DictWriter(text, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue().rstrip("\n")


def table(row: dict[str, Any]) -> str:
    """Return a row as lines, with the share of the lookups that a count is."""
    lookups = row["lookups"]
    lines = []
    for name, value in row.items():
        share = ""
        if name.endswith("misses") and value != "" and lookups:
            share = f"  {value / lookups:.4%} of lookups"
        elif name == "walk_memory_refs" and value != "" and lookups:
            share = f"  {value / lookups:.4g} per lookup"
        text = f"{value:,}" if isinstance(value, int) else str(value)
        lines.append(f"{name:<20}{text:>14}{share}" if text else f"{name:<20}{'-':>14}")
    return "\n".join(lines)


def _accesses(asked: Asked, path: Path, seen: list[int], one: int) -> Iterator[Any]:
    """Yield the accesses that are looked up, and count all."""
    from virtperf.stream import part_of, read_trace

    for words in read_trace(path, limit=asked.limit):
        seen[one] += len(words)
        yield part_of(words, asked.stream)  # type: ignore[arg-type]


def _geometry(asked: Asked) -> TlbGeometry:
    from virtperf.mechanism.memory import TlbGeometry, structure

    if asked.cpu is not None:
        if asked.levels:
            raise ParameterError("tlb", "--level", "left out beside --cpu", asked.levels)
        from virtperf.mechanism.memory.processors import processor

        known = processor(asked.cpu)
        return known.instruction if asked.stream == "ifetch" else known.data
    written = asked.levels or _DEFAULT
    policy: Any = asked.policy
    return TlbGeometry(
        levels=tuple((structure(one, policy=policy),) for one in written), name="tlb"
    )


def _walk_caches(asked: Asked) -> WalkCaches:
    from virtperf.mechanism.memory import WalkCaches

    if asked.cpu is not None:
        from virtperf.mechanism.memory.processors import processor

        return processor(asked.cpu).walk_caches
    try:
        sizes = tuple(int(size) for size in asked.walk_caches.split(",") if size.strip())
    except ValueError:
        rule = "whole numbers with commas, such as 32,16,4"
        raise ParameterError("tlb", "--walk-caches", rule, asked.walk_caches) from None
    if asked.host is None:
        return WalkCaches(kind="prefix", by_level=sizes)
    return WalkCaches(kind="prefix", by_level=sizes, nested_by_level=sizes)


def _row(asked: Asked, geometry: TlbGeometry, counts: Counts, accesses: int) -> dict[str, Any]:
    misses = counts.misses
    deeper = {f"l{level}_misses": count for level, count in enumerate(misses[1:], start=2)}
    return {
        "trace": "+".join(path.name.removesuffix(".zst") for path in asked.traces),
        "accesses": accesses,
        "stream": asked.stream,
        "page": asked.page if asked.host is None else f"{asked.page} on {asked.host}",
        "geometry": _named(asked, geometry),
        "lookups": counts.lookups,
        "l1_or_only_misses": misses[0],
        **(deeper or {"l2_misses": ""}),
        "walk_memory_refs": counts.references if deeper else "",
    }


def _named(asked: Asked, geometry: TlbGeometry) -> str:
    """Return the geometry in one word."""
    if asked.cpu is not None:
        name = asked.cpu
    elif len(geometry.levels) == 1:
        (one,) = geometry.levels[0]
        name = f"{_written(one)}_{asked.policy.upper()}"
        if one.entries >= _LARGE:
            name += f"({one.entries})"
    else:
        parts = [f"L{n}:{_written(one)}" for n, (one,) in enumerate(geometry.levels, start=1)]
        name = f"{'+'.join(parts)}_{asked.policy.upper()}"
    if asked.flush_every is not None:
        name += f"_flush_every_{asked.flush_every}"
    if len(asked.traces) > 1:
        name += f"_quantum_{asked.quantum}_tags_{'on' if asked.tags else 'off'}"
    return name


def _written(one: TlbStructure) -> str:
    return f"FA{one.entries}" if one.sets == 1 else f"{one.sets}x{one.ways}"
