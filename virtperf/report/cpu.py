"""The report's part on CPU virtualization: what each technique costs which workload, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf import catalog, plot
from virtperf.mechanism.interrupts import MONITORS, example_popf, run
from virtperf.mechanism.isa import isa, virtualizable
from virtperf.plot.cpu_data import priced, slowdowns
from virtperf.report.picture import Picture, picture
from virtperf.report.tables import Table, number, numbers
from virtperf.result.words import digits
from virtperf.technique import matrix

if TYPE_CHECKING:
    from virtperf.params import ParameterSet
    from virtperf.plot.cpu_data import Slowdown

PLATFORM, OLD = "x86-kvm-2020", "p4-vmware-2006"
DETAILED = "fork-storm"
VIRTUALIZED = ("trap-emulate", "binary-translation", "paravirtual", "hardware")
Ratios = dict[str, dict[str, "Slowdown"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Sentences, pictures and tables of one part of a page."""

    sentences: tuple[str, ...]
    figures: tuple[Picture, ...]
    tables: tuple[Table, ...]
    sources: Table


def part() -> Part:
    """Return the part on CPU virtualization; no engine runs for it: prices are added up."""
    platform = catalog.platform(PLATFORM)
    workloads = [catalog.workload(name) for name in catalog.names("workloads")]
    ratios: Ratios = {one.name: slowdowns(platform, one) for one in workloads}
    return Part(
        sentences=tuple(_sentences(ratios)),
        figures=tuple(_figures(platform, workloads)),
        tables=(_slowdowns(ratios), _requirements()),
        sources=_numbers([platform, catalog.platform(OLD), *workloads]),
    )


def _sentences(ratios: Ratios) -> Iterator[str]:
    for name, says in (("syscall-loop", "System calls"), ("fork-storm", "Forking")):
        row = {cpu: one.value for cpu, one in ratios[name].items() if cpu in VIRTUALIZED}
        least, most = min(row, key=row.__getitem__), max(row, key=row.__getitem__)
        yield (
            f"{says} ({name}): {least} takes {digits(row[least])} times what the bare machine "
            f"does, {most} {digits(row[most])} times."
        )
    ops, arrivals = example_popf()
    wrong = [monitor for monitor in MONITORS if run(ops, monitor, arrivals).violations]
    yield (
        f"{virtualizable(isa('x86-32'))}. POPF is one of them: in the example below the guest "
        f"takes an interrupt that it believes masked under {' and '.join(wrong)}, and under no "
        "other technique."
    )


def _figures(platform: ParameterSet, workloads: list[ParameterSet]) -> Iterator[Picture]:
    yield picture(
        plot.slowdown(platform, workloads),
        f"Slowdown against the bare machine by workload and technique, {PLATFORM}; lines are the "
        "parameter band. Rates of the workloads are assumed or derived, see sources.",
        wide=True,
    )
    prices, _ = priced(platform, catalog.workload(DETAILED))
    yield picture(plot.time_by_cause(prices), f"Where the time goes: {DETAILED}, {PLATFORM}.")
    yield picture(plot.exits_by_reason(prices), f"Why the guest stops: {DETAILED}, {PLATFORM}.")
    yield picture(
        plot.winner_map(catalog.platform(OLD)),
        f"Which technique wins, by exits and by the kernel's share of the work: {OLD}.",
        wide=True,
    )
    yield picture(
        plot.warm_up(platform, catalog.workload("web-server")),
        "Emulating another ISA: a static translator pays for the whole image before the start, a "
        "dynamic one for each block when it is met.",
    )
    yield picture(
        plot.thrash(), "A code cache that is too small by one block is filled again and again."
    )
    ops, arrivals = example_popf()
    yield picture(
        plot.interrupt_flags([run(ops, monitor, arrivals) for monitor in MONITORS], ops),
        "POPF without privilege: the interrupt flag as the guest believes it, and as its monitor "
        "has it.",
        wide=True,
    )


def _slowdowns(ratios: Ratios) -> Table:
    techniques = list(dict.fromkeys(name for row in ratios.values() for name in row))
    header = ["workload", *techniques]
    rows = [
        [name, *(_cell(row[cpu]) if cpu in row else "-" for cpu in techniques)]
        for name, row in ratios.items()
    ]
    return Table(f"Time over that of the bare machine, {PLATFORM}, with its band", header, rows)


def _cell(one: Slowdown) -> str:
    return f"{digits(one.value)} ({digits(one.low)} to {digits(one.high)})"


def _numbers(sets: list[ParameterSet]) -> Table:
    """Return every number of the platforms and workloads of this part, with its source."""
    rows = [
        number(f"{one.name}: {key}", row)
        for one in sets
        for key, row in one.to_frame().to_dict("index").items()
    ]
    return numbers("Numbers of CPU virtualization and of its workloads", rows)


def _requirements() -> Table:
    rows = [
        [name, matrix.title("cpu", name), matrix.default_guest(name), matrix.requires(name)]
        for name in matrix.cpu_techniques()
    ]
    header = ["technique", "is", "guest", "asks for"]
    return Table("What each CPU technique asks of machine and guest", header, rows, words=4)
