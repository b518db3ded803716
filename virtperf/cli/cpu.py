"""CPU techniques on the command line: tables of what they cost and ask for, and their figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

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

EXAMPLES = ("fork-storm", "web-server")  # drawn in detail unless others are asked for
WEIGHED = ("syscall-loop", "web-server")  # short system calls, and long ones
_WIDTH = 100
_BAND = (
    "The band: all numbers of platform and workload at the low, all at the high end of their "
    "ranges. Exits are those to the hypervisor, hypercalls included; emulators have none, they "
    "call helpers. Memory is that of all code that runs (dbt), or of the whole image (static)."
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
    blocks = [
        *_slowdowns(platform, workloads),
        f"exits per second of the guest's run [1/s]\n{_exits(platform, workloads)}",
        fill(_BAND, _WIDTH),
    ]
    if memory := _memory(platform, workloads):
        blocks.insert(3, f"memory of translated code [MiB]\n{memory}")
    blocks += ["what each asks for\n" + "\n".join(_asks(platform)), *_weights(platform)]
    if lacks := priced(platform, workloads[0])[1]:
        says = [f"  {name}: {why}" for name, why in lacks.items()]
        blocks.append("left out\n" + "\n".join(says))
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
    names = [name for name in ways(platform) if name != BARE and name in found[workloads[0].name]]
    values, bands = [], []
    for workload, by_name in found.items():
        values.append([workload, *(_short(by_name[name].value) for name in names)])
        bands.append([workload, *(_band(by_name[name]) for name in names)])
    header = ["workload", *names]
    return [
        f"slowdown on {platform.name}, bare machine = 1\n{table(header, values)}",
        f"its parameter band\n{table(header, bands)}",
    ]


def _band(one: Slowdown) -> str:
    return f"{_short(one.low)} to {_short(one.high)}"


def _short(value: float) -> str:
    return digits(value) if value >= 1.995 else f"{value:.2f}"


def _exits(platform: ParameterSet, workloads: Sequence[ParameterSet]) -> str:
    found = {one.name: priced(platform, one)[0] for one in workloads}
    names = [name for name in found[workloads[0].name] if name not in (BARE, *EMULATORS)]
    rows = [
        [name, *(digits(exits_per_s(prices[label])) for label in names)]
        for name, prices in found.items()
    ]
    return table(["workload", *names], rows)


def _memory(platform: ParameterSet, workloads: Sequence[ParameterSet]) -> str:
    found = {one.name: priced(platform, one)[0] for one in workloads}
    names = [name for name in ("dbt", "static") if name in found[workloads[0].name]]
    rows = [
        [name, *(digits(prices[label].memory / 2**20) for label in names)]
        for name, prices in found.items()
    ]
    return table(["workload", *names], rows) if names else ""


def _asks(platform: ParameterSet) -> list[str]:
    """Return a line per technique: its kind of guest, and what it requires."""
    rows = [("technique", "guest", "requires")]
    for name in ways(platform):
        cpu, memory = way(name)
        also = f"; {matrix.title('memory', memory)}" if memory else ""
        rows.append((name, matrix.default_guest(cpu), matrix.requires(cpu) + also))
    return columns(rows)


def _weights(platform: ParameterSet) -> list[str]:
    """Return how many system calls weigh as much as a page-table write, if it can be said."""
    names = contenders(platform)
    if not {SHADOWED, "binary-translation"} <= set(names):
        return []
    lines = [f"{SHADOWED} and binary-translation take the same time"]
    for name in WEIGHED:
        found = winner_table(platform, catalog.workload(name), exits=[1.0], shares=[0.5])
        weight = found.calls_per_event("binary-translation", SHADOWED)
        if weight is not None:
            says = f"one page-table write per {digits(weight, 2)} system calls"
            lines.append(f"  with system calls as those of {name}: {says}")
    return ["\n".join(lines)]
