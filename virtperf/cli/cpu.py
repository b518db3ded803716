"""CPU techniques on the command line: tables of what they cost and ask for, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any, TypeVar

from virtperf import catalog
from virtperf.cli.isas import columns
from virtperf.cli.text import table
from virtperf.plot.cpu_data import (
    BARE,
    SHADOWED,
    Slowdown,
    exits_per_s,
    priced,
    slowdowns,
    way,
    ways,
)
from virtperf.plot.cpu_map import contenders, winner_table
from virtperf.plot.translator_data import EMULATORS
from virtperf.result.words import digits
from virtperf.technique import matrix

if TYPE_CHECKING:
    from pathlib import Path

    from virtperf.params import ParameterSet
    from virtperf.technique.cpu.price import Price

_One = TypeVar("_One")
EXAMPLES = ("fork-storm", "web-server")  # drawn in detail unless others are asked for
WEIGHED = ("syscall-loop", "web-server")  # short system calls, and long ones
_WIDTH = 100
_WORDS = 66  # beside names of techniques and guests
_NOTE = (
    "The band: all numbers of platform and workload at the low, all at the high end of their "
    "ranges. Exits are those to the hypervisor, hypercalls included; emulators have none, they "
    "call helpers. Those of nested-hardware include what the hypervisor between exits for. Memory "
    "is that of all code that runs (dbt), of its kernel part (binary-translation), or of the whole "
    "image (static)."
)


def load(platform: str, workloads: Sequence[str]) -> tuple[ParameterSet, list[ParameterSet]]:
    """Return a platform, and workloads, all that ship if none is named.

    Raises
    ------
    UnknownNameError
        If there is none of that name; near matches are offered.
    """
    names = dict.fromkeys(workloads) or catalog.names("workloads")
    return catalog.platform(platform), [catalog.workload(name) for name in names]


def examples() -> list[ParameterSet]:
    """Return the workloads that are drawn in detail if none was asked for."""
    return [catalog.workload(name) for name in EXAMPLES]


def show(platform: ParameterSet, workloads: Sequence[ParameterSet]) -> str:
    """Return all tables as text.

    Raises
    ------
    UnknownNameError
        If the platform lacks a number that even the bare machine needs.
    """
    prices = {one.name: priced(platform, one)[0] for one in workloads}
    blocks = [
        *_slowdowns(platform, workloads),
        f"exits per ms of the guest's run [1/ms]\n{_exits(platform, prices)}",
        *([f"memory of translated code [MiB]\n{memory}"] if (memory := _memory(prices)) else []),
        fill(_NOTE, _WIDTH),
        "what each asks for\n" + "\n".join(_asks(platform)),
        *_weights(platform),
    ]
    lacks: dict[str, str] = {}
    for one in workloads:
        lacks = priced(platform, one)[1] | lacks
    if lacks:
        blocks.append("\n".join(["left out", *(f"  {name}: {why}" for name, why in lacks.items())]))
    return "\n\n".join(blocks)


def draw(platform: ParameterSet, workloads: Sequence[ParameterSet], out: Path) -> Iterator[Path]:
    """Write every figure as PNG and SVG into a folder that exists, and yield the paths.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    from virtperf.plot import save

    for name, axes in _figures(platform, workloads):
        for suffix in ("png", "svg"):
            save(axes, out / f"{name}.{suffix}")
            yield out / f"{name}.{suffix}"


def _figures(
    platform: ParameterSet, workloads: Sequence[ParameterSet]
) -> Iterator[tuple[str, Any]]:
    """Yield each figure's axes with the name of its file."""
    from virtperf import plot

    every = [catalog.workload(name) for name in catalog.names("workloads")]
    named = {one.name: one for one in (*every, *workloads)}
    yield "slowdown", plot.slowdown(platform, list(named.values()))
    for one in workloads:
        prices, _ = priced(platform, one)
        title = f"{one.name} on {platform.name}"
        yield f"causes-{one.name}", plot.time_by_cause(prices, title=title)
        yield f"exits-{one.name}", plot.exits_by_reason(prices, title=title)
        if set(EMULATORS) <= set(prices):
            yield f"warm-up-{one.name}", plot.warm_up(platform, one)
    if SHADOWED in contenders(platform):
        yield "winner-map", plot.winner_map(platform)
    yield "thrash", plot.thrash()


