"""The report's part on memory virtualization: walks, cycles, faults, and tables in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from virtperf import plot
from virtperf.mechanism.memory.processors import Processor, processor
from virtperf.plot import memory_data, paging_data
from virtperf.plot.memory import bytes_in_words, named
from virtperf.report import overcommit
from virtperf.report.cpu import Part
from virtperf.report.picture import Picture, picture
from virtperf.report.tables import Table
from virtperf.result.words import digits

if TYPE_CHECKING:
    from virtperf.plot.memory_data import Walk
    from virtperf.plot.paging_data import Slice

SIZES = tuple((1 << 20) << doubling for doubling in (0, 4, 8, 12, 16))
QUANTA = (100, 300, 1000, 3000, 10_000)
Costs = Mapping[str, Sequence[tuple[int, float]]]


def part(cpu: str = memory_data.PROCESSOR) -> Part:
    """Return the part on memory virtualization, on one processor; it takes some seconds."""
    one = processor(cpu)
    walks = memory_data.walks(one)
    costs = memory_data.by_footprint(one, footprints=SIZES)
    faults = paging_data.faults()
    short = overcommit.conduct()
    return Part(
        sentences=(*_sentences(one, walks, costs, faults), overcommit.sentence(short)),
        figures=(*_figures(one, walks, costs, faults), overcommit.figure(short)),
        tables=(_costs(one, costs), _faults(faults)),
        sources=_sources(one),
    )


def _sentences(
    one: Processor,
    walks: Mapping[str, tuple[Walk, Walk]],
    costs: Costs,
    faults: Mapping[str, Sequence[Slice]],
) -> Iterator[str]:
    cold, warm = walks["4K on 4K"]
    native, cached = walks["4K"]
    yield (
        f"A walk in two dimensions reads {cold.reads:.0f} table entries where a native one reads "
        f"{native.reads:.0f}, if nothing is cached; with the walk caches of {one.name}, over "
        f"random pages of 64 GiB, {digits(warm.reads)} and {digits(cached.reads)}."
    )
    at = {way: dict(points)[SIZES[-1]] for way, points in costs.items()}
    yield (
        f"Over {bytes_in_words(SIZES[-1])} accessed at random, translation adds "
        f"{digits(at['4K'])} cycles natively and {digits(at['4K on 4K'])} under nested paging with "
        f"pages of 4 KiB, and {digits(at['2M on 2M'])} with pages of 2 MiB on both sides. A TLB "
        "hit costs the same under every technique."
    )
    leave = {name: paging_data.leaving(name, slices) for name, slices in faults.items()}
    told = ", ".join(f"{number:,} under {name}" for name, number in leave.items())
    yield (
        f"Faults and calls that leave the guest, while three processes take turns and grow: {told}."
    )


def _figures(
    one: Processor,
    walks: Mapping[str, tuple[Walk, Walk]],
    costs: Costs,
    faults: Mapping[str, Sequence[Slice]],
) -> Iterator[Picture]:
    yield picture(
        plot.footprint_cost(costs, marks=memory_data.reaches(one)),
        f"What translation adds to an access to a random page, {one.title}; lines are what each "
        "TLB level reaches. One dimension is native, direct, or shadow once filled; 4K on 2M is a "
        "guest's page of 4 KiB on a host's of 2 MiB. Half of each data cache is taken to be left "
        "for table entries.",
        wide=True,
    )
    yield picture(
        plot.walk_references(walks),
        f"Table reads of a walk: without a cache, and with the walk caches of {one.name}, whose "
        "sizes are mostly assumed.",
    )
    yield picture(
        plot.switch_cost(memory_data.by_switch_rate(one, quanta=QUANTA)),
        "Four processes of 300 random pages that take turns, with tags in the TLB and without.",
    )
    yield picture(
        plot.faults_over_time(faults),
        "Faults by turn while three processes take turns and grow, and one is replaced by D.",
        wide=True,
    )
    yield picture(
        plot.table_memory(paging_data.tables(), paging_data.bounds()),
        "Memory of the hypervisor's tables; dashed grey are the bounds that KVM and Xen set.",
    )


def _costs(one: Processor, costs: Costs) -> Table:
    rows = [
        [named(way), *(digits(cycles) if cycles else "0" for _, cycles in points)]
        for way, points in costs.items()
    ]
    title = f"Added by translation to an access to a random page on {one.name}, cycles"
    return Table(title, ["pages", *map(bytes_in_words, SIZES)], rows)


def _faults(faults: Mapping[str, Sequence[Slice]]) -> Table:
    kinds = list(paging_data.KINDS)
    rows = []
    for technique, slices in faults.items():
        sums = [sum(each.faults[kind] for each in slices) for kind in kinds]
        out = paging_data.leaving(technique, slices)
        rows.append([technique, *(f"{number:,}" for number in sums), f"{out:,}"])
    title = "Faults of 24 turns of processes; loads of CR3 and invalidations are not counted"
    return Table(title, ["technique", *kinds, "leave the guest"], rows)


def _sources(one: Processor) -> Table:
    """Return how each part of the processor's file is known."""
    rows = [
        [part, str(facts.get("checked", "")), str(facts["source"])]
        for part, facts in one.facts.items()
        if isinstance(facts, Mapping) and "source" in facts
    ]
    rows.insert(0, ["TLBs", "read unless the file says otherwise", str(one.facts["source"])])
    rows.append(["share of the data caches for table entries", "assumed", memory_data.WHY_HALF])
    return Table(f"Numbers of {one.title}", ["part", "checked", "source"], rows, words=3)
