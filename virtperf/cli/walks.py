"""One page walk as text."""

from __future__ import annotations

from itertools import groupby

from virtperf.cli.isas import columns
from virtperf.errors import ParameterError
from virtperf.mechanism.memory.pages import PageSize, address_bits
from virtperf.mechanism.memory.steps import references, walk_steps


def show(
    guest: str, host: str | None, tables_on: str | None, *, levels: int, host_levels: int
) -> str:
    """Return the steps of a cold walk, their number, and what entry comes of it.

    Raises
    ------
    ParameterError
        If a page size or a depth does not exist.
    """
    if host is None and tables_on is not None:
        raise ParameterError("walk", "tables_on", "left out without host", tables_on)
    inner, outer = PageSize.of(guest), None if host is None else PageSize.of(host)
    steps = walk_steps(
        inner,
        outer,
        tables_on=None if tables_on is None else PageSize.of(tables_on),
        levels=levels,
        nested_levels=host_levels,
    )
    rows = [
        (f"{number:>3}", step.dimension, step.table, "-> " + step.finds)
        for number, step in enumerate(steps, start=1)
    ]
    return "\n".join([*columns(rows), "", *_sums(inner, outer, steps, levels)])


def _sums(inner: PageSize, outer: PageSize | None, steps: list, levels: int) -> list[str]:  # type: ignore[type-arg]
    reads = references(steps)
    parts = {
        key: len(list(group))
        for key, group in groupby(sorted(step.dimension for step in steps), key=str)
    }
    of = ", ".join(f"{parts[key]} {key}" for key in ("guest", "host") if key in parts)
    entry = inner if outer is None else min(inner, outer)
    bits = address_bits(levels)
    return [
        f"table reads: {reads} ({of}); with the access to the data {reads + 1}",
        f"the TLB entry covers {entry.label}: {_smaller(inner, outer)}",
        f"virtual addresses have {bits} bits ({1 << (bits - 40):,} TiB) of the register's 64",
    ]


def _smaller(inner: PageSize, outer: PageSize | None) -> str:
    if outer is None:
        return "one page"
    return "guest's and host's page" if inner == outer else "the smaller of guest's and host's page"