def _slowdowns(platform: ParameterSet, workloads: Sequence[ParameterSet]) -> list[str]:
    found = {one.name: slowdowns(platform, one) for one in workloads}
    names = [name for name in ways(platform) if name != BARE]
    return [
        f"slowdown on {platform.name}, bare machine = 1\n"
        + _by_technique(names, found, lambda one: _short(one.value)),
        f"its parameter band\n{_by_technique(names, found, _band)}",
    ]


def _band(one: Slowdown) -> str:
    return f"{_short(one.low)} to {_short(one.high)}"


def _short(value: float) -> str:
    return digits(value) if value >= 1.995 else f"{value:.2f}"


def _exits(platform: ParameterSet, prices: Mapping[str, Mapping[str, Price]]) -> str:
    names = [name for name in ways(platform) if name not in (BARE, *EMULATORS)]
    return _by_technique(names, prices, lambda one: digits(exits_per_s(one) / 1e3))


def _memory(prices: Mapping[str, Mapping[str, Price]]) -> str:
    return _by_technique(
        ("dbt", "static", "binary-translation"), prices, lambda one: digits(one.memory / 2**20)
    )


def _by_technique(
    names: Sequence[str], found: Mapping[str, Mapping[str, _One]], says: Callable[[_One], str]
) -> str:
    """Return a table, a technique a row and a workload a column; "" without a technique."""
    rows = [
        [name, *(says(one[name]) if name in one else "-" for one in found.values())]
        for name in names
        if any(name in one for one in found.values())
    ]
    return _fitted(["technique", *found], rows) if rows else ""


def _fitted(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table that is not too wide: headers are broken at hyphens, else it is in halves."""
    broken = [_broken(name) for name in header]
    two_lines = table([one[0] for one in broken], [[one[1] for one in broken], *rows])
    for text in (table(header, rows), two_lines):
        if max(map(len, text.splitlines())) <= _WIDTH:
            return text
    half = (len(header) + 1) // 2
    if half >= len(header) - 1 or half < 2:
        return two_lines
    parts = (slice(1, half), slice(half, None))
    return "\n\n".join(
        _fitted([header[0], *header[part]], [[row[0], *row[part]] for row in rows])
        for part in parts
    )


def _broken(name: str) -> tuple[str, str]:
    """Return the two lines of a header."""
    first, hyphen, second = name.partition("-")
    return (first + hyphen, second) if hyphen else ("", name)


def _asks(platform: ParameterSet) -> list[str]:
    """Return a row per technique: its kind of guest, and what it requires."""
    rows = [("technique", "guest", "requires")]
    for name in ways(platform):
        cpu, memory = way(name)
        also = f"; {matrix.title('memory', memory)}" if memory else ""
        first, *more = wrap(matrix.requires(cpu) + also, _WORDS)
        rows.append((name, matrix.default_guest(cpu), first))
        rows += [("", "", line) for line in more]
    return columns(rows)


def _weights(platform: ParameterSet) -> list[str]:
    """Return how many system calls weigh as much as a page-table write, if it can be said."""
    names = contenders(platform)
    if not {SHADOWED, "binary-translation"} <= set(names):
        return []
    lines = []
    for name in WEIGHED:
        found = winner_table(platform, catalog.workload(name), exits=[1.0], shares=[0.5])
        weight = found.calls_per_event("binary-translation", SHADOWED)
        if weight is not None:
            says = f"one page-table write per {digits(weight, 2)} system calls"
            lines.append(f"  with system calls as those of {name}: {says}")
    title = f"{SHADOWED} and binary-translation take the same time"
    return ["\n".join([title, *lines])] if lines else []
